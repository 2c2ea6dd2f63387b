"""`build`: a spec and data become a plain `pymc.Model` that reads like the graph."""

from __future__ import annotations

import warnings
from collections.abc import Mapping

import pymc as pm
import pytensor.tensor as pt
from pytensor.tensor.variable import TensorVariable

from bayescausal._types import Node, Theta
from bayescausal.data.dataset import Dataset
from bayescausal.errors import FewerRowsThanParameters
from bayescausal.model.errors import Mixing, law, mixing
from bayescausal.model.lifts import add_lifts
from bayescausal.model.likelihood import correlation, observe, parameter_variable, spread, strengths
from bayescausal.model.mechanisms import stacked_curves, stacks
from bayescausal.model.scm import SCM, bind, compile_scm
from bayescausal.model.weighted import add_augmented
from bayescausal.specs.spec import Spec


def build(spec: Spec, data: Dataset, *, shapes: Mapping[str, float] | None = None) -> pm.Model:
    """Write the structural equations as a PyMC model.

    Modelled nodes are observed random variables named after the graph, and their children are
    functions of *them*: ``pm.model_to_graphviz`` shows the causal graph and PyMC's own
    predictive sampling runs down it. Parameters are ``tv->sales`` (the quantity its prior is on:
    for media the mean contribution, sampled through ``tv->sales:swing``), ``tv->sales:alpha``,
    ``search:sigma``; each experiment is ``lift:<name>``, and experiments whose errors are
    correlated are one term, ``lift:<name>+<name>`` (`lifts.terms`). Nothing is sampled here.

    Parameters
    ----------
    spec : Spec
    data : Dataset
    shapes : mapping of str to float, optional
        With augmentation: see `weighted.augmented_rows`.

    Returns
    -------
    pymc.Model
        With dims ``(time,)`` or ``(unit, time)`` and coords; the data are `pymc.Data`: inputs
        under the node's name, modelled nodes under ``<node>:observed``.

    Raises
    ------
    DataError, SpecError
        The spec and the data do not fit.

    Warns
    -----
    FewerRowsThanParameters
        When there are fewer observations of a node than parameters in its equation.
    OverlappingExperiments
        When two tests share channel, units and weeks, and state no covariance.

    Notes
    -----
    Source: MODEL.md sections 3 and 7.

    Examples
    --------
    >>> import bayescausal as bc
    >>> example = bc.load_example()
    >>> model = bc.build(example.spec, example.data)
    >>> [v.name for v in model.observed_RVs]
    ['search', 'sales', 'lift:tv_winter', 'lift:social_autumn']
    """
    return write(compile_scm(spec, data), shapes=shapes)


def write(scm: SCM, *, shapes: Mapping[str, float] | None = None) -> pm.Model:
    """Write the model of equations whose constants are known; see `build`."""
    spec, data = scm.spec, scm.data
    _count(scm)
    start = data.history
    coords = dict(scm.coords)
    if start:
        coords |= {"time": data.training, "time:history": data.time}
    every = tuple("time:history" if start and d == "time" else d for d in data.dims)
    with pm.Model(coords=coords) as model:
        path: dict[Node, TensorVariable] = {
            v: pm.Data(f"{v}:observed" if v in spec.modelled else v, data.array(v), dims=every)
            for v in (*spec.inputs, *spec.modelled)
        }
        theta, mix = _parameters(scm, path)
        equations = bind(scm, theta, path, pt)
        shocks: Theta = {}

        def settle(node: Node, mu: TensorVariable) -> TensorVariable:
            observed = path[node][..., start:]
            eta = scm.link(node, observed, pt)
            law_of_node = law(scm, theta, mix, shocks, node, mu[..., start:], eta, pt)
            shocks[node] = law_of_node.shock
            variable = observe(scm, node, law_of_node, theta, observed)
            history = path[node][..., :start]
            return pt.concatenate([history, variable], axis=-1) if start else variable

        equations.forward(settle)
        add_lifts(equations)
        if spec.augmentation and spec.augmentation.weight:
            add_augmented(equations, mix, shapes)
    return model


def _parameters(scm: SCM, path: Mapping[Node, TensorVariable]) -> tuple[Theta, Mixing]:
    """Make every free parameter, inside a model context, and the mixing of correlated errors."""
    spec = scm.spec
    theta: Theta = {}
    causes = {name for cause in spec.confounders for name in cause.priors}
    theta |= {p.name: correlation(p) for p in scm.parameters if p.name in causes}
    mix = mixing(scm, theta, pt)
    correlated = {f"{node}:sigma": node for node, row in mix.items() if len(row) > 1}
    media = [s for s in stacks(scm) if spec.mechanisms[s[0]].transforms]
    follow = {str(e) for stack in media for e in stack}
    for parameter in (p for p in scm.parameters if p.name not in causes | follow):
        if parameter.name in correlated:
            node = correlated[parameter.name]
            theta[parameter.name] = spread(node, parameter, mix[node][node])
        else:
            theta[parameter.name] = parameter_variable(parameter, theta)
    priors = {p.name: p.prior for p in scm.parameters}
    for stack in media:  # their swings need the shapes of the curves
        f = stacked_curves(scm, stack, theta, path, pt)
        variables = strengths(scm, stack, [priors[str(e)] for e in stack], f)
        theta |= dict(zip(map(str, stack), variables, strict=True))
    return theta, mix


def _count(scm: SCM) -> None:
    spec, rows = scm.spec, len(scm.data.training) * max(1, len(scm.data.units))
    sizes = {}
    for node in spec.modelled:
        equation = {str(e) for e in spec.structure.incoming(node)} | {node}
        sizes[node] = sum(p.size for p in scm.parameters if p.name.split(":")[0] in equation)
        if sizes[node] > rows:
            _warn(f"The equation of '{node}' has {sizes[node]} parameters for {rows} rows")
    for district in spec.structure.districts:
        members = [v for v in district if v in sizes]
        loadings = [p for c in spec.confounders if {*c.nodes} <= {*members} for p in c.priors]
        total = sum(sizes[v] for v in members) + len(loadings)
        if len(members) > 1 and total > rows and max(sizes[v] for v in members) <= rows:
            _warn(
                f"Unobserved causes tie {', '.join(members)} together: {total} parameters, "
                f"{len(loadings)} of them for the causes, learn from {rows} rows"
            )


def _warn(problem: str) -> None:
    warnings.warn(
        f"{problem}: the prior decides much of the answer. Use fewer baseline terms, plainer "
        "responses or fewer <->, or more data.",
        FewerRowsThanParameters,
        stacklevel=5,
    )
