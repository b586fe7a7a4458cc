"""The history in the container's termination message: a few kilobytes of JSON that outlive the process.

The message is written during training and again at the end: it survives a process that is killed. What it says
beside the history (the last words of a training that failed, how a log was read) takes room from the history, never
from its last epoch.
"""

from __future__ import annotations

import json
import math
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    Epochs = Sequence[tuple[float, dict[str, float]]]

MAX_BYTES = 4096
"""What the kubelet reads of one container's message; a Pod of more than three containers has less for each."""
MAX_WORDS = 1000
"""Bytes of a training's last words."""


def termination_message(
    history: Iterable[tuple[float, dict[str, float]]],
    objective: str | None,
    limit: int = MAX_BYTES,
    *,
    error: str = "",
    log: Mapping[str, int | str] | None = None,
) -> bytes:
    """Render a history within `limit` bytes.

    A history that is too long is thinned to epochs at equal distances, the last one always among them, and where three
    fit those of the objective's largest and least value: one of them is the best. Where not even the last one fits with
    all of its metrics, only the objective stays; where the objective does not fit either,
    the number of epochs.

    Args:
        history: (epoch, metrics) pairs, ascending.
        objective: the metric to keep when not all fit; where the run has no such metric, the first one.
        limit: size in bytes.
        error: the last words of a training that failed; their end is kept.
        log: how the log was read that the history came from.
    """
    epochs = list(history)
    for more in _beside(error, log or {}, limit):
        message = _thinned(epochs, objective, limit, more) or _objective_only(epochs, objective, limit, more)
        if message is not None:
            return message
    message = _render([], more={}, completed=len(epochs), thinned=bool(epochs))
    return message if len(message) <= limit else b""


def write_message(path: Path, message: bytes, *, create: bool) -> None:
    """Put the message in place of the file's content, in one write: the process may be killed at any time.

    Args:
        path: the file, in Kubernetes a mount of the kubelet's.
        message: its new content.
        create: make the file where there is none; else that is an error.

    Raises:
        OSError: the file is not there or cannot be written.
    """
    descriptor = os.open(path, os.O_WRONLY | (os.O_CREAT if create else 0), 0o644)
    try:
        os.pwrite(descriptor, message, 0)
        os.ftruncate(descriptor, len(message))
    finally:
        os.close(descriptor)


def _beside(error: str, log: Mapping[str, int | str], limit: int) -> Iterable[dict[str, Any]]:
    """Yield what to write besides the history, from everything to nothing: a small message is for the last epoch."""
    words = _last(error, min(MAX_WORDS, limit // 4))
    entry = {key: _first(value, limit // 4) if isinstance(value, str) else value for key, value in log.items()}
    yield ({"error": words} if words else {}) | ({"log": entry} if entry else {})
    if words or entry:
        brief = {key: value for key, value in entry.items() if key != "sample"}
        yield {"log": brief} if brief else {}
        yield {}


def _first(text: str, limit: int) -> str:
    """Return the longest beginning that fits as JSON."""
    return text if _size(text) <= limit else text[: _fitting(lambda kept: _size(text[:kept]) <= limit, len(text))]


def _last(text: str, limit: int) -> str:
    """As much of the end as JSON has room for."""
    text = text[-limit:]
    return (
        text if _size(text) <= limit else text[len(text) - _fitting(lambda n: _size(text[-n:]) <= limit, len(text)) :]
    )


def _size(text: str) -> int:
    return len(_json(text)) - 2


def _thinned(
    epochs: Epochs, objective: str | None, limit: int, more: Mapping[str, Any], completed: int | None = None
) -> bytes | None:
    """Return the message with all epochs that fit, or nothing if not even the last one does."""
    total = len(epochs)
    count = total if completed is None else completed
    extremes = _extremes(epochs, objective)

    def spread(kept: int) -> bytes:
        apart = extremes if len(extremes) < kept < total else set()
        even = kept - len(apart)
        places = sorted(apart | {total - 1 - index * total // even for index in range(even)})
        return _render([epochs[place] for place in places], more=more, completed=count, thinned=kept < count)

    # An epoch takes more than two bytes, which bounds what is worth rendering.
    fits = _fitting(lambda kept: len(spread(kept)) <= limit, min(total, limit // 2))
    whole = spread(fits)
    return whole if len(whole) <= limit and (fits or not total) else None


def _extremes(epochs: Epochs, objective: str | None) -> set[int]:
    """Where the objective is largest and least, the first of equals each."""
    known = [(m[objective], e) for e, (_, m) in enumerate(epochs) if objective in m and math.isfinite(m[objective])]
    if not known:
        return set()
    return {min(known)[1], max(known, key=lambda pair: (pair[0], -pair[1]))[1]}


def _objective_only(epochs: Epochs, objective: str | None, limit: int, more: Mapping[str, Any]) -> bytes | None:
    names = list(dict.fromkeys(name for _, metrics in epochs for name in metrics))
    if not names:
        return None
    kept = objective if objective in names else names[0]
    return _thinned([(e, {kept: m[kept]}) for e, m in epochs if kept in m], kept, limit, more, completed=len(epochs))


def _fitting(fits: Callable[[int], bool], most: int) -> int:
    """The largest number up to `most` that fits, 0 where none does."""
    least = 0
    while least < most:
        middle = (least + most + 1) // 2
        least, most = (middle, most) if fits(middle) else (least, middle - 1)
    return least


def _render(epochs: Epochs, *, more: Mapping[str, Any], completed: int, thinned: bool) -> bytes:
    names = dict.fromkeys(name for _, metrics in epochs for name in metrics)
    document = {
        "epochs": [epoch for epoch, _ in epochs],
        "metrics": {name: [_number(metrics.get(name)) for _, metrics in epochs] for name in names},
        "completed": completed,
        "thinned": thinned,
        **more,
    }
    return _json(document)


def _json(document: object) -> bytes:
    # A traceback or a log may have halves of characters, which UTF-8 has no bytes for.
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode(errors="replace")


def _number(value: float | None) -> float | str | None:
    """A value as JSON has it; an epoch without the metric has null."""
    if value is None or math.isfinite(value):
        return value
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"
