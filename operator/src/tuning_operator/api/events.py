"""Events: what was decided, for people who look with `kubectl describe`."""

from __future__ import annotations

import hashlib
from datetime import UTC
from typing import TYPE_CHECKING, Any

from tuning_operator.api import names

if TYPE_CHECKING:
    from datetime import datetime

    from tuning_operator.core.model.job import Job
    from tuning_operator.core.model.notice import Notice

MAX_NOTE = 1024
CONTROLLER = f"{names.GROUP}/operator"


def build_event(notice: Notice, job: Job, now: datetime, instance: str) -> dict[str, Any]:
    """Build the Event of a notice: on the job, with the trial that it is about as `related`.

    An Event's name is derived from its text, so repeating it makes no second Event. Of what is counted it is derived
    from what it is about: a training that reports all its epochs again, always with other values, makes one Event.
    """
    trial = notice.trial
    regarding = _reference(names.JOB_KIND, job.name, job.namespace, job.uid)
    message = f"{trial.name}: {notice.message}" if trial else notice.message
    said = message if notice.count is None else f"any/{trial.uid if trial else ''}"
    name = hashlib.sha256(f"{job.uid}/{notice.reason}/{said}".encode()).hexdigest()[:16]
    event = {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": f"{job.name}.{name}", "namespace": job.namespace},
        "eventTime": now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "reportingController": CONTROLLER,
        "reportingInstance": instance[:128],
        "action": notice.reason,
        "reason": notice.reason,
        "regarding": regarding,
        "note": _cut(message) or notice.reason,
        "type": "Warning" if notice.warning else "Normal",
    }
    if trial is not None:
        event["related"] = _reference(names.TRIAL_KIND, trial.name, job.namespace, trial.uid)
    return event


def _cut(note: str) -> str:
    """The API server counts bytes."""
    return note.encode()[:MAX_NOTE].decode(errors="ignore")


def _reference(kind: str, name: str, namespace: str, uid: str) -> dict[str, str]:
    return {"apiVersion": names.API_VERSION, "kind": kind, "name": name, "namespace": namespace, "uid": uid}
