"""What conversions from all sources have in common: names, metadata, ranges, limits, and the manifest they end in."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tuning_client.names import MAX_JOB_NAME, dns_label
from tuning_client.session import API_VERSION, JOB_KIND

if TYPE_CHECKING:
    from tuning_client.convert.source import Field

MAX_TRIALS, MAX_GRID, MAX_PARALLEL_TRIALS = 1000, 10_000, 100
PLACEHOLDER_TRIALS = 20
PLACEHOLDER_RUNGS = {"minResource": 1, "maxResource": 27}
PLACEHOLDER_IMAGE = "registry.example.com/training:1.0"
_LIVE_METADATA = (
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "finalizers",
    "ownerReferences",
    "managedFields",
    "selfLink",
)
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


@dataclass
class Search:
    """The hyperparameters of a job under construction: those with a range, and those without."""

    parameters: list[dict[str, Any]] = field(default_factory=list)
    static: dict[str, str] = field(default_factory=dict)

    def add_number(self, name: str, kind: str, place: Field, **bounds: Any) -> None:
        """Add a continuous or integer hyperparameter; one whose bounds are equal does not vary."""
        if bounds["min"] == bounds["max"]:
            self.static[name] = str(bounds["min"])
            place.note(f"has equal bounds: it does not vary, and stands in spec.staticParameters as {name}")
        else:
            self.parameters.append({"name": name, kind: bounds})

    def add_choice(self, name: str, values: list[str]) -> None:
        """Add a categorical hyperparameter."""
        self.parameters.append({"name": name, "categorical": {"values": list(dict.fromkeys(values))}})


def metadata(place: Field, name: str) -> dict[str, Any]:
    """Namespace, labels and annotations of a Kubernetes object; what belongs to the live object is mentioned."""
    result: dict[str, Any] = {"name": name}
    for kept in ("namespace", "labels"):
        if not place[kept].is_empty():
            result[kept] = place[kept].take()
    annotations = {item.path[-1]: item for item in place["annotations"].children()}
    if _LAST_APPLIED in annotations:
        annotations.pop(_LAST_APPLIED).note("belongs to the object that was applied")
    if annotations:
        result["annotations"] = {key: item.take() for key, item in annotations.items()}
    for live in _LIVE_METADATA:
        place[live].note("belongs to the live object")
    return result


def job_name(place: Field) -> str:
    """A job's name made of another one; most are fine as they are."""
    given = place.text("job")
    name = dns_label(given)
    if name != given:
        place.note(
            f"became {name}: a name is at most {MAX_JOB_NAME} lower-case letters, digits and hyphens, since Pods are "
            "named after it"
        )
    return name


def parameter_name(place: Field, given: str) -> str:
    """A hyperparameter's name as part of an environment variable's."""
    name = re.sub(r"[^A-Za-z0-9_]", "_", given)[:63]
    if name[:1].isdigit():
        name = f"_{name}"[:63]
    if name != given:
        place.note(f"{given} is called {name} here, because the training finds it as HP_{name} in its environment")
    return name


def limits(trials: Field, parallel: Field, *, grid: bool, default_parallel: int) -> dict[str, Any]:
    """Numbers of trials, within what a job can have; a grid needs none."""
    result: dict[str, Any] = {}
    most = MAX_GRID if grid else MAX_TRIALS
    if not trials.is_empty():
        wanted = trials.number(int)
        result["maxTrials"] = min(wanted, most)
        if wanted > most:
            trials.note(f"was lowered from {wanted} to {most}, the most that a job can have")
    elif not grid:
        result["maxTrials"] = PLACEHOLDER_TRIALS
        trials.mention(f"is not given; spec.limits.maxTrials is {PLACEHOLDER_TRIALS}: choose your own number")
    at_once = default_parallel if parallel.is_empty() else parallel.number(int)
    allowed = min(MAX_PARALLEL_TRIALS, result.get("maxTrials", MAX_PARALLEL_TRIALS))
    if at_once > allowed:
        parallel.note(f"was lowered from {at_once} to {allowed}: at most {MAX_PARALLEL_TRIALS}, and at most all trials")
    result["maxParallelTrials"] = min(at_once, allowed)
    return result


def hyperband(place: Field, **given: int) -> dict[str, int]:
    """The settings of strategy Hyperband, completed."""
    missing = {name: value for name, value in PLACEHOLDER_RUNGS.items() if name not in given}
    if missing:
        said = ", ".join(f"{name} {value}" for name, value in missing.items())
        place.mention(f"does not say {said}, which was put in: choose your own numbers")
    return {**missing, **given}


def manifest(meta: dict[str, Any], search: Search, spec: dict[str, Any]) -> dict[str, Any]:
    """A HyperparameterTuningJob, its fields in the order of the documentation, without those that have no value."""
    order = ("strategy", "hyperband", "seed", "objective", "parameters", "staticParameters", "limits", "earlyStopping")
    given = {**spec, "parameters": search.parameters, "staticParameters": search.static}
    ordered = {name: given.pop(name, None) for name in order} | given
    return {
        "apiVersion": API_VERSION,
        "kind": JOB_KIND,
        "metadata": meta,
        "spec": {name: value for name, value in ordered.items() if value not in (None, {}, [])},
    }
