"""The optional data stage: rows sampled from the Markov factorization that the graph claims."""
