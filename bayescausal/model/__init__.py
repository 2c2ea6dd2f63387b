"""The only place that writes PyMC: the structural `Equations`, the likelihood, `build`."""
