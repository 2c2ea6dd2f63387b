"""Questions to a `Fit` return draws; only `summarize` reduces them."""
