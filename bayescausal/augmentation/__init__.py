"""The optional data stage: rows sampled from the Markov factorization that the graph claims."""

import lazy_loader as lazy

# scikit-learn takes seconds to load, and only a forest needs it.
__getattr__, __dir__, __all__ = lazy.attach(__name__, submodules=["forest"])
