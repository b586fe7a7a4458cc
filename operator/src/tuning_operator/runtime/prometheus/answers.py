"""What all questions to Prometheus share: how names are written in them, and what makes an answer whole."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from tuning_operator.api.values import printable

if TYPE_CHECKING:
    from collections.abc import Collection


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


def any_of(words: Collection[str]) -> str:
    """A PromQL string that matches each of some words and nothing else."""
    return quoted("|".join(re.escape(word) for word in sorted(words)))


def quoted(text: str) -> str:
    """A PromQL string; its escapes are those of Go, of which JSON's are a part.

    Prometheus takes the replacement character, unless it is escaped, for broken UTF-8, and refuses the question.
    """
    return json.dumps(text, ensure_ascii=False).replace("\N{REPLACEMENT CHARACTER}", r"\ufffd")


def excerpt(text: str | bytearray) -> str:
    """The beginning of what a server said, as one line."""
    return printable(text if isinstance(text, str) else text.decode(errors="replace"), 300)
