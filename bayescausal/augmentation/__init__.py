"""Optional data augmentation: rows are sampled from the Markov factorization of the graph."""

import lazy_loader as lazy

# scikit-learn takes seconds to load, and only a forest needs it.
__getattr__, __dir__, __all__ = lazy.attach(__name__, submodules=["forest"])
