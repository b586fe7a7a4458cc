"""What a job's status says of its best trial, and of the confirmation of its best settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tuning_operator.api.values import display_number, render_number
from tuning_operator.core.model.conditions import MAX_MESSAGE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tuning_operator.core.lifecycle.confirm import Setting
    from tuning_operator.core.model.parent import BestTrial
    from tuning_operator.core.report.summary import ConfirmationStatus, JobStatus


def render_best(summary: JobStatus, trial_texts: Mapping[str, str], model_folder: str | None) -> dict[str, Any]:
    """Render the fields bestTrial, overallBestTrial and confirmation, as far as there is something to say.

    Args:
        summary: The job, summed up.
        trial_texts: The best trial's parameters as texts.
        model_folder: Where the best trial was let to leave its models, if that is known.
    """
    rendered: dict[str, Any] = {}
    measured = summary.best.measured if summary.best else None
    if summary.best and measured:
        rendered["bestTrial"] = {
            "name": summary.best.name,
            "objective": render_number(measured.value),
            "display": display_number(measured.value),
            "epoch": measured.epoch,
            "parameters": dict(trial_texts),
            **({"modelFolder": model_folder} if model_folder else {}),
        }
    if summary.overall_best:
        rendered["overallBestTrial"] = _overall_best(summary.overall_best)
    if summary.confirmation:
        rendered["confirmation"] = _confirmation(summary.confirmation)
        best = summary.confirmation.best
        if best:
            rendered["bestTrial"] |= {"display": _display(best), "confirmation": _spread(best)}
    return rendered


def _overall_best(best: BestTrial) -> dict[str, Any]:
    return {
        "job": best.job,
        "name": best.name,
        "objective": render_number(best.objective),
        "epoch": best.epoch,
        "parameters": dict(best.parameters),
    }


def _confirmation(found: ConfirmationStatus) -> dict[str, Any]:
    total, ended = sum(len(each.seeds) for each in found.settings), sum(each.ended for each in found.settings)
    return {
        "progress": f"{ended}/{total}",
        "message": found.message[:MAX_MESSAGE],
        "settings": [
            {
                "trial": setting.trial.name,
                "objective": render_number(setting.trial.objective or 0.0),
                "confirmed": setting.is_confirmed,
                **_spread(setting),
            }
            for setting in found.settings
        ],
    }


def _spread(setting: Setting) -> dict[str, Any]:
    """The mean and the standard deviation of a setting's repetitions, as far as there are enough for them."""
    texts = {"mean": setting.mean, "standardDeviation": setting.deviation}
    rendered = {name: render_number(value) for name, value in texts.items() if value is not None}
    return {**rendered, "repetitions": len(setting.values)}


def _display(setting: Setting) -> str:
    return f"{display_number(setting.mean or 0.0)}±{setting.deviation or 0.0:.2g}"
