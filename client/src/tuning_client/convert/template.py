"""A Katib trial template as a Pod template: placeholders become environment variables, which Kubernetes expands."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from tuning_client.convert.job import PLACEHOLDER_IMAGE, kept_metadata, reserved
from tuning_client.convert.source import note_all
from tuning_client.convert.workload import Workload, workload

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tuning_client.convert.source import Field

_PLACEHOLDER = re.compile(r"\$\{trialParameters\.([^}]+)\}")
_REFERENCE = re.compile(r"\$\{trialSpec\.(\w+)(?:\[(.*)\])?\}")
_DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container"
_NODE_VARIABLES = ("NNODES", "NODE_RANK", "MASTER_ADDR", "MASTER_PORT")
_LAST_WORDS = "FallbackToLogsOnError"


def trial_workload(template: Field, names: Mapping[str, str]) -> tuple[Workload, str]:
    """Return what a trial runs, with the operator's variables for Katib's placeholders; and the container that trains.

    Args:
        template: `spec.trialTemplate`.
        names: the tuned hyperparameters' names here, by Katib's.
    """
    trial = template["trialSpec"]
    found = workload(trial)
    _add_metadata(found, trial["metadata"])
    variables = _variables(template["trialParameters"], names, trial)
    container = fitted(found, variables, template["primaryContainerName"])
    left = sorted(set(_left(found.body)))
    if left:
        found.pod.mention(
            f"{', '.join(left)} cannot be filled in: hyperparameters are variables in the environment of the "
            "training container, which Kubernetes expands in its command, args and env alone"
        )
    note_all([item["description"] for item in template["trialParameters"].children()], "is not kept")
    for condition in ("successCondition", "failureCondition"):
        template[condition].note("has no counterpart: a trial has succeeded when its training container exits with 0")
    template["primaryPodLabels"].note("is not needed: the first node of a trial reports (docs/nodes.md)")
    return found, container["name"]


def fitted(found: Workload, variables: Mapping[str, str], primary: Field | None = None) -> dict[str, Any]:
    """Make a workload's template one that the operator takes; returns the container that trains.

    Args:
        found: the workload, whose template is changed.
        variables: what stands here for each placeholder.
        primary: where the container's name stands; the first one trains where nothing is said.
    """
    containers = _containers(found)
    container = containers[0] if primary is None else _primary(primary, found, containers)
    _fit(found, container)
    _expand(container, variables)
    _keep_for_the_shell(container)
    return container


def _containers(found: Workload) -> list[dict[str, Any]]:
    """The containers, each with a name and an image."""
    place = found.pod["spec"]["containers"]
    given = found.body["spec"]["containers"]
    if not isinstance(given, list):
        raise place.error("must be a list of containers")
    kept = [item for item in given if isinstance(item, dict)]
    if not kept:
        raise place.error("has none that is a mapping: write name and image")
    if len(kept) < len(given):
        place.mention("has items that are not mappings, which were left out")
    names: set[str] = set()
    for number, container in enumerate(kept, start=1):
        defaults = {"name": f"container-{number}", "image": PLACEHOLDER_IMAGE}
        for key, default in defaults.items():
            value = container.get(key)
            if not isinstance(value, str) or not value or (key == "name" and value in names):
                place.mention(f"has one without a {key} that can be used: it is {default} here, choose your own")
                container[key] = default
        names.add(container["name"])
        for key in ("restartPolicy", "restartPolicyRules"):
            if container.pop(key, None) not in (None, "Never", []):
                place.mention(f"{key} of {container['name']} was left out: see spec.retry")
    found.body["spec"]["containers"] = kept
    return kept


def _primary(place: Field, found: Workload, containers: list[dict[str, Any]]) -> dict[str, Any]:
    chosen = containers[0]
    with place.or_left_out(f"{chosen['name']} is the container that trains"):
        name = place.text(chosen["name"])
        named = next((container for container in containers if container["name"] == name), None)
        if named is None:
            raise place.error(f"{name!r} is not one of the template's containers")
        chosen = named
    if len(containers) > 1:
        annotations = found.body.setdefault("metadata", {}).setdefault("annotations", {})
        annotations[_DEFAULT_CONTAINER] = chosen["name"]
    return chosen


def _fit(found: Workload, container: dict[str, Any]) -> None:
    """Change what the operator does not take, or does itself."""
    spec, place = found.body["spec"], found.pod["spec"]
    if spec.get("restartPolicy") is None:
        spec.pop("restartPolicy", None)
    elif spec["restartPolicy"] != "Never":
        place["restartPolicy"].note("is Never here: a failed Pod is a trial's result, see spec.retry")
        spec["restartPolicy"] = "Never"
    if found.deadline is not None and not isinstance(spec.get("activeDeadlineSeconds"), int):
        spec["activeDeadlineSeconds"] = found.deadline
    for name in ("hostname", "subdomain") if found.nodes > 1 else ():
        if spec.pop(name, None) is not None:
            place[name].note("was left out: with several nodes these are the operator's")
    if container.get("terminationMessagePolicy") not in (None, _LAST_WORDS):
        place.mention(f"terminationMessagePolicy is {_LAST_WORDS}, so that a failed trial has its last words")
    container["terminationMessagePolicy"] = _LAST_WORDS
    variables = container.get("env", [])
    if not isinstance(variables, list):
        place.mention("env of the training container is not a list: write name and value of each variable")
        return
    taken = {str(item.get("name")) for item in variables if isinstance(item, dict)}
    own = [name for name in taken if reserved(name)]
    if own:
        place.mention(f"{', '.join(sorted(own))} in env was left out: the operator sets variables of these names")
    kept = [item for item in variables if not (isinstance(item, dict) and item.get("name") in own)]
    kept += [variable for variable in found.variables if variable["name"] not in taken]
    container.pop("env", None)
    if kept:
        container["env"] = kept


def _add_metadata(found: Workload, place: Field) -> None:
    """A queueing controller looks for its labels on what is created: on the trial in Katib, on the Pods here."""
    given = kept_metadata(place)
    own = found.body.get("metadata") or {}
    merged = {kind: {**given.get(kind, {}), **own.get(kind, {})} for kind in (*given, *own)}
    if given:
        found.body["metadata"] = merged
        place.mention(f"{' and '.join(given)} became those of the Pods")


def _variables(parameters: Field, names: Mapping[str, str], trial: Field) -> dict[str, str]:
    """What stands here for each placeholder."""
    result = {}
    for item in parameters.children():
        with item.or_left_out("its placeholder is not filled in"):
            placeholder, reference = f"${{trialParameters.{item['name'].text()}}}", item["reference"].text()
            text = f"$(HP_{names[reference]})" if reference in names else _metadata(reference, trial)
            if text is None:
                item["reference"].note(f"{reference} is neither a hyperparameter of this job nor known before a trial")
            else:
                result[placeholder] = text
    return result


def _metadata(reference: str, trial: Field) -> str | None:
    """What a reference to the trial's own metadata stands for; None where that is not known."""
    match = _REFERENCE.fullmatch(reference)
    if match is None:
        return None
    if match[1] == "Name":
        return "$(TUNING_TRIAL)"
    places = {
        "Namespace": trial.source.root["metadata"]["namespace"],
        "Kind": trial["kind"],
        "APIVersion": trial["apiVersion"],
        "Labels": trial["metadata"]["labels"][match[2] or ""],
        "Annotations": trial["metadata"]["annotations"][match[2] or ""],
    }
    place = places.get(match[1])
    return place.text().replace("$", "$$") if place is not None and not place.is_empty() else None


def _expand(container: dict[str, Any], variables: Mapping[str, str]) -> None:
    """Put variables for placeholders wherever Kubernetes expands variables."""

    def expanded(text: Any) -> Any:
        return (
            _PLACEHOLDER.sub(lambda match: variables.get(match.group(), match.group()), text)
            if isinstance(text, str)
            else text
        )

    for words in ("command", "args"):
        if isinstance(container.get(words), list):
            container[words] = [expanded(word) for word in container[words]]
    for variable in container["env"] if isinstance(container.get("env"), list) else ():
        if isinstance(variable, dict) and "value" in variable:
            variable["value"] = expanded(variable["value"])


def _keep_for_the_shell(container: dict[str, Any]) -> None:
    """Write `$$(…)` where the shell is meant, which Kubernetes hands on as `$(…)`; others are taken for misspelt."""
    if container.get("envFrom"):
        return
    variables = container["env"] if isinstance(container.get("env"), list) else []
    known = [str(item.get("name")) for item in variables if isinstance(item, dict)]
    own = "|".join(map(re.escape, (*known, *_NODE_VARIABLES)))
    pattern = re.compile(rf"\$\$|\$\((?:(?:HP_|TUNING_)\w+|HYPERPARAMETERS|{own})\)|\$\(")
    for words in ("command", "args"):
        if isinstance(container.get(words), list):
            container[words] = [
                pattern.sub(lambda match: "$$(" if match.group() == "$(" else match.group(), word)
                if isinstance(word, str)
                else word
                for word in container[words]
            ]


def _left(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for item in value.values():
            yield from _left(item)
    elif isinstance(value, list):
        for item in value:
            yield from _left(item)
    elif isinstance(value, str):
        yield from (match.group() for match in _PLACEHOLDER.finditer(value))
