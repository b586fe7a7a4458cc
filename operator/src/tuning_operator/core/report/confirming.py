"""What users see of a confirmation: in the job's status and as Events."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tuning_operator.core.lifecycle.confirm import confirmed_best
from tuning_operator.core.model.job import JobPhase
from tuning_operator.core.model.notice import Notice

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tuning_operator.core.lifecycle.confirm import Confirmation, Setting
    from tuning_operator.core.model.job import Job


def of_confirmation(job: Job, phase: JobPhase, found: Confirmation | None) -> Iterator[Notice]:
    """Events when a confirmation begins, and when it has ended."""
    if job.spec.confirm is None or found is None or not found.settings or phase is job.phase:
        return
    if phase is JobPhase.CONFIRMING and job.completion_reason is None:
        yield Notice("Confirming", outcome(job, phase, found))
    if phase is JobPhase.COMPLETED:
        best = confirmed_best(job, found.settings)
        is_doubtful = best is None or best.ignores_seeds
        yield Notice("Confirmed" if best else "NotConfirmed", outcome(job, phase, found), warning=is_doubtful)


def outcome(job: Job, phase: JobPhase, found: Confirmation) -> str:
    """Say how far a confirmation has come, or what has become of it, and whether the seeds are used."""
    message = _result(job, found) if phase.is_final else _progress(found)
    return f"{message}; {about}" if (about := _about_seeds(job, found)) else message


def _progress(found: Confirmation) -> str:
    total, ended = sum(len(each.seeds) for each in found.settings), sum(each.ended for each in found.settings)
    return f"{ended} of {total} trainings have ended: the best {len(found.settings)} settings again, with other seeds"


def _result(job: Job, found: Confirmation) -> str:
    best = confirmed_best(job, found.settings)
    if best is None:
        why = found.cut.message if found.cut else "none of them has a finite objective with every seed"
        return f"no setting is confirmed, and the best trial of the search is kept: {why}"
    message = f"{best.trial.name} wins with {_about(best)}"
    first = found.settings[0]
    if first is not best:
        message += f"; {first.trial.name}, the best of the search, has {_about(first)}"
    if found.cut:
        confirmed = sum(each.is_confirmed for each in found.settings)
        message += f"; {confirmed} of {len(found.settings)} settings are confirmed: {found.cut.message}"
    return message


def _about(setting: Setting) -> str:
    """The mean of a setting, by seeds that have a value, and its objective in the search."""
    before = f"{setting.trial.objective:.6g} in the search" if setting.trial.objective is not None else ""
    if setting.mean is None:
        return f"{before} and no value with another seed"
    spread = f" ± {setting.deviation:.2g}" if setting.deviation is not None else ""
    return f"the mean {setting.mean:.6g}{spread} over {len(setting.values)} of {len(setting.seeds)} seeds, {before}"


def _about_seeds(job: Job, found: Confirmation) -> str:
    same = [setting.trial.name for setting in found.settings if setting.ignores_seeds]
    if same:
        return f"the repetitions of {', '.join(same)} are identical: let the training set its seed from TUNING_SEED"
    is_shown_by_values = any(len(setting.values) > 1 for setting in found.settings)
    if job.spec.confirm and not job.spec.confirm.names_seed and not is_shown_by_values:
        return "the template does not refer to TUNING_SEED: only a script that reads this variable uses another seed"
    return ""
