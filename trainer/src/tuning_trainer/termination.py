"""The history in the container's termination message: at most 4096 bytes of JSON that outlive the process.

The message is written while training goes on and again at the end: it survives a process that is killed.
"""

from __future__ import annotations

import json
import math
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    Epochs = Sequence[tuple[int, dict[str, float]]]

# What the kubelet reads of a termination message.
MAX_BYTES = 4096


def termination_message(
    history: Iterable[tuple[int, dict[str, float]]], objective: str | None, limit: int = MAX_BYTES
) -> bytes:
    """Render a history so that it fits into `limit` bytes.

    A history that is too long is thinned to epochs at equal distances, the last one always among them. Where
    not even that one fits with all of its metrics, only the objective stays.

    Args:
        history: (epoch, metrics) pairs, ascending.
        objective: the metric to keep when not all fit; where the run has no such metric, the first one.
        limit: size in bytes.
    """
    epochs = list(history)
    message = _thinned(epochs, limit)
    if message is None:
        names = list(dict.fromkeys(name for _, metrics in epochs for name in metrics))
        kept = objective if objective in names else names[0]
        message = _thinned([(e, {kept: m[kept]}) for e, m in epochs if kept in m], limit, completed=len(epochs))
    if message is None:
        raise ValueError(f"{limit} bytes are too few for one epoch of one metric")
    return message


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


def _thinned(epochs: Epochs, limit: int, completed: int | None = None) -> bytes | None:
    """The message with as many epochs as fit, or nothing when not even the last one does."""
    total = len(epochs)
    count = total if completed is None else completed

    def spread(kept: int) -> bytes:
        chosen = [epochs[total - 1 - index * total // kept] for index in reversed(range(kept))]
        return _render(chosen, completed=count, thinned=kept < count)

    # An epoch takes more than two bytes, which bounds what is worth rendering.
    fits, top = min(1, total), min(total, limit // 2)
    if len(spread(fits)) > limit:
        return None
    while fits < top:
        middle = (fits + top + 1) // 2
        if len(spread(middle)) <= limit:
            fits = middle
        else:
            top = middle - 1
    return spread(fits)


def _render(epochs: Epochs, *, completed: int, thinned: bool) -> bytes:
    names = dict.fromkeys(name for _, metrics in epochs for name in metrics)
    document = {
        "epochs": [epoch for epoch, _ in epochs],
        "metrics": {name: [_number(metrics.get(name)) for _, metrics in epochs] for name in names},
        "completed": completed,
        "thinned": thinned,
    }
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()


def _number(value: float | None) -> float | str | None:
    """A value as JSON has it; an epoch without the metric has null."""
    if value is None or math.isfinite(value):
        return value
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"
