"""The sidecar that reports for a training which only writes a log: it follows the file and keeps the metrics contract.

It is an init container that keeps running (KEP-753, stable since Kubernetes 1.33): it is there before the training
starts, and gets SIGTERM when the training has ended.
"""

from __future__ import annotations

import copy
import json
import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import re2

from tuning_operator.api.values import literal, printable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tuning_operator.api.podoptions import PodOptions
    from tuning_operator.core.model.sources import LogFile, MetricDefinition

NAME = "tuning-metrics"
"""Of the container and, where the template has no volume at the file's folder, of the volume that is added."""
MAX_NAME = 128
"""Characters shown of a metric's name, and of what is wrong with its pattern."""
_MAX_PATTERN_MEMORY = 256 * 1024
_COUNT_FIRST = re.compile(
    r"(?i)(?:\(\?[a-z]+\))?[^()]*(epoch|step|iter|iteration|batch|round)s?(?:\\[sW]|\\?[^\w()\\])*\((?!\?)"
)
"""A pattern whose first group stands behind a word for what a training counts."""
"""Bytes that a compiled pattern may take: a thousand times what one in a log needs, and 4 ms of compiling."""
SIDECAR_REFUSED = (
    f". This is about the container {NAME}, which the operator adds for spec.metrics.source of type File or"
    " TensorBoard; the operator's setting --sidecar-resources (settings.sidecarResources of the chart) says what it"
    " requests"
)
USER = 65532
"""The user and the group of the sidecar's image."""


def add_sidecar(
    spec: dict[str, Any],
    training: dict[str, Any],
    source: LogFile,
    options: PodOptions,
    port: int,
    variables: Mapping[str, str],
) -> None:
    """Add the sidecar to a Pod, in place.

    Args:
        spec: The Pod's specification.
        training: Its training container, which gets a volume at the file's folder unless it has one.
        source: The file, or the folder of event files.
        options: The sidecar's image, and what it asks for.
        port: Where it serves the metrics.
        variables: The training's variables: a volume's folder may be named by any of them.

    Raises:
        ValueError: There is no image.
    """
    if not options.sidecar_image:
        raise ValueError(
            f"spec.metrics.source: type {'TensorBoard' if source.tag else 'File'} needs the operator's setting"
            " --sidecar-image (settings.sidecarImage of the chart): ask the administrator to set it, or use the metrics"
            " contract"
        )
    for item in source.definitions:
        _check(item)
    command = [source.path]
    if source.tag:
        command.append("--tensorboard=" + literal(source.tag))
    if source.definitions:
        command.append("--definitions=" + literal(json.dumps({item.name: item.regex for item in source.definitions})))
    sidecar = {
        "name": NAME,
        "image": options.sidecar_image,
        "restartPolicy": "Always",
        "args": command,
        "env": [{"name": name, "value": literal(value)} for name, value in variables.items()],
        "ports": [{"name": "metrics", "containerPort": port, "protocol": "TCP"}],
        "volumeMounts": [{**_mount(spec, training, _folder(source)), "readOnly": True}],
        "resources": copy.deepcopy(dict(options.sidecar_resources)),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "runAsNonRoot": True,
            **_user(spec, training),
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }
    spec["initContainers"] = [sidecar, *(spec.get("initContainers") or [])]


def without_sidecar(pod: Mapping[str, Any]) -> dict[str, Any]:
    """The manifest of a Pod as it would be without the sidecar; of a Pod that has none, as it is."""
    others = [item for item in pod["spec"].get("initContainers") or () if item.get("name") != NAME]
    return {**pod, "spec": {**pod["spec"], "initContainers": others}} if has_sidecar(pod) else dict(pod)


def has_sidecar(pod: Mapping[str, Any]) -> bool:
    """Whether the manifest of a Pod has the sidecar."""
    return any(item.get("name") == NAME for item in pod["spec"].get("initContainers") or ())


def _user(spec: Mapping[str, Any], training: Mapping[str, Any]) -> dict[str, int]:
    """Return the user and the group that the sidecar runs as.

    They are the training's if the template names them, so that the sidecar can read files for their owner alone; the
    image's user replaces root. If the template names none, neither does this: the image has a user, or OpenShift
    chooses one for both containers and refuses any other.
    """
    contexts = [item.get("securityContext") or {} for item in (training, spec)]
    user, group = (
        next((context[field] for context in contexts if context.get(field) is not None), None)
        for field in ("runAsUser", "runAsGroup")
    )
    if user == 0:
        return {"runAsUser": USER, "runAsGroup": group or USER}
    return {field: number for field, number in (("runAsUser", user), ("runAsGroup", group)) if number is not None}


def _check(definition: MetricDefinition) -> None:
    """The sidecar's words about it would only be found in its log.

    RE2 takes no pattern that could keep the operator, which works for others as well, longer than milliseconds.
    """
    where = f"spec.metrics.source.file.metricDefinitions[{printable(definition.name, MAX_NAME)}].regex"
    options = re2.Options()
    options.max_mem, options.log_errors = _MAX_PATTERN_MEMORY, False
    try:
        groups = re2.compile(definition.regex, options).groups
    except (re2.error, UnicodeError) as error:
        reason = error.args[0] if error.args else error
        detail = reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
        raise ValueError(
            f"{where}: {printable(detail, MAX_NAME)}; regular expressions follow RE2: without lookaround such as (?=…),"
            " backreferences such as \\1, and patterns that need much memory"
        ) from error
    if not groups:
        raise ValueError(f"{where}: must have a group: put parentheses around the value, as in accuracy=([0-9.]+)")
    counted = _COUNT_FIRST.match(definition.regex) if groups > 1 else None
    if counted is not None and counted[1].lower() not in definition.name.lower():
        raise ValueError(
            f"{where}: the first group is the value, and here it is the {counted[1].lower()}: leave out its "
            "parentheses, or write (?:…)"
        )


def _folder(source: LogFile) -> PurePosixPath:
    return PurePosixPath(source.path) if source.tag else PurePosixPath(source.path).parent


def _mount(spec: dict[str, Any], training: dict[str, Any], folder: PurePosixPath) -> dict[str, Any]:
    """The training's volume that a folder lies on; one of the Pod's own unless the template has one."""
    mounts = training.get("volumeMounts") or []
    around = [mount for mount in mounts if folder.is_relative_to(mount.get("mountPath") or "//")]
    if around:
        return dict(max(around, key=lambda mount: len(mount["mountPath"])))
    added = {"name": NAME, "mountPath": str(folder)}
    training["volumeMounts"] = [*mounts, added]
    spec["volumes"] = [*(spec.get("volumes") or []), {"name": NAME, "emptyDir": {}}]
    return added
