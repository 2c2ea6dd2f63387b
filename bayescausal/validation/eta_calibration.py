"""`calibrate_eta` finds the weight of an augmented row by simulating the whole pipeline."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from bayescausal import checks
from bayescausal._display import Page
from bayescausal._types import Array, Node, Theta
from bayescausal.data.dataset import Dataset
from bayescausal.errors import SpecError, shown
from bayescausal.experiments.estimand import Estimand
from bayescausal.graphs.edge import Edge
from bayescausal.inference.compile import compile_jax
from bayescausal.inference.fit import Fit
from bayescausal.inference.verb import verb
from bayescausal.model.build import build
from bayescausal.model.contrast import measure
from bayescausal.model.lifts import remeasured
from bayescausal.model.predict import generate
from bayescausal.model.scm import SCM, bind, compile_scm
from bayescausal.model.weighted import ETA, WEIGHT
from bayescausal.validation.augmentation_effect import total_effects

_DRAWS = 400


@dataclass(frozen=True, repr=False)
class EtaCalibration(Page):
    """Coverage of intervals by the worth of an augmented row.

    Parameters
    ----------
    eta : float or None
        The largest whose intervals cover as often as they say, within a standard error; None when
        none does.
    table : pandas.DataFrame
        By ``eta`` (0 is the fit without augmentation): ``coverage`` over worlds and effects, its
        ``se`` (worlds are independent, effects in one world are not), ``bias`` and ``width`` of
        the intervals, in units of those without.
    prob : float
    """

    eta: float | None
    table: pd.DataFrame
    prob: float

    def __str__(self) -> str:
        headline = (
            f"eta = {self.eta:g} keeps the coverage of {self.prob:.0%} intervals"
            if self.eta is not None
            else f"No eta keeps the coverage of {self.prob:.0%} intervals: leave augmentation out"
        )
        return f"{headline}\n{self.table.round(3).to_string()}"


@verb
def calibrate_eta(
    fit: Fit,
    etas: Sequence[float] = (0.25, 0.5, 1.0),
    *,
    worlds: int = 20,
    prob: float = 0.9,
    seed: int | None = None,
) -> EtaCalibration:
    """Find what an augmented row may be worth, so that intervals cover as often as they say.

    In each world parameters are drawn from the posterior without augmentation, the modelled nodes
    are generated from them, tests are measured and rows drawn anew, and the weighted posterior is
    found at every eta: its Laplace approximation, not NUTS. Each world is compiled once, some ten
    seconds.

    Parameters
    ----------
    fit : Fit
        Of a spec with augmentation; the weight is its own.
    etas : sequence of float
        Above 0, at most 1.
    worlds : int
        The standard error of a coverage of 0.9 is about ``0.3 / sqrt(worlds)``, or less.
    prob : float
    seed : int, optional

    Returns
    -------
    EtaCalibration

    Raises
    ------
    SpecError
        The fit has no augmentation, or an eta is out of range.

    Notes
    -----
    It is calibrated to this model being right: where the conditional distributions are
    misjudged in ways that the model shares, it does not show. Lift tests are measured anew in each
    world, with the errors that they have. Source: Talts et al. (2018), simulation-based
    calibration; MODEL.md section 9.5.

    Examples
    --------
    >>> import bayescausal as bc
    >>> print(bc.calibrate_eta(fit, worlds=20, seed=1))  # doctest: +SKIP
    """
    worlds = checks.count("worlds", worlds, 2, maximum=10_000)
    if fit.plain is None:
        raise SpecError(
            "The fit has no augmentation, so there is no eta. Give the spec one: "
            "replace(spec, augmentation=Augmentation(weight=0.3))."
        )
    if isinstance(etas, str) or not isinstance(etas, Iterable):
        raise SpecError(f"etas is a list of numbers; got {shown(etas)}. Write [0.25, 0.5, 1].")
    etas = [checks.number("etas", eta) for eta in etas]
    if not etas or not all(0 < eta <= 1 for eta in etas):
        raise SpecError(f"etas lie above 0 and at most at 1; got {etas}.")
    rng = np.random.default_rng(seed)
    estimands = total_effects(fit)
    scored = np.array([_world(fit, estimands, etas, prob, rng) for _ in range(worlds)])
    hits = scored[..., 0].mean(axis=1)  # by world and eta
    sizes = scored[..., 2].mean(axis=(0, 1))
    table = pd.DataFrame(
        {
            "coverage": hits.mean(axis=0),
            "se": hits.std(axis=0, ddof=1) / np.sqrt(worlds),
            "bias": (scored[..., 1] / scored[:, :, :1, 2]).mean(axis=(0, 1)),
            "width": sizes / sizes[0],
        },
        index=pd.Index([0.0, *etas], name="eta"),
    )
    honest = table.index[table["coverage"] + table["se"] >= prob]
    best = max((float(eta) for eta in honest if eta > 0), default=None)
    return EtaCalibration(best, table, prob)


def _world(
    fit: Fit,
    estimands: Sequence[Estimand],
    etas: Sequence[float],
    prob: float,
    rng: np.random.Generator,
) -> np.ndarray:
    """Simulate one world: coverage, error of the mean, and width, by effect and eta."""
    plain = fit.plain or fit
    posterior = plain.theta()
    index = int(rng.integers(len(next(iter(posterior.values())))))
    theta = {name: values[index : index + 1] for name, values in posterior.items()}
    data, truth, lifts = _generated(plain.scm, theta, estimands, rng)
    model = build(fit.spec, data, shapes=fit.shapes)
    density = compile_jax(model)
    weight = fit.spec.augmentation.weight if fit.spec.augmentation else 0.0
    scm = compile_scm(fit.spec, data)
    scores = np.empty((len(estimands), 1 + len(etas), 3))
    for k, (share, eta) in enumerate([(0.0, 1.0), *((weight, eta) for eta in etas)]):
        exchanged = {WEIGHT: np.array(share), ETA: np.array(eta), **lifts}
        coordinates = density.coordinates(exchanged)
        x = coordinates.natural(rng.standard_normal((_DRAWS, density.start.size)))
        for j, draws in enumerate(_effects(scm, density.restore(x, exchanged), estimands)):
            low, high = np.quantile(draws, [(1 - prob) / 2, (1 + prob) / 2])
            scores[j, k] = low <= truth[j] <= high, draws.mean() - truth[j], high - low
    return scores


def _effects(
    scm: SCM, values: dict[str, np.ndarray], estimands: Sequence[Estimand]
) -> list[np.ndarray]:
    """Return draws of effects, from draws of the parameters."""
    equations = bind(scm, {p.name: values[p.name] for p in scm.parameters})
    return [np.broadcast_to(measure(equations, e), (_DRAWS,)) for e in estimands]


def _generated(
    scm: SCM, theta: Theta, estimands: Sequence[Estimand], rng: np.random.Generator
) -> tuple[Dataset, list[float], dict[str, np.ndarray]]:
    """Generate the data of a world, its true effects, and the data of its tests.

    What cannot be negative, a cost or what saturates, is zero instead, before it acts.
    """
    equations, errors = bind(scm, theta), int(rng.integers(2**31))

    # One seed for all calls: cutting a node at zero must not change the errors of the others.
    def world(do: Mapping[Node | Edge, Array]) -> dict[Node, Array]:
        replica = generate(equations, np.random.default_rng(errors), do=do)
        return {v: path[0] for v, path in replica.items()}

    cut: dict[Node | Edge, Array] = {}
    for node in scm.spec.modelled:  # causes first
        if node in scm.data.spend.values() or scm.saturates(node):
            cut[node] = np.maximum(world(cut)[node], 0)
    paths = world(cut)
    table = scm.data.table.assign({v: (scm.data.dims, path) for v, path in paths.items()})
    data = replace(scm.data, table=table)
    x = {**scm.factual, **paths}
    edges = {
        e: mechanism._replace(factual=equations.curve(e, x[e.source][None]))
        for e, mechanism in equations.edges.items()
    }
    generated = replace(equations, x=x, edges=edges)
    truth = [float(np.ravel(measure(generated, estimand))[0]) for estimand in estimands]
    return data, truth, remeasured(generated, rng)
