"""Trainings that several tests play."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cluster.played_kubelet import Training

if TYPE_CHECKING:
    from collections.abc import Mapping


def rising(parameters: Mapping[str, Any], _pod: str) -> Training:
    """A curve that rises to x within eight epochs."""
    x = float(parameters["x"])
    return Training(tuple(round(x * epoch / 8, 6) for epoch in range(1, 9)))
