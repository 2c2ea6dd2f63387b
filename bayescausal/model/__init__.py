"""The only place that writes PyMC: `scm.forward` and `scm.intervene`, the likelihood, `build`."""
