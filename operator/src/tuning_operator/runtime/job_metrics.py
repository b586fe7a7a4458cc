"""Metrics of each job, for dashboards: they appear with the job's first pass and go with the job.

Labels are a job's namespace and name and a few fixed words, and the number of jobs is bounded, so that no user can fill
a Prometheus by creating jobs. They are not called `namespace` and `job`, which a scrape sets itself.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import accumulate
from typing import TYPE_CHECKING

from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from tuning_operator.core.model.conditions import ConditionType
from tuning_operator.core.model.trial import TrialPhase

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from prometheus_client.core import Metric

    from tuning_operator.core.model.attempt import Attempt
    from tuning_operator.core.model.snapshot import Snapshot
    from tuning_operator.core.report.summary import JobStatus
    from tuning_operator.runtime.queue import JobKey

MOST_JOBS = 500
"""With more jobs, those that ended first are left out, then those that came last."""
_TURNAROUND = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600)
_JOB = ("tuning_namespace", "tuning_job")
_STATUS = {"True": 1.0, "False": 0.0}


_NEVER = datetime.min.replace(tzinfo=UTC)
_END, _START = 0, 1  # in this order at the same second


@dataclass(slots=True)
class _Slots:
    """When slots became free, and how long it took until the next training ran in them.

    Only what two passes saw counts: after a restart of the operator a slot's past is unknown.
    """

    looked: datetime = _NEVER
    started: set[str] | None = None
    running: set[str] = field(default_factory=set)
    freed: deque[datetime] = field(default_factory=deque)
    counts: list[int] = field(default_factory=lambda: [0] * (len(_TURNAROUND) + 1))
    seconds: float = 0.0

    def update(self, attempts: list[Attempt], now: datetime, slots: int) -> None:
        """Compare with the pass before.

        Args:
            attempts: All of the job's that there are.
            now: When they were seen.
            slots: At most this many wait for a training; earlier ends belong to other waits.
        """
        known, started = {attempt.uid: attempt for attempt in attempts}, self.started
        # Of a Pod that is gone only the last look is known, which was before the next one's start.
        events = [(self.looked, _END) for uid in self.running if uid not in known]
        events += [(known[uid].finished or now, _END) for uid in self.running if uid in known and known[uid].ended]
        for attempt in attempts:
            if attempt.started and started is not None and attempt.uid not in started:
                events.append((attempt.started, _START))
                events += [(attempt.finished or now, _END)] if attempt.ended else []
        self.looked = now
        self.started = {attempt.uid for attempt in attempts if attempt.started}
        self.running = {attempt.uid for attempt in attempts if attempt.started and not attempt.ended}
        for when, kind in sorted((min(when, now), kind) for when, kind in events):  # a node's clock may be ahead
            if kind == _END:
                self.freed.append(when)
            elif self.freed:
                self._observe(max(0.0, (when - self.freed.popleft()).total_seconds()))
        while len(self.freed) > slots:
            self.freed.popleft()

    def _observe(self, seconds: float) -> None:
        self.counts[bisect_left(_TURNAROUND, seconds)] += 1
        self.seconds += seconds


@dataclass(slots=True)
class _Shown:
    """What is shown of a job."""

    slots: _Slots = field(default_factory=_Slots)
    summary: JobStatus | None = None
    epochs: int = 0
    held: Mapping[str, int] = field(default_factory=dict)


class JobMetrics(Collector):
    """The jobs seen last, collected at the moment of a scrape."""

    def __init__(self) -> None:
        self._jobs: dict[JobKey, _Shown] = {}
        self._left_out: set[JobKey] = set()

    def update(self, key: JobKey, snapshot: Snapshot, summary: JobStatus) -> None:
        """Replace what is shown of a job."""
        shown = self._jobs.get(key) or self._admitted(key)
        if shown is None:
            return
        attempts = [attempt for those in snapshot.attempts.values() for attempt in those]
        held = [attempt for attempt in attempts if not attempt.ended]
        busy = sum(attempt.started is not None for attempt in held)
        spec = snapshot.job.spec
        most = 0 if summary.phase.is_final or spec.suspend else spec.limits.max_parallel_trials
        shown.slots.update(attempts, snapshot.now, most)
        shown.summary = summary
        shown.epochs = sum(trial.curve.count for trial in snapshot.trials)
        shown.held = {"busy": busy, "waiting": len(held) - busy, "idle": max(0, most - len(held))}

    def forget(self, key: JobKey) -> None:
        """Drop a job that is gone."""
        self._jobs.pop(key, None)
        self._left_out.discard(key)

    def _admitted(self, key: JobKey) -> _Shown | None:
        if len(self._jobs) >= MOST_JOBS:
            ended = (other for other, shown in self._jobs.items() if shown.summary and shown.summary.phase.is_final)
            oldest = next(ended, None)
            if oldest is None:
                self._left_out.add(key)
                return None
            self._left_out.add(oldest)
            del self._jobs[oldest]
        self._left_out.discard(key)
        return self._jobs.setdefault(key, _Shown())

    def describe(self) -> Iterator[Metric]:
        """The families without samples, as the registry asks for them."""
        return iter(_Families())

    def collect(self) -> Iterator[Metric]:
        """The families with the samples of this moment."""
        families = _Families()
        families.left_out.add_metric([], len(self._left_out))
        for key, shown in list(self._jobs.items()):
            if shown.summary:
                families.add(key, shown, shown.summary)
        return iter(families)


class _Families:
    def __init__(self) -> None:
        name = "tuning_operator_job"
        self.best = GaugeMetricFamily(f"{name}_best_objective", "Best objective so far.", labels=_JOB)
        self.trials = GaugeMetricFamily(f"{name}_trials", "Trials by phase.", labels=(*_JOB, "phase"))
        self.seconds = GaugeMetricFamily(
            f"{name}_training_seconds", "Seconds of training of all trials that have ended.", labels=_JOB
        )
        self.epochs = GaugeMetricFamily(f"{name}_epochs", "Epochs with a known value.", labels=_JOB)
        self.saved = GaugeMetricFamily(
            f"{name}_saved_epochs", "Epochs saved by early stopping, estimated.", labels=_JOB
        )
        self.slots = GaugeMetricFamily(f"{name}_slots", "Slots by state.", labels=(*_JOB, "state"))
        self.conditions = GaugeMetricFamily(
            f"{name}_condition", "1 if the condition is True, else 0.", labels=(*_JOB, "type")
        )
        self.turnaround = HistogramMetricFamily(
            f"{name}_slot_turnaround_seconds",
            "Seconds from the end of a training to the start of the next one in its slot.",
            labels=_JOB,
        )
        self.left_out = GaugeMetricFamily("tuning_operator_jobs_without_metrics", "Jobs left out of the metrics.")

    def __iter__(self) -> Iterator[Metric]:
        return iter(vars(self).values())

    def add(self, key: JobKey, shown: _Shown, summary: JobStatus) -> None:
        """Add a job's samples."""
        job = [key.namespace, key.name]
        best = summary.best.measured if summary.best else None
        if best:
            self.best.add_metric(job, best.value)
        for phase in TrialPhase:
            self.trials.add_metric([*job, phase], summary.phases.get(phase, 0))
        self.seconds.add_metric(job, summary.total_training_seconds)
        self.epochs.add_metric(job, shown.epochs)
        self.saved.add_metric(job, summary.early_stopping.stopped.epochs if summary.early_stopping else 0)
        for state, count in shown.held.items():
            self.slots.add_metric([*job, state], count)
        for kind in ConditionType:
            status = summary.conditions[kind].status if kind in summary.conditions else "False"
            if status in _STATUS:  # what is unknown is neither
                self.conditions.add_metric([*job, kind], _STATUS[status])
        bounds = [*(f"{bound:g}" for bound in _TURNAROUND), "+Inf"]
        counts = list(zip(bounds, map(float, accumulate(shown.slots.counts)), strict=True))
        self.turnaround.add_metric(job, counts, shown.slots.seconds)
