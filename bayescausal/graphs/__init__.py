"""Causal graphs: notation, drawing, separation, projection. Nothing here knows of data."""
