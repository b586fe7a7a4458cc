"""Remembers who has used a thing for how long, and forgets it with time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

HALF_LIFE = 300.0
"""Seconds after which half of the past use is forgotten."""
_NEGLIGIBLE = 0.01  # seconds of use that are no longer remembered


@dataclass(slots=True)
class Usage:
    """Seconds of use by job and by namespace, forgotten exponentially."""

    seconds: dict[Hashable, float] = field(default_factory=dict)
    at: float = 0.0

    def of(self, user: Hashable) -> float:
        """Return how much one has used, on the scale of the last charge."""
        return self.seconds.get(user, 0.0)  # all are forgotten at the same rate, so that their order stays

    def charge(self, users: Iterable[Hashable], seconds: float, now: float) -> None:
        """Add seconds to what each of these users has used; forget what has become negligible."""
        left = 0.5 ** ((now - self.at) / HALF_LIFE)
        self.at = now
        used = {user: before * left for user, before in self.seconds.items()}
        used |= {user: used.get(user, 0.0) + seconds for user in users}
        self.seconds = {user: amount for user, amount in used.items() if amount > _NEGLIGIBLE}
