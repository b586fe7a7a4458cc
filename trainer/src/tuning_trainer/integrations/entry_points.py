"""What Lightning loads by its entry points in every script: the callback, where there is a tuner to report to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tuning_trainer.integrations.training import is_tuned, quietly

if TYPE_CHECKING:
    from lightning.pytorch import Callback


def lightning() -> list[Callback]:
    """Return the callbacks for a Trainer."""
    return _lightning() or []


@quietly
def _lightning() -> list[Callback]:
    if not is_tuned():
        return []
    from tuning_trainer.integrations.lightning import TuningCallback  # noqa: PLC0415 - it imports Lightning

    return [TuningCallback()]
