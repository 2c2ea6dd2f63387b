"""Questions, and experiments as noisy measurements of their answers."""
