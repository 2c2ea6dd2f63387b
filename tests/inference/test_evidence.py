"""What a fit has learned enters its grades: tests that say nothing do not count."""

import pickle
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import bayescausal as bc
from bayescausal.errors import NotIdentified
from bayescausal.inference import evidence
from bayescausal.inference.evidence import Evidence, first_stage, require_all
from bayescausal.inference.fit import total_effect
from bayescausal.model.scm import compile_scm

WINDOW = ("2024-03-04", "2024-03-31")
TV = bc.incremental("tv")
BOW = bc.Graph.parse("tv -> sales\ntv <-> sales", outcome="sales")


def measured(std_error=5.0, name="spring"):
    return bc.Experiment(TV.during(*WINDOW), 50, std_error, "geo-rct", name=name)


def instrumented(text, policy, seed=4):
    """A fit with drawn coefficients, without sampling; the errors of ``tv`` are tied to others."""
    spec = bc.Spec(bc.Graph.parse(text, outcome="sales"), treatments=("tv",), policy=policy)
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({v: rng.gamma(9.0, 5.0, 40) for v in spec.structure.nodes})
    frame["week"] = pd.date_range("2024-01-01", periods=40, freq="7D")
    data = bc.Dataset.from_frame(frame, time="week")
    names = [p.name for p in compile_scm(spec, data).parameters]
    draws = {name: (("chain", "draw"), rng.normal(0.3, 0.02, (2, 50))) for name in names}
    return bc.Fit(spec, data, xr.DataTree.from_dict({"posterior": xr.Dataset(draws)}))


@pytest.mark.parametrize("policy", [{}, {"tv": "held"}, {"tv": "reacts"}])
@pytest.mark.parametrize("rule", ["", "sales -> tv @ 1", "tv -> tv @ 1"])
def test_a_first_stage_is_that_of_the_equation_whatever_the_policy_and_the_rule(rule, policy):
    """One edge from the instrument: the F of its coefficient, to the last digits."""
    fit = instrumented(f"z -> tv -> sales\ntv <-> sales\n{rule}", policy)

    def moved(spec, estimand):
        return total_effect(replace(fit, spec=spec), estimand)

    strength = fit.theta()["z->tv"]
    expected = (strength.mean() / strength.std()) ** 2
    assert first_stage(fit.spec, TV, moved) == pytest.approx(expected, rel=1e-9)
    assert expected > 100


def test_the_first_stage_of_an_instrument_that_only_goes_along_is_not_known():
    """A latent moves z and tv: z is valid given w, but no equation says how far it moves tv."""
    text = "z -> w -> sales\ntv -> sales\nz <-> tv\ntv <-> sales"
    fit = instrumented(text, {})
    assert [i.node for i in fit.evidence.verdict(TV).instruments] == ["z"]
    assert first_stage(fit.spec, TV, lambda *_: np.zeros(3)) is None


def test_a_test_that_says_nothing_leaves_an_effect_not_identified():
    spec = bc.Spec(BOW, treatments=("tv",), experiments=(measured(),))
    learned = {"share": {"spring": 0.004}, "z": {"spring": 0.0}, "contraction": {"tv": 0.99}}
    for asked in (TV, TV.during(*WINDOW)):
        found = Evidence(spec, learned).grade(asked)
        assert (found.letter, found.status) == ("X", "not identified")
        assert found.reasons == (
            "too noisy to count, by their part in what is known of the effect: 'spring' (0.4%)",
        )
        with pytest.raises(NotIdentified, match="not identified"):
            Evidence(spec, learned).require_identified(asked)
    loud = learned | {"share": {"spring": 0.4}}
    assert Evidence(spec, loud).grade(TV).letter == "E"
    assert Evidence(spec, loud).grade(TV.during(*WINDOW)).letter == "A"
    assert Evidence(spec).grade(TV.during(*WINDOW)).letter == "A"  # before a fit every test counts


def test_one_test_that_says_something_is_enough():
    tests = (measured(), measured(1e5, "useless"))
    spec = bc.Spec(BOW, treatments=("tv",), experiments=tests)
    learned = {"share": {"spring": 0.5, "useless": 0.0}}
    assert [test.name for test in Evidence(spec, learned).informative] == ["spring"]
    assert Evidence(spec, learned).grade(TV).letter == "E"


def test_an_instrument_without_a_first_stage_is_weak():
    graph = bc.Graph.parse("z -> tv -> sales\ntv <-> sales", outcome="sales")
    spec = bc.Spec(graph, treatments=("tv",))
    letters = [
        Evidence(spec, {"first_stage": {"tv": f}}).grade(TV).letter for f in (0.5, 9.0, 40.0)
    ]
    assert letters == ["G", "G", "B"]


def test_a_question_is_worked_out_once(monkeypatch):
    """Also where the outcome is left to the graph, and for every part and every verdict."""
    graph = bc.Graph.parse("tv -> search -> sales <- tv\ntv <-> sales", outcome="sales")
    of_spec, questions = Evidence(bc.Spec(graph, treatments=("tv",))), []

    def identify(graph, estimand, *args, **kwargs):
        questions.append(estimand)
        return bc.identify(graph, estimand, *args, **kwargs)

    monkeypatch.setattr(evidence, "identify", identify)
    for estimand in (TV, TV.on("sales"), TV, TV.during(*WINDOW)):
        for part in ("total", "direct", "indirect"):
            assert of_spec.grade(estimand, part) is of_spec.grade(estimand, part)
        with pytest.raises(NotIdentified, match="not identified"):
            of_spec.require_identified(estimand)
    assert questions == [TV.on("sales"), TV.on("sales").during(*WINDOW)]


def test_a_search_over_questions_does_not_fill_the_memory(monkeypatch):
    monkeypatch.setattr(evidence, "MOST_ANSWERS", 3)
    of_spec = Evidence(bc.Spec(BOW, treatments=("tv",)))
    for day in range(1, 9):
        grade = of_spec.grade(TV.during("2024-03-01", f"2024-03-{10 + day}"))
        assert grade.window == f"2024-03-01 to 2024-03-{10 + day}"
        assert len(of_spec._answers) <= 3


def test_evidence_is_pickled_after_a_question_with_a_function():
    of_spec = Evidence(bc.Spec(BOW, treatments=("tv",)))
    of_spec.verdict(bc.Estimand(control={"tv": lambda tv: 0 * tv}))
    assert pickle.loads(pickle.dumps(of_spec)).verdict(TV).status == of_spec.verdict(TV).status


def test_strict_asks_for_every_outcome():
    graph = bc.Graph.parse("tv -> sales, apps\ntv <-> sales", outcome=["sales", "apps"])
    with pytest.raises(NotIdentified, match="on sales"):
        require_all(bc.Spec(graph, treatments=("tv",)))


def weeks(rows=60):
    """A budget that follows what nobody recorded; ``z`` moves nothing."""
    rng = np.random.default_rng(4)
    u, z = rng.normal(size=(2, rows))
    tv = 50 + 8 * u + 8 * rng.normal(size=rows)
    sales = 1000 + tv + 15 * u + 15 * rng.normal(size=rows)
    week = pd.date_range("2024-01-01", periods=rows, freq="7D")
    apps = 300 + 2 * tv + 20 * rng.normal(size=rows)
    return pd.DataFrame({"week": week, "z": z, "tv": tv, "sales": sales, "apps": apps})


def test_a_fit_knows_which_tests_and_instruments_say_something():
    graph = bc.Graph.parse("z -> tv -> sales, apps\ntv <-> sales", outcome=["sales", "apps"])
    tests = (
        bc.Experiment(
            bc.incremental("tv", outcome="sales").during(*WINDOW),
            9,
            1e6,
            "geo-rct",
            name="faint",
            covariance={"clear": 0.0},
        ),
        bc.Experiment(
            bc.incremental("tv", outcome="apps").during(*WINDOW), 400, 60, "geo-rct", name="clear"
        ),
    )
    spec = bc.Spec(graph, treatments=("tv",), experiments=tests)
    data = bc.Dataset.from_frame(weeks(), time="week", spend=["tv"])
    fit = bc.fit(spec, data, seed=1, draws=150, tune=300, chains=2, progress=False)
    assert {*fit.grades} == {"tv on sales", "tv on apps"}
    assert (
        {*fit.evidence.learned["contraction"]} == {*bc.diagnose(fit).effects.index} == {*fit.grades}
    )
    faint, other = (fit.evidence.learned["share"][str(test.name)] for test in tests)
    assert faint < 1e-3 < other < 1
    assert fit.evidence.learned["first_stage"]["tv on sales"] < 10
    grade = fit.grades["tv on sales"]
    assert (grade.letter, grade.status) == ("G", "instrument")
    assert any("weak instrument" in reason for reason in grade.reasons)
    assert any("too noisy" in reason for reason in grade.reasons)
    draws = bc.effect(fit, bc.incremental("tv", outcome="apps").during(*WINDOW))
    assert draws.attrs["rests_on"].startswith("A" if other >= 0.1 else "F")
