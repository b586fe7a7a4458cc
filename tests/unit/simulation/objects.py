"""The job of a simulated cluster, and what is asked of its objects."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any, TypeVar, cast

from tuning_operator.api import names
from tuning_operator.core.space import Continuous, Scale, Space
from tuning_operator.runtime.queue import JobKey

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

T = TypeVar("T")
Body = dict[str, Any]
KEY = JobKey("ns", "job")
METRIC = "validation:accuracy"
EPOCHS = 5
SPACE = Space((Continuous("lr", 1e-5, 1.0, Scale.LOG),))
GRACE = 30
FINAL = {"Completed", "EarlyStopped", "Stopped", "Failed"}
FINAL_JOB = {"Completed", "Stopped", "Failed"}


def copied(value: T) -> T:
    """Copy all of it, in a third of the time of `copy.deepcopy`: each pass copies every object."""
    return cast("T", pickle.loads(pickle.dumps(value, pickle.HIGHEST_PROTOCOL)))


def searched(trials: Mapping[str, Body]) -> list[Body]:
    """The trials of the search."""
    return [trial for trial in trials.values() if "confirms" not in trial["spec"]]


def repetitions_of(trials: Mapping[str, Body], number: int) -> list[Body]:
    """The trials that repeat one, less those that were stopped."""
    found = [trial for trial in trials.values() if trial["spec"].get("confirms") == number]
    return [trial for trial, phase in zip(found, phases(found), strict=True) if phase != "Stopped"]


def merge_patch(old: Body, patch: Body) -> Body:
    """Apply a JSON merge patch (RFC 7386)."""
    merged = dict(old)
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        elif isinstance(value, dict):
            known = merged.get(name)
            merged[name] = merge_patch(known if isinstance(known, dict) else {}, value)
        else:
            merged[name] = value
    return merged


def new_job(seed: int, limits: Mapping[str, int], target: float | None, rule: str, *, dry_run: bool = False) -> Body:
    """A job as the API server stores it; the rule `Pause` is `Auto` with pauses."""
    pauses = rule == "Pause"
    median = {"quantile": 0.5, "minCompletedTrials": 1, "minEpochs": 1, "minProgress": 0.0}
    stopping: Body = {"type": "Auto" if pauses else rule, "dryRun": dry_run and not pauses, "pause": pauses} | (
        {"median": median} if rule == "Median" else {}
    )
    objective: Body = {"metric": METRIC, "goal": "Maximize"} | ({"target": target} if target is not None else {})
    return {
        "apiVersion": names.API_VERSION,
        "kind": names.JOB_KIND,
        "metadata": {
            "name": KEY.name,
            "namespace": KEY.namespace,
            "uid": "uid-job",
            "generation": 1,
            "resourceVersion": "0",
        },
        "spec": {
            "strategy": "Random",
            "seed": seed,
            "objective": objective,
            "parameters": [{"name": "lr", "continuous": {"min": 1e-5, "max": 1.0, "scale": "Log"}}],
            "limits": dict(limits),
            "earlyStopping": stopping,
            "retry": {"maxAttempts": 1},
            "suspend": False,
            "suspendPolicy": "Drain",
            "stop": False,
            "checkpointDir": "/checkpoints",
            "template": {
                "spec": {
                    "containers": [
                        {
                            "name": "train",
                            "image": "trainer",
                            "volumeMounts": [{"name": "kept", "mountPath": "/checkpoints"}],
                        }
                    ],
                    "volumes": [{"name": "kept", "persistentVolumeClaim": {"claimName": "kept"}}],
                }
            },
        },
    }


def phases(trials: Iterable[Body]) -> list[str]:
    """The recorded phases of trials."""
    return [(trial.get("status") or {}).get("phase", "Pending") for trial in trials]
