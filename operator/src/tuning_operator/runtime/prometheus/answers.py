"""What all questions to Prometheus share: how names are written in them, and what makes an answer whole."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from tuning_operator.api.values import printable

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

_DECODE = json.JSONDecoder().raw_decode
_SPACE = re.compile(r"[ \t\r\n]*")
_SERIES = 3
"""How deep the series of an answer lie in it: in the list `result` of the object `data` of the whole."""


class PrometheusError(Exception):
    """Prometheus gave no usable answer; the message says why."""


class TooMuchError(PrometheusError):
    """The answer is larger than the operator, or Prometheus itself, is willing to take."""


def series_of(answer: Any, kind: str) -> list[Any]:
    """Return the series of an answer of that kind, `vector` or `matrix`.

    Raises:
        PrometheusError: The answer is not whole.
    """
    if not isinstance(answer, dict) or answer.get("status") != "success":
        raise PrometheusError(f"the query failed: {excerpt(json.dumps(answer))}")
    if answer.get("warnings") or answer.get("isPartial"):  # the latter is how VictoriaMetrics says it
        raise PrometheusError(f"the answer may be partial: {answer.get('warnings') or 'isPartial'}")
    data = answer.get("data")
    if not isinstance(data, dict) or data.get("resultType") != kind or not isinstance(data.get("result"), list):
        raise PrometheusError(f"the answer is not a {kind}")
    result: list[Any] = data["result"]
    return result


def decoded(text: str) -> Any:
    """Decode JSON series by series: `json.loads` would hold the interpreter's lock, and so the event loop, to the end.

    Raises:
        ValueError, RecursionError: It is no JSON, or nested too deeply.
    """
    value, end = _value(text, 0)
    if _after_space(text, end) != len(text):
        raise ValueError(f"something follows the answer: {excerpt(text[end : end + 100])}")
    return value


def _value(text: str, at: int, depth: int = 0) -> tuple[Any, int]:
    """The value that stands at a place, and where it ends."""
    at = _after_space(text, at)
    opening = text[at : at + 1]
    if depth == _SERIES or opening not in {"{", "["}:
        return _DECODE(text, at)
    closing = "}" if opening == "{" else "]"
    names: list[str] = []
    values: list[Any] = []
    at = _after_space(text, at + 1)
    while text[at : at + 1] != closing:
        if values:
            at = _after_space(text, _after(text, at, ","))
        if opening == "{":
            _after(text, at, '"')
            name, at = _DECODE(text, at)
            names.append(name)
            at = _after(text, _after_space(text, at), ":")
        value, at = _value(text, at, depth + 1)
        values.append(value)
        at = _after_space(text, at)
    return dict(zip(names, values, strict=True)) if opening == "{" else values, at + 1


def _after_space(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at


def _after(text: str, at: int, sign: str) -> int:
    if text[at : at + 1] != sign:
        raise ValueError(f"no {sign} at character {at} of the answer")
    return at + 1


def either(ranges: Sequence[str]) -> str:
    """Return a PromQL expression for the series of all ranges, which have none in common.

    As a balanced tree: in a chain, Prometheus looks at the series of the first range once for each of the others.
    """
    if len(ranges) == 1:
        return ranges[0]
    middle = len(ranges) // 2
    return " or ".join(
        half if len(part) == 1 else f"({half})" for part in (ranges[:middle], ranges[middle:]) if (half := either(part))
    )


def by_window(windows: Mapping[str, int]) -> list[tuple[int, list[str]]]:
    """Group Pods by their windows, the shortest first: those of one window share a range."""
    pods: defaultdict[int, list[str]] = defaultdict(list)
    for pod, window in windows.items():
        pods[window].append(pod)
    return sorted(pods.items())


def any_of(words: Collection[str]) -> str:
    """Return a PromQL string that matches each of some words and nothing else."""
    return quoted("|".join(re.escape(word) for word in sorted(words)))


def quoted(text: str) -> str:
    """Return a PromQL string; its escapes are those of Go, of which JSON's are a part.

    Prometheus takes the replacement character, unless it is escaped, for broken UTF-8, and refuses the question.
    """
    return json.dumps(text, ensure_ascii=False).replace("\N{REPLACEMENT CHARACTER}", r"\ufffd")


def excerpt(text: str | bytearray) -> str:
    """Return the beginning of what a server said, as one line."""
    return printable(text if isinstance(text, str) else text.decode(errors="replace"), 300)
