"""What to write of a status: only what differs from the recorded one."""

from __future__ import annotations

from typing import Any


def difference(recorded: Any, wanted: dict[str, Any]) -> dict[str, Any]:
    """Return a merge patch from one status to the other; maps in it are replaced key by key."""
    patch: dict[str, Any] = {name: None for name in recorded if name not in wanted}
    for name, value in wanted.items():
        known = recorded.get(name)
        if known == value:
            continue
        if isinstance(value, dict) and isinstance(known, dict):
            patch[name] = difference(known, value)
        else:
            patch[name] = value
    return patch
