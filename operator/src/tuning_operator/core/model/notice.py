"""What users should hear about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tuning_operator.core.model.trial import Trial


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that users should see as an Event, on a trial or, with None, on the job.

    Attributes:
        count: How often it has happened, where only the first occurrence is reported.
    """

    reason: str
    message: str
    trial: Trial | None = None
    warning: bool = False
    count: int | None = None
