"""Worlds whose effects are known, and the data set that ships with the package."""
