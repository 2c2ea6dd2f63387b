"""What is allowed and seldom meant: said where a spec meets its data, and again by `diagnose`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import networkx as nx
import numpy as np

from bayescausal.data.dataset import Dataset
from bayescausal.errors import CopiedChannels, LinearPaidChannel, SpendWithoutExposure
from bayescausal.graphs.edge import Edge
from bayescausal.specs.adstock import Adstock, shift
from bayescausal.specs.spec import Spec
from bayescausal.thresholds import COPIED_CHANNEL_CORRELATION, UNEXPOSED_SPEND


class Caution(NamedTuple):
    """One thing to know before reading a number: its kind, a class of warning, and the words."""

    kind: type[UserWarning]
    words: str


def cautions(spec: Spec, data: Dataset) -> tuple[Caution, ...]:
    """Return what is allowed and seldom meant of a spec and data that fit each other."""
    paid = sorted({*data.spend} & {*spec.inputs, *spec.modelled})
    return (*_loose(paid, data), *_linear(paid, spec), *_copies(paid, spec, data))


def _loose(paid: list[str], data: Dataset) -> Iterator[Caution]:
    """Warn when much of a channel's spend lies in periods without exposure."""
    for node in paid:
        spend = data.spend_of(node)[..., data.history :]
        loose = np.where(data.array(node)[..., data.history :] > 0, 0.0, spend)
        share = loose.sum() / spend.sum()
        if share <= UNEXPOSED_SPEND:
            continue
        periods = np.flatnonzero(loose.reshape(-1, loose.shape[-1]).any(axis=0))
        yield Caution(
            SpendWithoutExposure,
            f"{share:.0%} of the spend on '{node}' (column '{data.spend[node]}') is in periods in "
            f"which '{node}' is zero: {len(periods)} periods, the first "
            f"{data.training[periods[0]].date()}. Returns count it: it is spread over the exposure "
            "of its unit. If exposure is missing there, fill it in; if this is spend that exposure "
            "does not cause, leave it out of the column.",
        )


def _linear(paid: list[str], spec: Spec) -> Iterator[Caution]:
    """Warn when a paid channel, other than a pure mediator, has no response of its own."""
    for node in sorted({*paid} - ({*spec.mediators} - {*spec.treatments})):
        edges = [edge for edge in spec.mechanisms if edge.source == node]
        if not edges or {node, *map(str, edges)} & {*spec.responses}:
            continue
        yield Caution(
            LinearPaidChannel,
            f"'{node}' is paid for and has no Response: it acts in proportion to its exposure, "
            "without saturation and with no carry-over, so its average return is its marginal "
            f"one. Give it a curve, responses={{'{node}': Response(GeometricAdstock(), "
            f"HillSaturation())}}; or say that this is meant, responses={{'{node}': Response()}}.",
        )


def _copies(paid: list[str], spec: Spec, data: Dataset) -> Iterator[Caution]:
    """Warn when channels into one node run in step, as they are or after carry-over."""
    warned = set()
    for target in spec.modelled:
        edges = [
            e for e in spec.structure.incoming(target) if e.source in (*paid, *spec.treatments)
        ]
        alike = nx.Graph()
        for series in (_series(edges, spec, data, carried=False), _series(edges, spec, data)):
            for i, j in zip(*np.triu_indices(len(edges), k=1), strict=True):
                r, a, b = _correlation(series[i], series[j]), edges[i].source, edges[j].source
                if abs(r) > COPIED_CHANNEL_CORRELATION and a != b:
                    strongest = alike.edges[a, b]["r"] if alike.has_edge(a, b) else r
                    alike.add_edge(a, b, r=max(r, strongest, key=abs))
        for group in map(sorted, nx.connected_components(alike)):
            if tuple(group) in warned:
                continue
            warned.add(tuple(group))
            rs = [r for *_, r in alike.subgraph(group).edges(data="r")]
            names = [f"'{name}'" for name in group]
            yield Caution(
                CopiedChannels,
                f"{', '.join(names[:-1])} and {names[-1]} run in step (correlation "
                f"{min(rs, key=abs):.3f}): data tell their effect on '{target}' together, and "
                "priors how it is divided among them. Ask for the whole, effect(fit, "
                f"incremental({group})). A lift test of one of them would divide it; where it "
                "need not be divided, add them up in one column.",
            )


def _series(edges: list[Edge], spec: Spec, data: Dataset, carried: bool = True) -> list[np.ndarray]:
    """Return what acts along each edge in the training data, dims ``(unit, time)``.

    Centered and of length one in each unit. Carry-over is that of the medians of its priors.
    """
    paths = []
    for edge in edges:
        x = np.atleast_2d(data.array(edge.source))
        for step in spec.mechanisms[edge].transforms if carried else ():
            if isinstance(step, Adstock):
                theta = {name: np.array(prior.median) for name, prior in step.priors.items()}
                x = step.apply(np, x, theta, depth=x.ndim)
        x = shift(np, x, edge.lag, x.mean(axis=-1, keepdims=True))[..., data.history :]
        x = x - x.mean(axis=-1, keepdims=True)
        length = np.sqrt((x**2).sum(axis=-1, keepdims=True))
        paths.append(x / np.where(length > 0, length, 1.0))
    return paths


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Return the mean correlation within the units in which either varies."""
    varies = (a.any(axis=-1) | b.any(axis=-1)).sum()
    return float((a * b).sum() / max(varies, 1))
