"""What reads a training's output with SageMaker and Katib, as `spec.metrics.source`: a file that a sidecar follows."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tuning_client.convert.source import Field

MAX_DEFINITIONS, MAX_NAME, MAX_REGEX = 40, 128, 500
OUTPUT = "/var/log/tuning/training.log"
"""Where a training's standard output is put, which is not read itself."""
_REDIRECTED = 'exec "$0" "$@" >> ' + OUTPUT + " 2>&1"
"""The training stays the container's process: signals and exit code are its own."""
_KATIBS_FILE = "/var/log/katib/metrics.log"
_KATIBS_FILTER = r"([\w|-]+)\s*=\s*([+-]?\d*(\.\d+)?([Ee][+-]?\d+)?)"
"""What Katib looks for, and where, unless it is told."""
_PARENTHESIS = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|[()]")
"""Parentheses of a regular expression, and what only looks like one: in a character class, or after a backslash."""
_REPORT = "let the training report each epoch, or see spec.metrics.source (docs/metrics-contract.md)"


def sagemaker_source(definitions: Field, objective: str) -> dict[str, Any] | None:
    """SageMaker's `MetricDefinitions` of an algorithm, if the objective is among them."""
    given = [(item, item["Name"].text(), item["Regex"].text()) for item in definitions.children()]
    found = _kept(given)
    if objective not in found:
        definitions.note(f"have none for the objective, {objective}: {_REPORT}")
        return None
    definitions.mention(
        f"standard output is not read: let the training write it to {OUTPUT} as well, for example by tee, or report "
        "each epoch itself and remove spec.metrics.source (docs/metrics-contract.md)"
    )
    return _file(OUTPUT, found)


def katib_source(
    spec: Field, objective: str, others: Sequence[str], container: dict[str, Any]
) -> dict[str, Any] | None:
    """Katib's `metricsCollectorSpec`; what it reads from standard output is put into a file by the container's command.

    Args:
        spec: the collector's specification; where nothing is said standard output is read.
        objective: the objective metric.
        others: Katib's additional metrics.
        container: the training container, whose command may be changed.
    """
    kind, source = spec["collector"]["kind"].text("StdOut"), spec["source"]
    names = (objective, *others)
    if kind == "PrometheusMetric":
        _leave_out(spec, f"tells no epochs, for which a source of type Gauge needs a second gauge: {_REPORT}")
        return None
    if kind not in {"StdOut", "File"}:
        _leave_out(spec, f"{kind} has no counterpart: {_REPORT}")
        return None
    file = source["fileSystemPath"]
    path = OUTPUT if kind == "StdOut" else _one_of(file["path"], _KATIBS_FILE)
    _one_of(file["kind"], "File", "File")
    if _one_of(file["format"], "TEXT", "TEXT", "JSON") == "JSON":
        # The numbers in Katib's files are texts, which the format JSONLines leaves alone.
        found = _kept((file, name, rf'"{re.escape(name)}"\s*:\s*"?([^",}}\s]+)') for name in names)
    else:
        found = _filtered(source["filter"]["metricsFormat"], names)
    if objective not in found:
        _leave_out(spec, f"finds no {objective}: {_REPORT}")
        return None
    if kind == "StdOut":
        how = "the container's command writes it" if _redirect(container) else "let the training write it"
        spec.mention(
            f"standard output is not read: {how} to {OUTPUT}, which a sidecar follows (docs/metrics-contract.md)"
        )
    return _file(path, found)


def _leave_out(spec: Field, words: str) -> None:
    spec.mention(words)
    spec.take()


def _one_of(place: Field, default: str, *known: str) -> str:
    given = place.text(default)
    if known and given not in known:
        raise place.error(f"must be {' or '.join(known)}, not {given!r}")
    return given


def _filtered(formats: Field, names: Sequence[str]) -> dict[str, str]:
    """Katib's filters have two groups, for the name and for the value; here each metric has a regex of its own."""
    first, *more = [item.text() for item in formats.children()] or [_KATIBS_FILTER]
    if more:
        formats.mention(f"only the first is kept, since a metric has one regular expression: {', '.join(more)}")
    return _kept((formats, name, _of_metric(first, name)) for name in names)


def _of_metric(regex: str, name: str) -> str:
    """The regex with a name in place of its first group; empty where that group could not match it."""
    start, depth = -1, 0
    for match in _PARENTHESIS.finditer(regex):
        if match.group() == "(" and (depth or not regex.startswith("(?", match.start())):
            start, depth = start if depth else match.start(), depth + 1
        elif match.group() == ")" and depth:
            depth -= 1
            if not depth:
                before, group, after = regex[:start], regex[start + 1 : match.start()], regex[match.end() :]
                # As the group would have taken all of a longer name, of which this is the end.
                whole = "" if before else r"(?<![\w|-])"
                return f"{before}{whole}{re.escape(name)}{after}" if _matches(group, name) else ""
    return ""


def _matches(regex: str, text: str) -> bool:
    try:
        return re.fullmatch(regex, text) is not None
    except re.error:
        return False


def _kept(definitions: Iterable[tuple[Field, str, str]]) -> dict[str, str]:
    """Regular expressions by name; those that a job cannot have are mentioned at their places."""
    found: dict[str, str] = {}
    for place, name, regex in definitions:
        reason = _refusal(name, regex)
        if name in found:
            reason = "it has one already"
        elif len(found) == MAX_DEFINITIONS:
            reason = f"a job has at most {MAX_DEFINITIONS}"
        if reason:
            place.mention(f"the regular expression of {name} was left out: {reason}")
        else:
            found[name] = regex
    return found


def _refusal(name: str, regex: str) -> str:
    """Why a definition cannot be kept; empty if it can."""
    if len(name) > MAX_NAME or len(regex) > MAX_REGEX:
        return f"a name has at most {MAX_NAME} characters, a regular expression {MAX_REGEX}"
    try:
        groups = re.compile(regex).groups
    except re.error as error:
        return f"it is none of Python's ({error})"
    return "" if groups else "it has no group, in parentheses, for the value of that name"


def _redirect(container: dict[str, Any]) -> bool:
    """Let the command write its output to the file; False where there is none, but the image's own."""
    if not container.get("command"):
        return False
    container["command"] = ["sh", "-c", _REDIRECTED, *container["command"]]
    return True


def _file(path: str, definitions: dict[str, str]) -> dict[str, Any]:
    listed = [{"name": name, "regex": regex} for name, regex in definitions.items()]
    return {"source": {"type": "File", "file": {"path": path, "format": "Regex", "metricDefinitions": listed}}}
