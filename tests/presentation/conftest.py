"""Small fits and the report of the shared fit, made once a session."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from presentation_cases import half_known, small_panel

import bayescausal as bc


@pytest.fixture(scope="session")
def example_report(example_fit, shared) -> Path:
    """The report of the shared fit, as it comes; not to be changed."""
    return shared("example_report.html", lambda path: bc.report(example_fit, path))


@pytest.fixture(scope="session")
def table_of_80(example_fit) -> pd.DataFrame:
    """The table of effects of the shared fit, with 80% intervals."""
    return bc.effects_table(example_fit, 0.8)


@pytest.fixture(scope="session")
def panel_of_three(shared) -> bc.Fit:
    return bc.load(shared("panel_of_three.nc", lambda path: small_panel(3).save(path)))


@pytest.fixture(scope="session")
def panel_of_seven(shared) -> bc.Fit:
    return bc.load(shared("panel_of_seven.nc", lambda path: small_panel(7).save(path)))


@pytest.fixture(scope="session")
def confounded(shared) -> bc.Fit:
    """Paid visits are confounded with sales: the total of tv is identified, all else is not."""
    return bc.load(shared("confounded.nc", lambda path: half_known().save(path)))


@pytest.fixture(scope="session")
def oddly_named(shared) -> bc.Fit:
    """A panel whose names look like HTML and like formulas."""
    names = {"treatment": "R&D 'x' onload=alert($_a$)", "outcome": "sales $y^2$"}
    return bc.load(shared("oddly_named.nc", lambda path: small_panel(2, **names).save(path)))
