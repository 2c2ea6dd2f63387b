"""Plots, tables, the report and the command line; modules load on first use."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__, submodules=["augmentation_section", "config", "evidence_text", "workshop"]
)
