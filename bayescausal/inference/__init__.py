"""The only place that samples: `fit`, and the `Fit` that holds what it learned."""
