"""bayescausal: the causal graph is the model."""

__version__ = "0.1.0"
