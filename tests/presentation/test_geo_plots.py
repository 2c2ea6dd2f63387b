"""The evidence of a geo test, as a picture and in the report."""

from dataclasses import replace

import geo_cases
import numpy as np
import pytest
from presentation_cases import with_tests

import bayescausal as bc
from bayescausal.errors import SpecError


@pytest.fixture(scope="module")
def geo():
    sales = geo_cases.panel(np.random.default_rng(1), 3, 12)
    sales[:3, geo_cases.BEFORE :] += 12
    return bc.geo_test(
        geo_cases.as_frame(sales),
        ["g00", "g01", "g02"],
        geo_cases.WINDOW,
        time="week",
        unit="geo",
        outcome="sales",
        estimand=bc.Estimand(control={"tv": 0}),
        seed=1,
    )


@pytest.mark.slow
def test_the_last_point_is_the_lift(geo):
    above, below = bc.plot_geo_test(geo).axes
    assert below.lines[1].get_ydata()[-1] == pytest.approx(geo.lift)
    assert below.lines[1].get_ydata()[geo.before - 1] == pytest.approx(0, abs=1e-6 * geo.lift)
    assert np.array_equal(above.lines[0].get_ydata(), geo.observed)


def test_something_else_is_refused(geo):
    with pytest.raises(SpecError, match=r"takes a GeoTest.*An experiment's source"):
        bc.plot_geo_test(geo.lift)


def test_the_report_shows_how_a_test_was_measured(geo, panel_of_three, tmp_path):
    weeks = panel_of_three.data.training
    question = bc.incremental("tv").during(weeks[5], weeks[9])
    test = bc.Experiment(question, geo.lift, geo.std_error, "geo-rct", name="spring", source=geo)
    path = bc.report(with_tests(panel_of_three, test), tmp_path / "report.html")
    page = path.read_text(encoding="utf-8")
    assert "How spring was measured" in page
    assert "3 treated and 12 control units" in page
    bare = with_tests(panel_of_three, replace(test, source=None))
    path = bc.report(bare, tmp_path / "bare.html")
    assert "was measured</summary>" not in path.read_text(encoding="utf-8")
