"""Conditions of a job, their types, and how much text a status holds."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ConditionType(StrEnum):
    """Types of a job's conditions."""

    TEMPLATE_VALID = "TemplateValid"
    METRICS_AVAILABLE = "MetricsAvailable"
    PARENTS_READY = "ParentsReady"
    QUOTA_EXCEEDED = "QuotaExceeded"
    RECONCILED = "Reconciled"
    STALLED = "Stalled"
    WAITING = "Waiting"
    SUSPENDED = "Suspended"
    COMPLETE = "Complete"
    STOPPED = "Stopped"
    FAILED = "Failed"
    FINISHED = "Finished"


MAX_MESSAGE = 1024
"""Characters that a TuningTrial's status holds; what is read again must compare equal to it."""


def fitting(head: str, words: str, limit: int = MAX_MESSAGE) -> str:
    """Join the two; if they do not fit, keep the end of a program's last words, where its error is."""
    room = max(0, limit - len(head))
    return head + (words if len(words) <= room else words[len(words) - room :])


@dataclass(frozen=True, slots=True)
class Condition:
    """A `metav1.Condition`; whoever writes it keeps the time of its last change."""

    type: str
    status: str  # "True", "False" or "Unknown"
    reason: str
    message: str = ""
