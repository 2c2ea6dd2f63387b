"""How much of an effect the data have not seen."""

from __future__ import annotations

from bayescausal._types import Draws
from bayescausal.errors import SpecError
from bayescausal.experiments.estimand import Estimand
from bayescausal.identification.question import is_removal
from bayescausal.inference.fit import Fit, extrapolated_share_draws
from bayescausal.inference.verb import verb
from bayescausal.queries.questions import attributes_of, checked_estimand, grade_of
from bayescausal.queries.worlds import label


@verb
def extrapolated_share(fit: Fit, estimand: Estimand | str) -> Draws:
    """Return draws of the share of an effect below the lowest exposure that was observed.

        sum (Y(do(x = c)) - Y(do(x = 0))) / sum (Y - Y(do(x = 0)))

    Both worlds keep the errors of the data. Along each edge out of the channel, c is the lowest
    exposure, carried over, that any period showed (of any unit of a panel, each on its own scale).
    Zero where the channel was dark for longer than it carries over; near one where it was always on
    and saturates: there the effect "against nothing" is the form of the curve. Its median is the
    column ``extrapolated_share`` of every table of total effects.

    Not a part of the effect that is wrong: what lies below may be as the curve says.

    Parameters
    ----------
    fit : Fit
    estimand : Estimand, or the name of a treatment
        What takes exposure away: factual against ``do(x = 0)``.

    Returns
    -------
    xarray.DataArray
        Dims ``(chain, draw)``; NaN in draws without any effect.

    Raises
    ------
    SpecError
        Another contrast, of which no part is below the exposure observed.

    Notes
    -----
    Source: MODEL.md section 10.8.

    Examples
    --------
    >>> import bayescausal as bc
    >>> bc.summarize(bc.extrapolated_share(fit, "tv"))  # doctest: +SKIP
    """
    question = checked_estimand(fit, estimand)
    if not is_removal(question):
        raise SpecError(
            f"{question!r} does not take exposure away, so no part of it is below what was "
            "observed. Ask incremental('tv'), or its window and units."
        )
    grade = grade_of(fit, question, strict=False)
    attributes = attributes_of(fit, question, grade)
    values = extrapolated_share_draws(fit, question)
    return label(fit, values, (), {}, question.label, grades=grade, **attributes)
