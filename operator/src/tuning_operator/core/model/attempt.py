"""What the Pods of an attempt say about it: one Pod, or one for each node."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from tuning_operator.core.model.curves import Curve, Measurement


@dataclass(frozen=True, slots=True)
class Log:
    """What the sidecar made of a training's log.

    Attributes:
        lines: How many lines it has read.
        used: In how many of them it found a metric.
        refused: How many values or epochs it could not use.
        problem: What is wrong, in a sentence; empty if nothing is.
        sample: The first line with the problem.
    """

    lines: int
    used: int
    refused: int = 0
    problem: str = ""
    sample: str = ""


@dataclass(frozen=True, slots=True)
class History:
    """The measurements that a trainer left in its termination message.

    Attributes:
        curve: Epochs and values of the objective.
        complete: Whether that is all of them; a long history is thinned to fit, or cut by the kubelet.
        metrics: The last measurement of each metric in the message, the objective's among them.
        error: The last words of a training that failed.
        log: What the sidecar says of the log that it followed; None where there is no sidecar.
    """

    curve: Curve
    complete: bool
    metrics: Mapping[str, Measurement] = field(default_factory=dict)
    error: str = ""
    log: Log | None = None


@dataclass(frozen=True, slots=True)
class Exit:
    """How an attempt ended: `reason` is a CamelCase word, empty for success.

    Attributes:
        never_started: The training surely did not begin, so it cannot have reported anything.
    """

    code: int | None
    reason: str = ""
    message: str = ""
    never_started: bool = False

    @property
    def succeeded(self) -> bool:
        """Whether the training container exited with code 0."""
        return self.code == 0


@dataclass(frozen=True, slots=True)
class Waiting:
    """Why the training container does not run yet.

    Attributes:
        is_image_problem: Whether the container cannot be made, which fails the trial in the end.
        is_under_way: Whether it is being made and nothing is known to be wrong.
    """

    reason: str
    message: str = ""
    is_image_problem: bool = False
    is_under_way: bool = False


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt, as its Pod shows it, or as all Pods of its batch Job show it together (`core/lifecycle/nodes.py`).

    Attributes:
        name: The Pod's, or the batch Job's; so are `uid` and `resource_version`.
        due: From when on its node could make the training container: it had the node, and its init containers had
            ended. None before that, and where it is not known.
        exit: Set when the training container has ended, or the Pod as a whole has failed.
        ended: Every container has ended: the Pod holds no GPU any more.
        deletion_requested: When somebody asked for the Pod's deletion.
        disruption: Why the cluster, not the training, ended the attempt; None when it did not.
        resource_version: What of the Pod was seen; it is deleted only as long as that has not changed.
        missing: How many Pods of a batch Job do not exist.
        reporter: Name of the Pod of the first node, which reports; None for a Pod that is the attempt's only one.
    """

    name: str
    uid: str
    number: int
    created: datetime
    due: datetime | None = None
    started: datetime | None = None
    finished: datetime | None = None
    exit: Exit | None = None
    ended: bool = False
    deletion_requested: datetime | None = None
    disruption: str | None = None
    waiting: Waiting | None = None
    history: History | None = None
    resource_version: str = ""
    missing: int = 0
    reporter: str | None = None

    @property
    def deleting(self) -> bool:
        """Whether the Pod's deletion has been asked for."""
        return self.deletion_requested is not None

    @property
    def making_since(self) -> datetime:
        """Since when a node has tried to make the container; what it had to wait for before does not count."""
        return self.due or self.created

    @property
    def succeeded(self) -> bool:
        """Whether its training has ended with success."""
        return self.exit is not None and self.exit.succeeded

    @property
    def never_started(self) -> bool:
        """Whether its training is known not to have begun."""
        return self.exit is not None and self.exit.never_started

    @property
    def cut_short(self) -> bool:
        """Whether somebody deleted the Pod before its training ended.

        Kubernetes' times are whole seconds: within the same second a success is believed, and a failure is taken for
        the deletion's effect. The end comes from the node's clock, which may be slow: what a signal ended in a Pod
        that is being deleted was ended by the deletion.
        """
        if self.deletion_requested is None or self.exit is None:
            return False
        if self.exit.reason in _KILLED:
            return True
        if self.finished is None or self.finished > self.deletion_requested:
            return True
        return self.finished == self.deletion_requested and not self.exit.succeeded


_KILLED = frozenset({"ExitCode137", "ExitCode143"})
"""Ends by SIGKILL, where memory was not the reason, and by SIGTERM."""


class Scraping(StrEnum):
    """What Prometheus knows of a Pod without an epoch."""

    UNKNOWN = "Unknown"  # it was not asked, or not for long enough
    NO_TARGET = "NoTarget"  # it does not scrape the Pod at all
    FAILS = "Fails"  # it tries to, and gets no page
    WORKS = "Works"


@dataclass(frozen=True, slots=True)
class Reading:
    """What Prometheus answered about one Pod.

    Attributes:
        after_end: The question was asked well after the attempt's end was known, so that nothing can follow.
        scraping: Whether the Pod is scraped at all, as far as there is a reason to ask.
        asked: When it was asked. The same answer at a later time is nothing new.
    """

    curve: Curve
    after_end: bool = False
    scraping: Scraping = Scraping.UNKNOWN
    asked: datetime | None = field(default=None, compare=False)
