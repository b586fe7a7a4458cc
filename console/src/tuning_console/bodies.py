"""What the browser gets of jobs, trials, Pods and Events: the fields that are shown, in short."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tuning_console.curves import Curve, as_json, number, parse_curve, shorten
from tuning_console.questions import GROUP

if TYPE_CHECKING:
    from collections.abc import Iterable

Body = dict[str, Any]
_DECISION_NUMBERS = ("epoch", "value", "threshold")
_SOURCE, _SOURCE_MESSAGE, _GAIN = (
    f"{GROUP}/{name}" for name in ("suggestion-source", "suggestion-message", "expected-gain")
)


def job_body(job: Body, *, brief: bool = False) -> Body:
    """A job without its Pod template.

    Args:
        job: as the API server has it.
        brief: for a list: only what a row shows.
    """
    metadata, spec, status = job["metadata"], job.get("spec") or {}, job.get("status") or {}
    body = {
        "name": metadata["name"],
        "namespace": metadata["namespace"],
        "uid": metadata["uid"],
        "version": metadata["resourceVersion"],
        "created": metadata.get("creationTimestamp"),
        "deleting": "deletionTimestamp" in metadata,
        "spec": {name: value for name, value in spec.items() if name != "template"},
        "status": status,
    }
    if brief:
        body["spec"] = {name: spec[name] for name in ("objective", "limits", "strategy", "suspend") if name in spec}
        body["status"] = {name: value for name, value in status.items() if name not in _NOT_IN_ROWS}
    return body


_NOT_IN_ROWS = ("overallBestTrial", "confirmation", "suggestion", "observedGeneration", "objectiveCounts", "seed")


def trial_row(trial: Body) -> Body:
    """A trial without its curve."""
    metadata, spec, status = trial["metadata"], trial.get("spec") or {}, trial.get("status") or {}
    annotations = metadata.get("annotations") or {}
    row = {
        "name": metadata["name"],
        "number": spec.get("number"),
        "uid": metadata["uid"],
        "created": metadata.get("creationTimestamp"),
        "parameters": spec.get("parameters") or {},
        "phase": status.get("phase") or "Pending",
        "objective": _optional(status.get("objective")),
        "objectiveEpoch": status.get("objectiveEpoch"),
        "epochs": status.get("epochs"),
        "seconds": status.get("trainingSeconds"),
        "start": status.get("startTime"),
        "end": status.get("completionTime"),
        "attempt": status.get("attempt"),
        "attemptTime": status.get("attemptTime"),
        "disruptions": status.get("disruptions"),
        "failures": status.get("failures"),
        "resumptions": status.get("resumptions"),
        "reason": status.get("reason"),
        "message": status.get("message"),
        "decision": _decision(status.get("stopDecision") or _pause(status)),
        "would": _decision(status.get("wouldStop")),
        "metrics": {item["name"]: as_json(number(item["value"])) for item in status.get("metrics") or ()},
        "source": annotations.get(_SOURCE),
        "sourceMessage": annotations.get(_SOURCE_MESSAGE),
        "gain": _optional(annotations.get(_GAIN)),
        "confirms": spec.get("confirms"),
    }
    return {name: value for name, value in row.items() if value not in (None, "", {})}


def curve_body(curve: Curve) -> Body:
    """A curve in two lists."""
    return {"epochs": [as_json(epoch) for epoch in curve.epochs], "values": [as_json(value) for value in curve.values]}


def trial_body(trial: Body, points: int, *, maximize: bool) -> Body:
    """A trial with its curve, shortened."""
    return trial_row(trial) | {"curve": curve_body(short_curve(trial, points, maximize=maximize))}


def short_curve(trial: Body, points: int, *, maximize: bool) -> Curve:
    """A trial's curve with the epoch of its stop decision in it."""
    status = trial.get("status") or {}
    decision = status.get("stopDecision") or _pause(status) or status.get("wouldStop") or {}
    marked = number(decision["epoch"]) if "epoch" in decision else None
    return shorten(parse_curve(status), points, maximize=maximize, marked=marked)


def maximizes(job: Body) -> bool:
    """Whether more is better in a job."""
    return ((job.get("spec") or {}).get("objective") or {}).get("goal") != "Minimize"


def owned(trials: Iterable[Body], uid: str) -> list[Body]:
    """The trials of a job: those of an earlier job of its name are left out."""
    return [
        trial
        for trial in trials
        if any(owner.get("uid") == uid for owner in trial["metadata"].get("ownerReferences") or ())
    ]


def pod_body(pod: Body) -> Body:
    """A Pod: its conditions, and its containers' states."""
    metadata, spec, status = pod["metadata"], pod.get("spec") or {}, pod.get("status") or {}
    return {
        "name": metadata["name"],
        "created": metadata.get("creationTimestamp"),
        "deleted": metadata.get("deletionTimestamp"),
        "node": spec.get("nodeName"),
        "phase": status.get("phase"),
        "reason": status.get("reason"),
        "message": status.get("message"),
        "start": status.get("startTime"),
        "conditions": [
            {name: item.get(name) for name in ("type", "status", "reason", "message", "lastTransitionTime")}
            for item in status.get("conditions") or ()
        ],
        "containers": [
            {"name": item["name"], "image": item.get("image"), "state": _state(status, item["name"])}
            for item in spec.get("containers") or ()
        ],
        "training": _training_container(metadata, spec),
    }


def event_body(event: Body) -> Body:
    """An Event: when, what and why."""
    time = event.get("eventTime") or event.get("lastTimestamp") or event["metadata"].get("creationTimestamp")
    return {
        "time": time,
        "type": event.get("type"),
        "reason": event.get("reason"),
        "message": event.get("message"),
        "count": event.get("count") or (event.get("series") or {}).get("count") or 1,
        "about": (event.get("related") or event.get("involvedObject") or {}).get("name"),
    }


def manifest(body: Body) -> Body:
    """An object as applied and its status, without the API server's book-keeping."""
    metadata = {name: value for name, value in body["metadata"].items() if name != "managedFields"}
    return body | {"metadata": metadata}


def _state(status: Body, container: str) -> Body:
    for item in status.get("containerStatuses") or ():
        if item.get("name") == container:
            return dict(item.get("state") or {})
    return {}


def _training_container(metadata: Body, spec: Body) -> str | None:
    named = (metadata.get("annotations") or {}).get("kubectl.kubernetes.io/default-container")
    first = next((item["name"] for item in spec.get("containers") or ()), None)
    return named or first


def _optional(text: str | None) -> float | str | None:
    return None if text in (None, "") else as_json(number(text))


def _pause(status: Body) -> Body | None:
    """Why the trial is paused, or is about to be; nothing once it has been resumed."""
    decision: Body | None = status.get("pauseDecision") if status.get("phase") in {"Stopping", "Paused"} else None
    return decision


def _decision(decision: Body | None) -> Body | None:
    if not decision:
        return None
    numbers = {name: as_json(number(decision[name])) for name in _DECISION_NUMBERS if name in decision}
    return {**decision, **numbers}
