"""Text that users and trainings wrote, made fit for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


def plain(text: object) -> str:
    """Return one line without anything that a terminal would obey."""
    return "".join(letter if letter.isprintable() else " " for letter in str(text))


def number(value: float | str) -> str:
    """Return a number for people: four significant digits."""
    return f"{float(value):.4g}"


def duration(seconds: float) -> str:
    """Return time as kubectl writes it, in at most two units: `45s`, `12m30s`, `3h20m`, `5d4h`."""
    left, parts = max(0, round(seconds)), []
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)):
        count, left = divmod(left, size)
        if count:
            parts.append((unit, f"{count}{unit}"))
    if not parts:
        return "0s"
    order = "dhms"
    following = [text for unit, text in parts[1:2] if order.index(unit) == order.index(parts[0][0]) + 1]
    return "".join([parts[0][1], *following])


def age(since: datetime | None, now: datetime) -> str:
    """Return how long ago something was; empty if that is not known."""
    return duration((now - since).total_seconds()) if since else ""
