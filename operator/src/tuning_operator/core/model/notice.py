"""What people are to hear about."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that users should see as an Event, on a trial (by name) or on the job (None)."""

    reason: str
    message: str
    trial: str | None = None
    warning: bool = False
