"""What conversions from all sources have in common: names, metadata, numbers, limits, and the manifest they end in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tuning_client.convert.search import MAX_GRID, Search
from tuning_client.names import MAX_JOB_NAME, dns_label, is_label
from tuning_client.session import API_VERSION, JOB_KIND

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tuning_client.convert.source import Field

MAX_TRIALS, MAX_PARALLEL_TRIALS = 1000, 100
MAX_SEED, MAX_RESOURCE, MAX_SECONDS = 2**31 - 1, 1_000_000, 10**9
MAX_NODES, MAX_ATTEMPTS, MAX_METRIC, MAX_ANNOTATION = 64, 30, 128, 8192
GOALS = {"max": "Maximize", "min": "Minimize"}
PLACEHOLDER_TRIALS = 20
PLACEHOLDER_RUNGS = {"minResource": 1, "maxResource": 27}
PLACEHOLDER_IMAGE = "registry.example.com/training:1.0"
LEFT_OUT = "it was left out"
LABELS = "Kubernetes takes at most 63 letters, digits, hyphens, underscores and dots"
_RESERVED = ("HP_", "TUNING_", "HYPERPARAMETERS")
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


def metadata(place: Field) -> dict[str, Any]:
    """Name, namespace, labels and annotations of a Kubernetes object; what belongs to the live object is mentioned."""
    named = place["generateName"] if place["name"].is_empty() else place["name"]
    result: dict[str, Any] = {"name": job_name(named)}
    if not place["namespace"].is_empty():
        with place["namespace"].or_left_out(LEFT_OUT):
            result["namespace"] = place["namespace"].text()
    place["annotations"][_LAST_APPLIED].note("belongs to the object that was applied")
    result |= kept_metadata(place)
    for live in _LIVE_METADATA:
        place[live].note("belongs to the live object")
    return result


def kept_metadata(place: Field) -> dict[str, dict[str, str]]:
    """Return labels and annotations, as texts."""
    result = {}
    for kind in ("labels", "annotations"):
        found = {}
        for name, value in pairs(place[kind]):
            if name == _LAST_APPLIED:
                continue
            with value.or_left_out(LEFT_OUT):
                text = "" if value.value in (None, "") else value.text()
                if len(text) > MAX_ANNOTATION:
                    raise value.error(f"has more than {MAX_ANNOTATION} characters")
                if kind == "labels" and not is_label(name, text):
                    raise value.error(f"cannot be a label: {LABELS}")
                found[name] = text
                value.take()
        if found:
            result[kind] = found
    return result


def pairs(place: Field) -> Iterator[tuple[str, Field]]:
    """Yield names and values, which some dialects write as a mapping, others as a list of names or keys with values."""
    for item in place.children():
        if isinstance(place.value, dict):
            yield item.name, item
            continue
        name = ""
        with item.or_left_out(f"{LEFT_OUT}: write a name and a value"):
            name = (item["key"] if item["name"].is_empty() else item["name"]).text()
        if name:
            yield name, item["value"]


def job_name(place: Field) -> str:
    """Return a job's name made of another one; most are fine as they are."""
    given = ""
    with place.or_left_out("the name is job: choose your own"):
        given = place.text()
    name = dns_label(given)
    if given and name != given:
        place.note(
            f"became {name}: a name is at most {MAX_JOB_NAME} lower-case letters, digits and hyphens, since Pods are "
            "named after it"
        )
    return name


def rename_repeated(jobs: list[dict[str, Any]]) -> list[str]:
    """Give jobs of one name others, since each would overwrite the one before; return what became of which."""
    said, taken = [], set[tuple[str, str]]()
    for job in jobs:
        given, meta, count = job["metadata"]["name"], job["metadata"], 1
        while (meta.get("namespace", ""), meta["name"]) in taken:
            count += 1
            meta["name"] = f"{given[: MAX_JOB_NAME - len(f'-{count}')].rstrip('-')}-{count}"
        taken.add((meta.get("namespace", ""), meta["name"]))
        if count > 1:
            said.append(
                f"another job is called {given} as well, and one would overwrite the other: it became {meta['name']}"
            )
    return said


def environment(place: Field) -> list[dict[str, str]]:
    """Return variables of a container, without those that the operator sets."""
    found: dict[str, str] = {}
    for name, value in pairs(place):
        with value.or_left_out(LEFT_OUT):
            if reserved(name):
                raise value.error(f"is {name}, which the operator sets itself")
            found[name] = "" if value.value in (None, "") else value.text()
            value.take()
    return [{"name": name, "value": value} for name, value in found.items()]


def reserved(variable: str) -> bool:
    """Whether the operator sets this variable, so that a template must not."""
    return variable.startswith(_RESERVED)


def bounded(place: Field, low: int, high: int) -> int | None:
    """Return a whole number within the bounds of a job; None if there is no usable one."""
    if place.is_empty():
        return None
    with place.or_left_out(LEFT_OUT):
        wanted = place.number(int)
        used: int = min(max(wanted, low), high)
        if used != wanted:
            place.note(
                f"was {'lowered' if used < wanted else 'raised'} from {wanted} to {used}: the range is {low} to {high}"
            )
        return used
    return None


def one_of(place: Field, known: dict[str, str], default: str) -> str:
    """Return one of some words, in any letter case; otherwise the default, with a note."""
    if place.is_empty():
        return default
    with place.or_left_out(f"it is {default} here"):
        given = place.text()
        word = next((ours for theirs, ours in known.items() if theirs.lower() == given.lower()), None)
        if word is None:
            raise place.error(f"must be one of {', '.join(known)}, not {given!r}")
        return word
    return default


def objective(name: Field, goal: Field, target: Field) -> dict[str, Any]:
    """Return what a job optimises; the metric and the direction cannot be guessed."""
    metric = name.text()
    if len(metric) > MAX_METRIC or metric != metric.strip() or not metric.isprintable():
        raise name.error(f"must be at most {MAX_METRIC} characters, without spaces around it: rename the metric")
    direction = GOALS.get(goal.text().lower()[:3])
    if direction is None:
        raise goal.error(f"must be Maximize or Minimize, not {goal.text()!r}")
    if goal.text().lower() != direction.lower():
        goal.mention(f"{goal.text()!r} was taken for {direction}")
    result: dict[str, Any] = {"metric": metric, "goal": direction}
    if not target.is_empty():
        with target.or_left_out("the job has no target"):
            result["target"] = target.number(float)
    return result


def limits(trials: Field, parallel: Field, *, grid: bool, default_parallel: int) -> dict[str, Any]:
    """Return the limits on trials, within the bounds of a job; a grid needs none."""
    result: dict[str, Any] = {}
    wanted = bounded(trials, 1, MAX_GRID if grid else MAX_TRIALS)
    if wanted is not None:
        result["maxTrials"] = wanted
    elif not grid:
        result["maxTrials"] = PLACEHOLDER_TRIALS
        trials.mention(f"is not set; spec.limits.maxTrials is {PLACEHOLDER_TRIALS}: choose your own")
    allowed = min(MAX_PARALLEL_TRIALS, result.get("maxTrials", MAX_PARALLEL_TRIALS))
    at_once = bounded(parallel, 1, allowed)
    result["maxParallelTrials"] = min(default_parallel, allowed) if at_once is None else at_once
    return result


def hyperband(place: Field, **given: int | None) -> dict[str, int]:
    """Return the settings of strategy Hyperband, completed."""
    known = {name: value for name, value in given.items() if value is not None}
    missing = {name: value for name, value in PLACEHOLDER_RUNGS.items() if name not in known}
    rungs = {**missing, **known}
    if rungs["maxResource"] <= rungs["minResource"]:
        missing |= {"maxResource": min(MAX_RESOURCE, rungs["minResource"] * 27)}
        rungs |= {"minResource": min(rungs["minResource"], MAX_RESOURCE - 1), "maxResource": missing["maxResource"]}
    if missing:
        said = ", ".join(f"{name} {value}" for name, value in missing.items())
        place.mention(f"does not set {said}, which were added: choose your own numbers")
    return rungs


def manifest(meta: dict[str, Any], search: Search, spec: dict[str, Any]) -> dict[str, Any]:
    """Return a HyperparameterTuningJob with its fields in the order of the documentation, without empty ones."""
    order = ("strategy", "hyperband", "seed", "objective", "parameters", "staticParameters", "limits", "earlyStopping")
    given = {**spec, "parameters": search.parameters, "staticParameters": search.static}
    ordered = {name: given.pop(name, None) for name in order} | given
    return {
        "apiVersion": API_VERSION,
        "kind": JOB_KIND,
        "metadata": meta,
        "spec": {name: value for name, value in ordered.items() if value not in (None, {}, [])},
    }
