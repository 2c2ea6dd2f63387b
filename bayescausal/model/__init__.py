"""The only place that writes PyMC: `scm.forward`, the likelihood, `build`."""
