"""`Allocation`: the answer of `optimize`, with its uncertainty and what it rests on."""

from __future__ import annotations

import html
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from bayescausal._types import Draws
from bayescausal.decisions.allocation_search import Price
from bayescausal.experiments.estimand import Estimand

_WIDTH = 100
_SHOWN = {
    "present": "{:,.0f}",
    "optimum": "{:,.0f}",
    "factor": "{:.2f}",
    "mroas": "{:.3g}",
    "scatter_5%": "{:,.0f}",
    "scatter_95%": "{:,.0f}",
}


@dataclass(frozen=True, eq=False)
class Allocation:
    """An allocation of spend to channels, and what is known of it.

    Parameters
    ----------
    plan : Estimand
        The world of the optimum; `counterfactual` takes its ``active``, `payoffs` a `Decision`
        that has it.
    table : pandas.DataFrame
        By channel: spend ``present`` and ``optimum``, ``factor``, marginal return at both
        (``mroas_present``, ``mroas`` with its central 90 percent), ``scatter_5%`` and
        ``scatter_95%`` of the spend that is best in single draws, bounds ``low`` and ``high``,
        ``at`` (which of them it is at, or why it is held) and ``grade``.
    schedule : pandas.DataFrame
        By channel and period of the window: spend ``present`` and ``optimum``, summed over units.
    gain : xarray.DataArray
        Draws of the value of what the plan brings more than the present one, less what paid
        mediators then cost, dims ``(chain, draw)``. Its own spend is not taken off.
    timing_gain : xarray.DataArray, optional
        The part of the gain that the best plan of the kept pattern does not bring, with the
        difference of their spend in its attribute ``spend_change``; None where the pattern is kept,
        or where no plan that keeps it does what is asked.
    spend_change : float
        Spend of the optimum less that of the present plan.
    regret : mapping of str to float
        Expected loss of the ``present`` plan and of the ``optimum`` against knowing the truth.
    binding : sequence of Price
        Constraints that bind, with their shadow prices.
    statements : sequence of str
        What must be said first.
    solved : bool
        Whether it meets the conditions of an optimum.
    title : str
        What was asked.

    See Also
    --------
    optimize : makes it.
    """

    plan: Estimand
    table: pd.DataFrame
    schedule: pd.DataFrame
    gain: Draws
    timing_gain: Draws | None
    spend_change: float
    regret: dict[str, float]
    binding: Sequence[Price]
    statements: Sequence[str]
    solved: bool
    title: str

    @property
    def factors(self) -> dict[str, float]:
        """The factor of each channel that is allocated."""
        return {str(c): float(f) for c, f in self.table["factor"].items()}

    @property
    def spend(self) -> dict[str, float]:
        """The spend of each channel, in currency."""
        return {str(c): float(f) for c, f in self.table["optimum"].items()}

    @property
    def p_gain(self) -> float:
        """The probability that the plan brings more than the present one."""
        return float((self.gain > 0).mean())

    @property
    def shadow_price(self) -> float:
        """What one more unit of the budget (or one less of the target) is worth; else 0."""
        names = ("budget at most", "target")
        return next((price.price for price in self.binding if price.name in names), 0.0)

    def to_frame(self) -> pd.DataFrame:
        """Return the table, a copy."""
        return self.table.copy()

    def __repr__(self) -> str:
        lines = [
            *self.statements,
            self.title,
            f"Gain over the present plan: {_spread(self.gain)}; spend "
            f"{round(self.spend_change) + 0:+,}.",
        ]
        if (timing := self.timing_gain) is not None:
            change = round(timing.attrs["spend_change"])
            spend = f"; spend {change:+,}" if change else ""
            lines.append(
                f"Of it beyond the best plan of the kept pattern: {_spread(timing)}{spend}."
            )
        if self.regret:
            lines.append(
                f"Expected regret: {_number(self.regret['present'])} of the present plan, "
                f"{_number(self.regret['optimum'])} of this one."
            )
        prices = ", ".join(f"{p.name} ({_number(p.price)})" for p in self.binding)
        lines.append(f"Binds, with shadow price: {prices or 'nothing'}.")
        head = [part for line in lines for part in textwrap.wrap(line, _WIDTH)]
        table = [row[:_WIDTH] for row in str(self._display_table()).splitlines()]
        return "\n".join([*head, *table])

    def _repr_html_(self) -> str:
        lines = repr(self).splitlines()[: -len(str(self._display_table()).splitlines())]
        head = "".join(f"<div>{html.escape(line)}</div>" for line in lines)
        return f"<div>{head}{self._display_table().to_html()}</div>"

    def _display_table(self) -> pd.DataFrame:
        columns = {
            name: [text.format(x) if x == x else "" for x in self.table[name]]
            for name, text in _SHOWN.items()
        }
        index = pd.Index([str(c)[:20] for c in self.table.index], name="channel")
        table = pd.DataFrame({**columns, "at": [a[:16] for a in self.table["at"]]}, index=index)
        if table["scatter_5%"].eq("").all():
            table = table.drop(columns=["scatter_5%", "scatter_95%"])
        table = table.rename(columns={"scatter_5%": "draws 5%", "scatter_95%": "to 95%"})
        return _Wide(table)


class _Wide(pd.DataFrame):
    """A table that prints every row and column."""

    def __str__(self) -> str:
        return self.to_string()


def _spread(gain: Draws) -> str:
    low, high = gain.quantile([0.05, 0.95], dim=("chain", "draw")).to_numpy()
    chance = float((gain > 0).mean())
    return (
        f"{_number(float(gain.mean()))}, 90% from {_number(low)} to {_number(high)}, "
        f"P(gain > 0) {chance:.0%}"
    )


def _number(x: float) -> str:
    return f"{float(x):,.0f}" if abs(float(x)) >= 1000 else f"{float(x):.3g}"
