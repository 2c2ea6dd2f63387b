"""Refit without some of the tests, and measure how much precision each of them adds.

The table of `evidence` is a diagnostic: it reduces draws to precisions, which are no effects.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
import pandas as pd

from bayescausal import checks
from bayescausal._types import Draws
from bayescausal.errors import NotConverged, SpecError
from bayescausal.experiments.estimand import Estimand
from bayescausal.inference.fit import Fit, effect_draws
from bayescausal.inference.verb import verb
from bayescausal.queries.effects import effect
from bayescausal.queries.questions import checked_estimand, require_defined, require_variance
from bayescausal.validation.compiled_refits import refit_without
from bayescausal.validation.importance_sampling import required


@verb
def leave_out(fit: Fit, name: str | Sequence[str], *, seed: int | None = None) -> Fit:
    """Fit again without a test, or several: what `check_experiments` approximates.

    Settings are those of the fit, and one compilation serves all calls for one fit, see
    `bayescausal.validation.compiled_refits.refit_without`. It samples: seconds to tens of seconds.

    Parameters
    ----------
    fit : Fit
    name : str or sequence of str
        Tests to leave out. One that a covariance ties to others leaves these in, with their own
        errors; `check_experiments` leaves the whole group out.
    seed : int, optional

    Returns
    -------
    Fit

    Raises
    ------
    SpecError
        There is no such experiment, or none is named.

    Examples
    --------
    >>> import bayescausal as bc
    >>> bc.leave_out(fit, "tv_spring", seed=1)  # doctest: +SKIP
    """
    names = checks.names("leave_out: name", name)
    if not names:
        raise SpecError("leave_out needs the name of at least one experiment; got none.")
    return refit_without(fit, names, seed)


@verb
def evidence(fit: Fit, estimand: Estimand | str, seed: int | None = None) -> pd.DataFrame:
    """Split the precision of an effect into prior, observational data, and each test.

        precision = 1 / Var[effect];   gain of a source = precision with it - precision before it

    The order matters and is: the prior; the data; then the tests, in the order of the spec. Of two
    tests that say the same the first is credited with more, so ``loss`` says what each is worth
    when it alone is left out. A gain can be negative: a test that contradicts the rest, or an
    effect that is not linear in its parameters, can widen the posterior.

    Parameters
    ----------
    fit : Fit
    estimand : Estimand, or the name of a treatment
        The effect; its cost has no variance, ask its return.
    seed : int, optional
        Of the refits: at most ``2 n - 1`` for n tests, of one compiled model.

    Returns
    -------
    pandas.DataFrame
        ``source``; ``sd`` of the effect with this source and all above it; ``precision``, its
        gain; ``share`` of the final precision, shares add up to 1; ``loss``, the precision that
        is lost without this test alone; ``status``, what the graph and the tests so far identify.
        Its attributes are the ``estimand`` in words, and the ``problem``: which of the fits have
        not converged, empty when all have; they are warned of too. `plot_evidence` draws it.

    Raises
    ------
    SpecError
        The fit has no experiments, or the effect is asked as a cost.
    DataError
        A percentage that is undefined in draws of the prior.

    Notes
    -----
    The relative Monte-Carlo error of a precision is about sqrt(2 / ESS), 5 percent at 800 draws;
    a smaller share is noise.
    The prior's own precision is that of 500 draws, and poor where its tails are heavy.

    Examples
    --------
    >>> import bayescausal as bc
    >>> bc.evidence(fit, bc.incremental("tv"), seed=1)  # doctest: +SKIP
    """
    names, estimand = [str(test.name) for test in required(fit)], checked_estimand(fit, estimand)
    require_variance("The effect", estimand)
    posterior = effect(fit, estimand)
    prior = require_defined(effect_draws(fit, estimand, "prior"), estimand, "prior")
    ahead = [tuple(names[:k]) for k in range(len(names))]
    complements = [tuple(n for n in names if n != name) for name in names]
    subsets = list(dict.fromkeys([*ahead, *complements]))
    seeds = np.random.SeedSequence(seed).generate_state(len(subsets))
    spread: dict[tuple[str, ...], tuple[float, str]] = {tuple(names): _spread(posterior, estimand)}
    problems = [] if fit.convergence.converged else [str(fit.convergence)]
    remarks = [fit.convergence.remark] if fit.convergence.remark else []
    for subset, key in zip(subsets, seeds, strict=True):
        omitted = [name for name in names if name not in subset]
        refit = refit_without(fit, omitted, int(key))
        spread[subset] = _spread(effect(refit, estimand), estimand)
        if not refit.convergence.converged:
            problems.append(f"Without {', '.join(map(repr, omitted))}: {refit.convergence}")
    sources = ["prior", "observational data", *names]
    steps = [(float(prior.std(ddof=1)), ""), *(spread[key] for key in [*ahead, tuple(names)])]
    precision = np.array([sd**-2 for sd, _ in steps])
    gains = np.diff(precision, prepend=0.0)
    losses = [precision[-1] - spread[subset][0] ** -2 for subset in complements]
    table = pd.DataFrame(
        {
            "source": sources,
            "sd": [sd for sd, _ in steps],
            "precision": gains,
            "share": gains / precision[-1],
            "loss": [np.nan, np.nan, *losses],
            "status": [status for _, status in steps],
        }
    )
    table.attrs = {
        key: posterior.attrs[key] for key in ("estimand", "posterior") if key in posterior.attrs
    }
    table.attrs["problem"] = " ".join(dict.fromkeys([*remarks, *problems]))
    if problems:
        warnings.warn(" ".join(problems), NotConverged, stacklevel=3)
    return table


def _spread(draws: Draws, estimand: Estimand) -> tuple[float, str]:
    values = require_defined(draws.to_numpy(), estimand)
    return float(values.std(ddof=1)), str(draws["status"].item())
