"""TuningTrial: from the API server's JSON to a core value, and back."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from tuning_operator.api import names
from tuning_operator.api.values import display_number, parse_number, printable, render_number, render_time, time_in
from tuning_operator.core.model.conditions import MAX_MESSAGE
from tuning_operator.core.model.curves import Curve, Measurement, as_epoch
from tuning_operator.core.model.job import stable_hash
from tuning_operator.core.model.trial import StopDecision, Trial, TrialPhase, TrialStatus

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from tuning_operator.core.model.job import Job
    from tuning_operator.core.model.spec import JobSpec
    from tuning_operator.core.suggest import Suggestion


class InvalidTrialError(ValueError):
    """A trial that passed the API server but is not understood here; the message names it."""


def parse_trial(body: Mapping[str, Any], spec: JobSpec) -> Trial:
    """Parse a TuningTrial of a job with this specification.

    Raises:
        InvalidTrialError: The parameters do not lie in the space, or the status is not understood.
    """
    try:
        return _parse(body, spec)
    except KeyError as error:
        raise InvalidTrialError(f"TuningTrial {body['metadata']['name']}: the field {error} is missing") from error
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidTrialError(f"TuningTrial {body['metadata']['name']}: {error}") from error


def _parse(body: Mapping[str, Any], job: JobSpec) -> Trial:
    metadata, spec = body["metadata"], body["spec"]
    annotations = metadata.get("annotations") or {}
    gain, message = _suggested(annotations)
    return Trial(
        name=metadata["name"],
        number=spec["number"],
        parameters=job.space.parse(spec["parameters"]),
        seed=spec["seed"],
        suggestion_source=annotations.get(names.ANNOTATION_SUGGESTION_SOURCE, ""),
        suggestion_message=message,
        expected_gain=gain,
        best_for=job.objective.best_for,
        confirms=spec.get("confirms"),
        uid=metadata["uid"],
        resource_version=metadata["resourceVersion"],
        deleting="deletionTimestamp" in metadata,
        status=parse_status(body.get("status") or {}),
    )


def parse_status(status: Mapping[str, Any]) -> TrialStatus:
    """Parse a TuningTrial's status; fields that are missing have their initial values."""
    return TrialStatus(
        phase=TrialPhase(status.get("phase") or TrialPhase.PENDING),
        attempt=status.get("attempt", 1),
        attempt_time=time_in(status, "attemptTime"),
        attempt_uid=status.get("podUID"),
        reporter=status.get("reporter"),
        disruptions=status.get("disruptions", 0),
        failures=status.get("failures", 0),
        start_time=time_in(status, "startTime"),
        completion_time=time_in(status, "completionTime"),
        training_seconds=status.get("trainingSeconds", 0),
        curve=_parse_curve(status.get("curve") or {}, status.get("epochs", 0)),
        metrics={
            item["name"]: Measurement(as_epoch(item["epoch"]), parse_number(item["value"]))
            for item in status.get("metrics") or ()
        },
        stop=_parse_stop(status.get("stopDecision")),
        would_stop=_parse_stop(status.get("wouldStop")),
        pause=_parse_stop(status.get("pauseDecision")),
        resumptions=status.get("resumptions", 0),
        resume_epoch=as_epoch(status["resumeEpoch"]) if "resumeEpoch" in status else None,
        repeated_epochs=status.get("repeatedEpochs", 0),
        reason=status.get("reason"),
        message=status.get("message"),
    )


def render_status(trial: Trial, now: datetime) -> dict[str, Any]:
    """Render a trial's status; fields without a value are None, so that a merge patch removes them."""
    status = trial.status
    measured = trial.measured
    return {
        "phase": status.phase,
        "attempt": status.attempt,
        "attemptTime": render_time(status.attempt_time) if status.attempt_time else None,
        "podUID": status.attempt_uid,
        "reporter": status.reporter,
        "disruptions": status.disruptions,
        "failures": status.failures,
        "startTime": render_time(status.start_time) if status.start_time else None,
        "completionTime": render_time(status.completion_time) if status.completion_time else None,
        "trainingSeconds": status.training_seconds,
        "runtimeSeconds": round(status.seconds(now)),
        "objective": render_number(measured.value) if measured else None,
        "objectiveEpoch": measured.epoch if measured else None,
        "display": display_number(measured.value) if measured else None,
        "objectiveStatus": _objective_status(trial),
        "epochs": status.curve.count,
        "curve": {
            "epochs": [as_epoch(epoch) for epoch in status.curve.epochs.tolist()],
            "values": [render_number(value) for value in status.curve.values.tolist()],
            "thinned": status.curve.thinned or None,
        },
        "metrics": [
            {"name": name, "epoch": epoch, "value": render_number(value)}
            for name, (epoch, value) in sorted(status.metrics.items())
        ],
        "stopDecision": _render_stop(status.stop),
        "wouldStop": _render_stop(status.would_stop),
        "pauseDecision": _render_stop(status.pause),
        "resumptions": status.resumptions or None,
        "resumeEpoch": status.resume_epoch,
        "repeatedEpochs": status.repeated_epochs or None,
        "reason": status.reason,
        "message": status.message[:MAX_MESSAGE] if status.message else None,
    }


def new_trial(job: Job, suggestion: Suggestion) -> dict[str, Any]:
    """Build the TuningTrial that commits a suggestion: the intent, recorded before any Pod exists."""
    parameters = job.spec.space.render(suggestion.parameters)
    return {
        "apiVersion": names.API_VERSION,
        "kind": names.TRIAL_KIND,
        "metadata": {
            "name": names.trial_name(job.name, suggestion.number),
            "namespace": job.namespace,
            "labels": names.job_labels(job.name),
            "annotations": {
                names.ANNOTATION_SUGGESTION_SOURCE: suggestion.source,
                names.ANNOTATION_SUGGESTION_MESSAGE: suggestion.message[:MAX_MESSAGE],
                **_expected_gain(suggestion),
            },
            "ownerReferences": [names.owner_reference(names.JOB_KIND, job.name, job.uid)],
        },
        "spec": {
            "number": suggestion.number,
            "parameters": parameters,
            "seed": stable_hash(job.seed, suggestion.number) if suggestion.seed is None else suggestion.seed,
            **({} if suggestion.confirms is None else {"confirms": suggestion.confirms}),
        },
    }


def _expected_gain(suggestion: Suggestion) -> dict[str, str]:
    gain = suggestion.expected_gain
    return {names.ANNOTATION_EXPECTED_GAIN: f"{gain:.6g}"} if math.isfinite(gain) else {}


def _suggested(annotations: Mapping[str, str]) -> tuple[float, str]:
    """The gain that was expected, and the suggestion's message. A gain that is no number is unknown."""
    message = annotations.get(names.ANNOTATION_SUGGESTION_MESSAGE, "")
    written = annotations.get(names.ANNOTATION_EXPECTED_GAIN, "+Inf")
    try:
        gain = parse_number(written)
    except ValueError:
        gain = math.nan
    if math.isnan(gain):
        note = f"expected gain unknown: the annotation {names.ANNOTATION_EXPECTED_GAIN} is {printable(written, 40)!r}"
        return math.inf, f"{message}; {note}" if message else note
    return gain, message


def _objective_status(trial: Trial) -> str:
    if not trial.phase.is_final:
        return "Pending"
    return "Failed" if trial.objective is None else "Succeeded"


def _parse_curve(curve: Mapping[str, Any], count: int) -> Curve:
    epochs, values = (() if curve.get(name) is None else curve[name] for name in ("epochs", "values"))
    if len(epochs) != len(values):
        raise ValueError(f"its curve has {len(epochs)} epochs and {len(values)} values")
    left_out = max(1, count - len(epochs)) if curve.get("thinned") else 0
    if isinstance(values, list):  # else the arrays of a compact trial, which are read at no cost
        values = [float(value) for value in values]
    return Curve.from_lists(epochs, values, left_out)


def _parse_stop(stop: Mapping[str, Any] | None) -> StopDecision | None:
    if not stop:
        return None
    return StopDecision(
        reason=stop["reason"],
        message=stop.get("message", ""),
        epoch=as_epoch(stop["epoch"]) if "epoch" in stop else None,
        value=parse_number(stop["value"]) if "value" in stop else None,
        threshold=parse_number(stop["threshold"]) if "threshold" in stop else None,
    )


def _render_stop(stop: StopDecision | None) -> dict[str, Any] | None:
    if stop is None:
        return None
    rendered: dict[str, Any] = {"reason": stop.reason, "message": stop.message[:MAX_MESSAGE]}
    if stop.epoch is not None:
        rendered["epoch"] = stop.epoch
    if stop.value is not None:
        rendered["value"] = render_number(stop.value)
    if stop.threshold is not None:
        rendered["threshold"] = render_number(stop.threshold)
    return rendered
