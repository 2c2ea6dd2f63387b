"""Unobserved common causes enter the model as factors of correlated errors."""

from __future__ import annotations

from dataclasses import dataclass

from bayescausal._types import Node
from bayescausal.errors import SpecError
from bayescausal.specs.prior import CORRELATED, Prior, check_prior

CORRELATION = Prior("TruncatedNormal", mu=0.0, sigma=0.5, lower=-1, upper=1)
"""Of a correlation of errors: most likely moderate, of either sign, any value possible."""


@dataclass(frozen=True)
class Confounder:
    """One unobserved cause of two nodes or more, as a factor of their errors.

        e_v = sigma_v (sum_k w_vk F_k + eps_v) / sqrt(1 + sum_k w_vk^2)

    A pair has one parameter, ``search<->tv``: the correlation of its two errors when neither node
    has another unobserved cause. With more causes at a node their shares add up to less than its
    variance: ``rho_k = u_k / sqrt(D_v D_w)``, ``D_v = 1 + (1 - |u_k|) sum_{j != k} w_vj^2``. A
    factor of three nodes or more has one loading each, ``a<->b<->c:b``, the correlation of the
    error of ``b`` with the cause, again when it is the only one; the first is positive, which
    settles the sign. The covariance is positive definite for all parameters in (-1, 1), and
    nodes that share no cause stay uncorrelated.

    Parameters
    ----------
    nodes : tuple of str
        Sorted.
    prior : Prior
        Of the correlation, or of each loading.

    Source: MODEL.md section 4.
    """

    nodes: tuple[Node, ...]
    prior: Prior = CORRELATION

    def __post_init__(self) -> None:
        check_prior(f"The correlation {self.name}", self.prior, CORRELATED)
        if len(self.nodes) > 2 and self.prior.support[1] <= 0:
            raise SpecError(
                f"correlations['{self.name}'] is a prior of loadings, of which the first is "
                f"positive to settle the sign; got {self.prior!r}. Give it an upper bound above 0."
            )

    @property
    def name(self) -> str:
        """The nodes joined by ``<->``; names the parameter of a pair."""
        return "<->".join(self.nodes)

    @property
    def priors(self) -> dict[str, Prior]:
        """Priors of the parameters, by full name."""
        if len(self.nodes) == 2:
            return {self.name: self.prior}
        first, *remainder = self.nodes
        positive = self.prior
        if positive.support[0] < 0:
            positive = Prior(positive.distribution, **dict(positive.parameters) | {"lower": 0.0})
        return {
            f"{self.name}:{first}": positive,
            **{f"{self.name}:{v}": self.prior for v in remainder},
        }
