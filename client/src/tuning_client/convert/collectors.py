"""What reads a training's output with SageMaker and Katib, as `spec.metrics.source`: a file that a sidecar follows."""

from __future__ import annotations

import json
import posixpath
import re
from typing import TYPE_CHECKING, Any

import re2

from tuning_client.convert.logfile import MAX_PATH, moved
from tuning_client.logs import (
    MAX_DEFINITIONS,
    NUMBER,
    OUTPUT,
    UNBUFFERED,
    groups,
    refusal,
    shown_and_kept,
    source,
    with_control_characters,
    with_every_number,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tuning_client.convert.source import Field

_KATIBS_FILE, _KATIBS_FOLDER = "/var/log/katib/metrics.log", "/var/log/katib/tfevent"
_KATIBS_FILTER = r"([\w|-]+)\s*=\s*([+-]?\d*(\.\d+)?([Ee][+-]?\d+)?)"
"""What Katib looks for by default, and where."""
_STANDARD_OUTPUT = ("/dev/stdout", "/dev/stderr", "/dev/fd/1", "/dev/fd/2", "/proc/self/fd/1", "/proc/self/fd/2")
_FOLDER = re.compile(r"(?:/[^/]+)+")
_REPORT = "let the training report each epoch, or see spec.metrics.source (docs/metrics-contract.md)"


def sagemaker_source(definitions: Field, objective: str) -> dict[str, Any] | None:
    """Return SageMaker's `MetricDefinitions` of an algorithm, if the objective is among them."""
    given = []
    for item in definitions.children():
        with item.or_left_out("the metric was left out"):
            given.append((item["Regex"], item["Name"].text(), item["Regex"].text()))
    found = _kept(given)
    if objective not in found:
        definitions.note(f"have none for the objective, {objective}: {_REPORT}")
        return None
    definitions.mention(
        f"standard output is not read: let the training write it to {OUTPUT} as well, for example by tee, or report "
        "each epoch itself and remove spec.metrics.source (docs/metrics-contract.md)"
    )
    return source(OUTPUT, found)


def katib_source(
    spec: Field, objective: str, others: Sequence[str], body: dict[str, Any], name: str
) -> dict[str, Any] | None:
    """Return Katib's `metricsCollectorSpec`; the container's command copies standard output to a file.

    Args:
        spec: the collector's specification; where nothing is said standard output is read.
        objective: the objective metric.
        others: Katib's additional metrics.
        body: the Pod template, whose training container may be changed.
        name: the training container's name.
    """
    kind, origin = spec["collector"]["kind"].text("StdOut"), spec["source"]
    if kind == "TensorFlowEvent":
        return _event_files(origin["fileSystemPath"], objective, others)
    if kind not in {"StdOut", "File"}:
        _leave_out(spec, kind)
        return None
    file = origin["fileSystemPath"]
    path = OUTPUT if kind == "StdOut" else file["path"].text(_KATIBS_FILE)
    if not file["kind"].is_empty() and file["kind"].text() != "File":
        raise file["kind"].error(f"must be File, not {file['kind'].text()!r}")
    form = file["format"].text("TEXT")
    if form not in {"TEXT", "JSON"}:
        raise file["format"].error(f"must be TEXT or JSON, not {form!r}")
    found = (
        _of_json(file, (objective, *others)) if form == "JSON" else _filtered(origin["filter"], (objective, *others))
    )
    if objective not in found:
        spec.mention(f"finds no {objective}: {_REPORT}")
        spec.take()
        return None
    container = next(item for item in body["spec"]["containers"] if item["name"] == name)
    if path in (OUTPUT, *_STANDARD_OUTPUT):
        path = _keep_output(spec, container)
    else:
        path = moved(path, file["path"], container)
    return source(path, found)


def _event_files(place: Field, objective: str, others: Sequence[str]) -> dict[str, Any]:
    """Katib's folder of event files; its metric names are tags, with the folder of their file before them."""
    place["kind"].take()
    given = place["path"].text(_KATIBS_FOLDER)
    path = posixpath.normpath(given)
    if not _FOLDER.fullmatch(path) or len(path) > MAX_PATH:
        raise place["path"].error(f"must be an absolute path other than /, of at most {MAX_PATH} characters")
    if path not in {given, given.rstrip("/")}:
        place["path"].mention(f"is written {path} here: a path is absolute, without . and ..")
    known = "; other tags are recorded as well" if others else ""
    place.mention(
        f"is a source of type TensorBoard with exactly the tag {objective}; Katib also takes tags that begin with "
        f"it. If no scalar has the tag, the trial's message lists those that exist{known}"
    )
    return {"source": {"type": "TensorBoard", "tensorBoard": {"path": path, "tag": objective}}}


def _leave_out(spec: Field, kind: str) -> None:
    if kind == "PrometheusMetric":
        words = f"has no epochs, and a source of type Gauge needs a second gauge for them: {_REPORT}"
    elif kind == "None":
        words = f"reads nothing, since the training pushes its metrics to Katib: {_REPORT}"
    else:
        words = f"{kind} has no counterpart: {_REPORT}"
    spec.mention(words)
    spec.take()


def _keep_output(spec: Field, container: dict[str, Any]) -> str:
    """Let the container write what it prints to a file as well; returns the file."""
    command, variables = container.get("command"), container.setdefault("env", [])
    if isinstance(variables, list) and not any(
        isinstance(item, dict) and item.get("name") == UNBUFFERED["name"] for item in variables
    ):
        variables.append(dict(UNBUFFERED))
    if isinstance(command, list) and command and all(isinstance(word, str) for word in command):
        container["command"] = shown_and_kept(command)
        how = "the container's command writes it to {} as well, by sh, mkfifo and tee, which the image must have; "
    else:
        how = (
            "the image's own entry point is not known here, so let it write to {} as well, or write it as command, as "
            'in ["sh", "-c", "python -u train.py 2>&1 | tee {}"]; '
        )
    spec.mention(how.format(OUTPUT, OUTPUT) + "a sidecar follows that file (docs/metrics-contract.md)")
    return OUTPUT


def _of_json(file: Field, names: Sequence[str]) -> dict[str, str]:
    # The numbers in Katib's files are texts, which the format JSONLines leaves alone.
    return _kept((file, name, rf'{re.escape(json.dumps(name))}\s*:\s*"?([^",}}\s]+)') for name in names)


def _filtered(filters: Field, names: Sequence[str]) -> dict[str, str]:
    """Katib's filters have two groups, for the name and for the value; here each metric has its own regex."""
    formats, given = filters["metricsFormat"], []
    for item in formats.children():
        with item.or_left_out("the filter was left out"):
            if reason := refusal("", item.text()):
                raise item.error(f"cannot be used: {reason}")
            given.append(item.text())
    if formats.is_empty():
        return _kept((formats, name, _of_metric(_KATIBS_FILTER, name)) for name in names)
    if len(given) > 1:
        formats.mention("a metric has one regular expression here: the first that can find its name was taken")
    found = ((name, next(filter(None, (_of_metric(regex, name) for regex in given)), "")) for name in names)
    return _kept((formats, name, regex) for name, regex in found)


def _of_metric(regex: str, name: str) -> str:
    """The regex with a name in place of its first group; empty where that group could not match it."""
    found = groups(regex)
    if len(found) < 2 or found[1][0] < found[0][1]:  # noqa: PLR2004 - the name and the value, one after the other
        return ""
    (start, end), (value_start, value_end) = found[:2]
    if not _matches(regex[start:end], name):
        return ""
    # The group would have taken all of a longer name, of which this is the end.
    whole = regex[:start] or r"(?:^|[^\w|-])"
    value = with_every_number(regex[value_start:value_end])
    return f"{whole}{re.escape(name)}{regex[end:value_start]}{value}{regex[value_end:]}"


def _matches(regex: str, text: str) -> bool:
    return not refusal("", regex) and re2.fullmatch(regex, text) is not None


def _kept(definitions: Iterable[tuple[Field, str, str]]) -> dict[str, str]:
    """Regular expressions by name, which find every number; those that a job cannot have are mentioned."""
    found: dict[str, str] = {}
    for place, name, given in definitions:
        regex = with_every_number(with_control_characters(given))
        reason = refusal(name, regex)
        if name in found:
            reason = "it has one already"
        elif len(found) == MAX_DEFINITIONS:
            reason = f"a job has at most {MAX_DEFINITIONS}"
        if reason:
            place.mention(f"the regular expression of {name} was left out: {reason}")
            continue
        found[name] = regex
        if with_control_characters(given) != given:
            place.mention(f"{name}: rsyslog's #0 escapes of control characters match these characters, too")
        if regex != with_control_characters(given):
            place.mention(f"{name}: the value's group was made to take signs, exponents, nan and inf: {NUMBER}")
    return found
