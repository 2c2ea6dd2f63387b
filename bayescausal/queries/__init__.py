"""A `Fit` in, draws out; only `summarize` reduces them."""
