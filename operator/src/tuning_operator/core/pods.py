"""What a Pod's status tells about the attempt that it runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from tuning_operator.core.curves import Curve, Measurement


@dataclass(frozen=True, slots=True)
class History:
    """The measurements that a trainer left in its termination message.

    Attributes:
        curve: Epochs and values of the objective.
        complete: Whether that is all of them; a long history is thinned to fit 4 KiB.
        metrics: The last measurement of each metric in the message, the objective's among them.
    """

    curve: Curve
    complete: bool
    metrics: Mapping[str, Measurement] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Exit:
    """How an attempt ended: `reason` is a CamelCase word, empty for success."""

    code: int | None
    reason: str = ""
    message: str = ""

    @property
    def succeeded(self) -> bool:
        """Whether the training container exited with code 0."""
        return self.code == 0


@dataclass(frozen=True, slots=True)
class Waiting:
    """Why the training container does not run yet."""

    reason: str
    message: str = ""
    is_image_problem: bool = False


@dataclass(frozen=True, slots=True)
class PodFacts:
    """One attempt, as its Pod shows it.

    Attributes:
        exit: Set when the training container has ended, or the Pod as a whole has failed.
        ended: Every container has ended: the Pod holds no GPU any more.
        deletion_requested: When somebody asked for the Pod's deletion.
        disruption: Why the cluster, not the training, ended the attempt; None when it did not.
        resource_version: What of the Pod was seen; it is deleted only as long as that has not changed.
    """

    name: str
    uid: str
    attempt: int
    created: datetime
    started: datetime | None = None
    finished: datetime | None = None
    exit: Exit | None = None
    ended: bool = False
    deletion_requested: datetime | None = None
    disruption: str | None = None
    waiting: Waiting | None = None
    history: History | None = None
    resource_version: str = ""

    @property
    def deleting(self) -> bool:
        """Whether the Pod's deletion has been asked for."""
        return self.deletion_requested is not None


@dataclass(frozen=True, slots=True)
class Reading:
    """What Prometheus answered about one Pod.

    Attributes:
        after_end: The question was asked after the attempt's end was known, so that nothing can follow.
    """

    curve: Curve
    after_end: bool = False
