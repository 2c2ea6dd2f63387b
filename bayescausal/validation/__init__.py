"""Whether to believe a fit: diagnostics, refits, tests against the model, other estimators."""
