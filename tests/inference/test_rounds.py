"""Sampling goes on until it has converged, keeps what it has, and says what it did."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import bayescausal as bc
from bayescausal.inference.convergence import Convergence
from bayescausal.inference.rounds import sample_in_rounds
from bayescausal.inference.settings import Settings

SETTINGS = Settings(draws=10, tune=5, chains=2, rounds=3)


class Script:
    """The outcome of each round, written down: the loop is under test here, not a sampler."""

    def __init__(self, *states: Convergence, interrupted_in: int = 9):
        self.states, self.interrupted_in = list(states), interrupted_in
        self.asked: list[Settings] = []
        self.seeds: list[int] = []

    def sample(self, settings, seed, earlier):
        self.asked.append(settings)
        self.seeds.append(seed)
        if len(self.asked) == self.interrupted_in:
            raise KeyboardInterrupt
        number = np.full((2, settings.draws), float(len(self.asked)))
        part = xr.Dataset({"a": (("chain", "draw"), number)})
        run = {"compile_seconds": 1.0, "sample_seconds": 2.0, "leapfrogs": 3, "divergences": 1}
        tree = xr.DataTree.from_dict({"posterior": part, "sample_stats": part})
        return tree, {**run, "interrupted": False}

    def judge(self, tree, run):
        return self.states[min(len(self.asked), len(self.states)) - 1]

    def run(self, settings=SETTINGS, seed=1):
        return sample_in_rounds(self.sample, self.judge, settings, seed)


def state(rhat=1.0, divergences=0, draws=1000, converged=False) -> Convergence:
    why = () if converged else ("too few",)
    return Convergence(converged, rhat, "a", 100, 100, divergences, draws, why)


DONE = state(converged=True)


def test_a_run_that_has_converged_is_the_only_one():
    script = Script(DONE)
    tree, run, _ = script.run()
    assert tree["posterior"].sizes["draw"] == 10
    assert [record["kept"] for record in run["rounds"]] == [True]


def test_what_was_only_short_is_kept_and_more_is_added():
    script = Script(state(), DONE)
    tree, run, _ = script.run()
    assert tree["posterior"]["a"].to_numpy()[0].tolist() == [1.0] * 10 + [2.0] * 20
    assert (run["leapfrogs"], run["sample_seconds"], run["divergences"]) == (6, 4.0, 2)
    assert len({*script.seeds}) == 2
    again = Script(state(), DONE)
    again.run()
    assert again.seeds == script.seeds
    assert [s.draws for s in script.asked] == [10, 20]
    assert script.asked[1].target_accept == script.asked[0].target_accept


@pytest.mark.parametrize("bad", [state(rhat=1.2), state(divergences=100)])
def test_draws_of_chains_that_disagreed_or_diverged_are_thrown_away(bad):
    script = Script(bad, DONE)
    tree, run, _ = script.run()
    assert tree["posterior"]["a"].to_numpy()[0].tolist() == [2.0] * 20
    assert [record["kept"] for record in run["rounds"]] == [False, True]
    assert run["divergences"] == 1


def test_divergences_halve_the_distance_of_the_target_to_one():
    script = Script(state(divergences=100), state(divergences=100), DONE)
    script.run()
    assert [s.target_accept for s in script.asked] == pytest.approx([0.85, 0.925, 0.9625])


def test_the_rounds_that_are_stated_end_it():
    script = Script(state(), state(), state())
    tree, run, _ = script.run()
    assert tree["posterior"].sizes["draw"] == 10 + 20 + 40
    assert [record["problems"] for record in run["rounds"]] == [["too few"]] * 3


def test_an_interrupted_round_leaves_the_one_before_it():
    script = Script(state(), DONE, interrupted_in=2)
    tree, run, _ = script.run()
    assert tree["posterior"].sizes["draw"] == 10
    assert run["interrupted"]


@pytest.mark.filterwarnings("ignore::bayescausal.errors.NotConverged")
def test_a_short_fit_goes_on_until_it_has_converged():
    """Eighty draws cannot have an effective size of 400; five hundred and more of two chains can.

    That stated lengths are taken as they are unless rounds are asked for is seen in `test_fit.py`,
    where a short fit keeps its length and says that it has not converged.
    """
    rng = np.random.default_rng(7)
    tv = rng.gamma(3, 10, 80)
    frame = pd.DataFrame({"week": pd.date_range("2024-01-01", periods=80, freq="7D"), "tv": tv})
    data = bc.Dataset.from_frame(
        frame.assign(sales=500 + 2 * tv + rng.normal(0, 9, 80)), time="week"
    )
    spec = bc.Spec(bc.Graph.parse("tv -> sales", outcome="sales"), treatments=("tv",))
    run = {"draws": 80, "tune": 150, "chains": 2, "seed": 3, "progress": False}
    fit = bc.fit(spec, data, **run, rounds=4)
    assert fit.convergence.converged
    assert fit.convergence.rounds > 1
    assert f"after {fit.convergence.rounds} rounds" in str(fit.convergence)
    records = fit.info["run"]["rounds"]
    assert records[0]["draws"] == 80
    assert records[0]["problems"]
    assert fit.shape[1] == sum(record["draws"] for record in records if record["kept"])
