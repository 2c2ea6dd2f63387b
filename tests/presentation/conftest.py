"""Small fits, and the reports of the shared fit and of a panel, made once a session."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from presentation_cases import converged, half_known, small_panel, unconverged

import bayescausal as bc
from bayescausal.errors import NotConverged


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
def panel_report(panel_of_three, shared) -> Path:
    """The report of the small panel, which has not converged; not to be changed."""

    def write(path):
        with pytest.warns(NotConverged):
            bc.report(panel_of_three, path)

    return shared("panel_report.html", write)


@pytest.fixture(scope="session")
def sure_report(panel_of_three, shared) -> Path:
    """The report of the small panel if it had converged."""
    return shared("sure_report.html", lambda path: bc.report(converged(panel_of_three), path))


@pytest.fixture(scope="session")
def unsure_report(panel_of_three, shared) -> Path:
    """The report of the small panel with an R-hat of 1.5, which is warned of once."""

    def write(path):
        with pytest.warns(NotConverged, match=r"R-hat of tv is 1\.500") as caught:
            bc.report(unconverged(panel_of_three), path)
        assert len(caught) == 1

    return shared("unsure_report.html", write)


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
