"""Specs that claim the same of causes and another form: what a specification curve is made of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from itertools import product

from bayescausal import checks
from bayescausal._types import Node
from bayescausal.data.dataset import Dataset
from bayescausal.errors import BayesCausalError
from bayescausal.graphs.edge import Edge
from bayescausal.inference.evidence import Evidence, totals
from bayescausal.inference.fit import Fit
from bayescausal.inference.verb import verb
from bayescausal.specs.adstock import Adstock, GeometricAdstock, NoAdstock, WeibullPDFAdstock
from bayescausal.specs.response import Response
from bayescausal.specs.saturation import (
    HillSaturation,
    LogisticSaturation,
    MichaelisMentenSaturation,
    NoSaturation,
    RootSaturation,
    Saturation,
)
from bayescausal.specs.spec import Spec
from bayescausal.specs.transform import Transform

ADSTOCKS: tuple[type[Adstock], ...] = (GeometricAdstock, WeibullPDFAdstock, NoAdstock)
SATURATIONS: tuple[type[Saturation], ...] = (
    HillSaturation,
    LogisticSaturation,
    MichaelisMentenSaturation,
    RootSaturation,
    NoSaturation,
)
"""Forms that are tried: of each kind the usual ones, and none."""


@verb
def alternative_specs(fit: Fit, *, crossed: bool = False) -> dict[str, Spec]:
    """Return specs with another form of the responses, other lags, or another admissible set.

    Each differs from the spec of the fit in one thing: the adstock of all media, their saturation,
    media that act a period later, or one recorded cause that is left out where the effects stay
    identified without it. Priors of new forms are their defaults; what is claimed of causes is the
    same. They are no models to choose from: each of them has to say the same for a number to stand
    on its own feet.

    Parameters
    ----------
    fit : Fit
    crossed : bool
        Also each adstock with each saturation.

    Returns
    -------
    dict of str to Spec
        By what differs; without those that are the spec of the fit.

    Examples
    --------
    >>> import bayescausal as bc
    >>> list(bc.alternative_specs(fit))  # doctest: +SKIP
    ['adstock Weibull PDF', 'saturation Logistic', 'media a period later', 'without price']
    """
    crossed = checks.flag("alternative_specs: crossed", crossed)
    return dict(_different(fit.spec, _candidates(fit.spec, fit.data, crossed)))


def _candidates(
    spec: Spec, data: Dataset, crossed: bool
) -> Iterator[tuple[str, Callable[[], Spec | None]]]:
    """Yield names of alternatives, and what makes them."""
    for adstock in ADSTOCKS:
        yield f"adstock {words(adstock)}", partial(with_forms, spec, adstock, None)
    for saturation in SATURATIONS:
        yield f"saturation {words(saturation)}", partial(with_forms, spec, None, saturation)
    yield "media a period later", partial(later, spec)
    acting = {*spec.treatments, *data.spend, *spec.mediators, *spec.measured}
    for node in spec.inputs:
        if node not in acting:
            yield f"without {node}", partial(without, spec, data, node)
    for adstock, saturation in product(ADSTOCKS, SATURATIONS) if crossed else ():
        name = f"adstock {words(adstock)}, saturation {words(saturation)}"
        yield name, partial(with_forms, spec, adstock, saturation)


def _different(
    spec: Spec, candidates: Iterable[tuple[str, Callable[[], Spec | None]]]
) -> Iterator[tuple[str, Spec]]:
    """Yield the candidates that are specs, differ from this one and from those before them."""
    known = [spec]
    for name, build in candidates:
        try:
            candidate = build()
        except BayesCausalError:  # such a form does not fit the rest of the spec
            continue
        if candidate is not None and candidate not in known:
            known.append(candidate)
            yield name, candidate


def words(kind: type[Transform]) -> str:
    """Name a form: ``Weibull PDF`` for ``WeibullPDFAdstock``.

    Examples
    --------
    >>> words(WeibullPDFAdstock), words(NoSaturation), words(MichaelisMentenSaturation)
    ('Weibull PDF', 'none', 'Michaelis-Menten')
    """
    name = kind.__name__.removesuffix("Adstock").removesuffix("Saturation")
    plain = {"No": "none", "WeibullPDF": "Weibull PDF", "MichaelisMenten": "Michaelis-Menten"}
    return plain.get(name, name)


def with_forms(
    spec: Spec, adstock: type[Adstock] | None, saturation: type[Saturation] | None
) -> Spec:
    """Return a spec whose media have these forms; None leaves a form as it is."""
    responses = {
        key: _reformed(response, adstock, saturation) for key, response in spec.responses.items()
    }
    return replace(spec, responses=responses)


def _reformed(
    response: Response, adstock: type[Adstock] | None, saturation: type[Saturation] | None
) -> Response:
    steps: list[Transform] = []
    for step in response.transforms:
        if isinstance(step, Adstock) and adstock not in (None, type(step)):
            steps.append(
                NoAdstock() if adstock is NoAdstock else adstock(step.l_max, step.normalize)
            )
        elif isinstance(step, Saturation) and saturation not in (None, type(step)):
            steps.append(saturation())
        else:
            steps.append(step)
    return Response(*steps, strength=response.strength, spread=response.spread)


def later(spec: Spec) -> Spec | None:
    """Return a spec whose media act a period later on everything; None where there are none."""
    media = {e for e, r in spec.mechanisms.items() if r.transforms and e in spec.graph.edges}
    if not media:
        return None
    moved = {e: Edge(e.source, e.target, e.lag + 1) if e in media else e for e in spec.graph.edges}
    responses = {
        str(moved.get(Edge.parse(key), key)) if "->" in key else key: response
        for key, response in spec.responses.items()
    }
    return replace(
        spec, graph=replace(spec.graph, edges=tuple(moved.values())), responses=responses
    )


def without(spec: Spec, data: Dataset, node: Node) -> Spec | None:
    """Return a spec in which a cause is not recorded; None where an effect needs it.

    An effect needs it where, without it, its status would be another one, or errors would share it
    as an unobserved cause.
    """
    latent = spec.graph.latent
    only = replace(spec.graph, latent=frozenset({node})).project()  # other latents stay nodes
    graph = replace(only, latent=latent)
    if graph.project().bidirected != spec.graph.project().bidirected:
        return None
    reduced = replace(spec, graph=graph)
    before, after = Evidence(spec), Evidence(reduced)
    for estimand in totals(spec, data).values():
        if before.verdict(estimand).status != after.verdict(estimand).status:
            return None
    return reduced
