"""The only place that samples: `fit`, `diagnose`, and the `Fit` they share."""
