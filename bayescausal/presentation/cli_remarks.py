"""What every command says on stderr of a fit: its state, and what its numbers do not rest on."""

from __future__ import annotations

import math
import sys
from typing import Any

import bayescausal as bc
from bayescausal import presentation


def strict_row(row: dict[str, Any]) -> dict[str, Any]:
    """Replace NaN and infinity, which JSON does not have, by null."""
    return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in row.items()}


def standing(fit: Any) -> dict[str, Any]:
    """Return the columns of a table that say whether a fit has converged, or is a draft."""
    state = fit.convergence
    return {"converged": state.converged, **({"draft": state.method} if state.is_draft else {})}


def say_everything(fit: Any) -> None:
    """Say the state of a fit, what is not identified, what disagrees, what augmentation moved."""
    say_state(fit)
    say_unidentified(fit)
    say_conflicts(fit)
    say_moved(fit)


def say_state(fit: Any) -> None:
    """Say that a fit has not converged, or is a draft."""
    if fit.convergence.remark:
        print(fit.convergence, file=sys.stderr)


def say_unidentified(fit: Any) -> None:
    """Say which total effects the graph does not identify, and what would settle them."""
    effects = presentation.evidence_text.verdicts(fit.spec, spend=fit.data.spend)
    for advice in presentation.evidence_text.unidentified(effects):
        print(f"NOT IDENTIFIED: {advice}", file=sys.stderr)


def say_conflicts(fit: Any) -> None:
    """Say which tests disagree with the rest of the fit."""
    for conflict in bc.conflicts(fit) if fit.spec.experiments else ():
        print(f"CONFLICT: {conflict.sentence}", file=sys.stderr)


def say_moved(fit: Any) -> None:
    """Say which effects augmentation moved."""
    if fit.plain is not None:
        for sentence in presentation.augmentation_section.moved_effects(
            bc.compare_augmentation(fit)
        ):
            print(f"MOVED: {sentence}", file=sys.stderr)
