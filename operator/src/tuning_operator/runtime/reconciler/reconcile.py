"""One pass over a job: observe, decide, commit, act. Create, resume, update and the clock all run this.

The intent is recorded before it is acted on: a trial before its Pod is created, a stop decision before its Pod is
deleted. If a pass dies, the next one completes it.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from typing import TYPE_CHECKING, TypeVar

from tuning_operator.api.podoptions import PodOptions
from tuning_operator.core.decide import decide
from tuning_operator.core.lifecycle.slots import LOOK_AGAIN, held_slots
from tuning_operator.core.model.conditions import Condition, ConditionType
from tuning_operator.core.model.sources import Gauges
from tuning_operator.core.model.spec import Strategy
from tuning_operator.core.model.trial import TrialPhase
from tuning_operator.runtime import metrics
from tuning_operator.runtime.kubernetes.errors import ApiError
from tuning_operator.runtime.prometheus.interest import Interest
from tuning_operator.runtime.reconciler.act import Added, Created, create_attempts, create_trial, delete_attempts
from tuning_operator.runtime.reconciler.commit import commit_trials
from tuning_operator.runtime.reconciler.curvebudget import CurveBudget
from tuning_operator.runtime.reconciler.identity import Identity
from tuning_operator.runtime.reconciler.observe import observe
from tuning_operator.runtime.reconciler.parents import Parents
from tuning_operator.runtime.reconciler.refusals import Refusals
from tuning_operator.runtime.reconciler.status import JobStatuses

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

    from tuning_operator.api.job import TuningJob
    from tuning_operator.core.lifecycle.decision import Decision
    from tuning_operator.core.model.job import Job
    from tuning_operator.core.model.notice import Notice
    from tuning_operator.core.model.snapshot import Snapshot
    from tuning_operator.core.model.trial import Trial
    from tuning_operator.runtime.job_metrics import JobMetrics
    from tuning_operator.runtime.kubernetes.events import EventRecorder
    from tuning_operator.runtime.kubernetes.store import Store
    from tuning_operator.runtime.prometheus.poller import MetricsPoller
    from tuning_operator.runtime.queue import JobKey
    from tuning_operator.runtime.reconciler.observe import Observed
    from tuning_operator.runtime.suggestions import Suggester

logger = logging.getLogger(__name__)

Item = TypeVar("Item")

_DEFAULTS = PodOptions()
_MEASURED = frozenset({TrialPhase.RUNNING, TrialPhase.STOPPING, TrialPhase.COLLECTING})


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a pass ended.

    Attributes:
        again: Something was created that the next pass builds on.
        wake_after: Time after which to look again in any case.
    """

    again: bool = False
    wake_after: timedelta | None = None

    def by(self, *waits: timedelta | None) -> Outcome:
        """Return the same outcome, due again after each of these times or sooner."""
        known = [wait for wait in (self.wake_after, *waits) if wait is not None]
        return replace(self, wake_after=min(known, default=None))


class Reconciler:
    """Runs passes; remembers between them only which Pods were refused, and what was read of parents."""

    def __init__(
        self,
        store: Store,
        poller: MetricsPoller,
        suggester: Suggester,
        recorder: EventRecorder,
        options: PodOptions = _DEFAULTS,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        wake: Callable[[JobKey], None] = lambda _: None,
        is_urgent: Callable[[JobKey], bool] = lambda _: False,
        job_metrics: JobMetrics | None = None,
    ) -> None:
        self._store = store
        self._poller = poller
        self._suggester = suggester
        self._recorder = recorder
        self._identity = Identity(store, options)
        self._clock = clock
        self._statuses = JobStatuses(store, metrics.TrialGauge(), job_metrics)
        self._curves = CurveBudget()
        self._is_urgent = is_urgent
        self._refusals = Refusals(wake)
        self._parents = Parents(store)
        self._at_once: dict[JobKey, int] = {}
        """Pods of a job that are created together next, since none was refused last time."""
        self._closing = False

    async def reconcile(self, key: JobKey) -> Outcome:
        """Advance one job.

        Raises:
            ApiError: A request failed; Conflict means that something changed meanwhile.
            InvalidJobError: The job is not understood.
        """
        observed = await observe(
            self._store,
            key,
            self._poller.readings(key),
            self._conditions(key),
            self._poller.answering_since(key.namespace),
            self._clock(),
            self._parents,
            self._identity,
        )
        if observed is None:
            self.forget(key)
            return Outcome()
        tuning_job, snapshot, job = observed.tuning_job, observed.snapshot, observed.tuning_job.job
        decision = decide(snapshot)
        if decision.delete_job:
            return await self._delete_job(key, tuning_job)
        if decision.phase.is_final and not job.phase.is_final and not self._store.is_sure(key):
            self._store.doubt_job(key)  # the end is for good: no old knowledge decides it
            return Outcome(again=True)
        if decision.suggest is not None:
            self._suggester.prepare(key, decision.suggest)  # it is computed while the statuses are written
        if job.spec.strategy is Strategy.BAYESIAN and not decision.phase.is_final:
            self._suggester.expect(key)
        committed = await commit_trials(self._store, snapshot, decision.changed)
        try:
            if committed.failures:
                raise next(iter(committed.failures.values()))
            outcome = await self._act(key, observed, decision, committed.versions)
        except ApiError:
            # What has been committed of trials stands, and the next pass will not tell of it again.
            failed = committed.failures
            self._tell(job, (item for item in decision.notices if item.trial and item.trial.name not in failed))
            raise
        return await self._write_curves(key, snapshot, decision, outcome)

    async def _write_curves(self, key: JobKey, snapshot: Snapshot, decision: Decision, outcome: Outcome) -> Outcome:
        """Write curves that have grown, a few at a time; the rest waits while there is other work."""
        recorded = {trial.name: trial.curve.count for trial in snapshot.trials}
        left = list(decision.grown)
        while not self._closing:
            chosen = self._curves.chosen(key, left, recorded, is_urgent=self._is_urgent(key))
            if not chosen:
                break
            committed = await commit_trials(self._store, snapshot, chosen)
            if committed.failures:
                raise next(iter(committed.failures.values()))
            left = [trial for trial in left if trial.name not in committed.versions]
            if self._is_urgent(key):
                break
        return outcome.by(self._curves.pause(key)) if left else outcome

    async def _act(self, key: JobKey, observed: Observed, decision: Decision, versions: Mapping[str, str]) -> Outcome:
        """Carry out what has been committed, and report it."""
        tuning_job, snapshot = observed.tuning_job, observed.snapshot
        await delete_attempts(self._store, key, snapshot.job, decision)
        if self._closing:
            return Outcome()
        due = [
            replace(trial, resource_version=versions.get(trial.name, trial.resource_version))
            for trial in decision.create_attempts
        ]
        if not due:
            self._refusals.forget(key)
        made = await self._create_pods(key, observed, due, versions)
        added = await self._add_trials(key, tuning_job, decision)
        fresh = [item.trial for item in added if item.trial]
        if fresh and made.pause is None:
            made += await self._create_pods(key, observed, fresh, {item.name for item in fresh}, made.count)
        self._watch_metrics(key, snapshot, decision)
        self._tell(snapshot.job, (*decision.notices, *made.notices, *(item.notice for item in added)))
        unshown = await self._statuses.write(key, observed, replace(decision, trials=(*decision.trials, *fresh)))
        look = None if observed.is_overheard or decision.phase.is_final else LOOK_AGAIN
        return Outcome(again=len(added) > len(fresh) or made.moved).by(decision.wake_after, made.pause, look, unshown)

    def close(self) -> None:
        """From now on record decisions, and start nothing."""
        self._closing = True

    async def _delete_job(self, key: JobKey, tuning_job: TuningJob) -> Outcome:
        await self._store.delete_job(*key, tuning_job.job.uid, tuning_job.resource_version)
        logger.info("job %s/%s: deleted, as spec.ttlSecondsAfterFinished says", *key)
        self.forget(key)
        return Outcome()

    def forget(self, key: JobKey) -> None:
        """Drop everything remembered of a job that is gone."""
        self._poller.watch(key, {})
        self._suggester.forget(key)
        self._statuses.forget(key)
        self._store.forget(key)
        self._curves.forget(key)
        self._at_once.pop(key, None)
        self._refusals.forget(key)
        self._parents.forget(key)
        self._identity.forget(key)

    def quota_freed(self, namespace: str) -> None:
        """Note that something that may have used quota has ended."""
        self._refusals.freed(namespace, self._clock())

    def has_written(self, key: JobKey, version: str) -> bool:
        """Whether a version of a job is what a pass made of it."""
        return self._statuses.has_written(key, version)

    async def report_failure(self, key: JobKey, message: str) -> None:
        """Show in the job's conditions that a pass failed."""
        await self._statuses.report_failure(key, message, self._clock())

    def _conditions(self, key: JobKey) -> dict[str, Condition]:
        reconciled = Condition(ConditionType.RECONCILED, "True", "Reconciled", "the last pass succeeded")
        found: dict[str, Condition] = {reconciled.type: reconciled}
        about_metrics = self._poller.condition(key.namespace)
        if about_metrics is not None:
            found[about_metrics.type] = about_metrics
        refusal = self._refusals.condition(key)
        if refusal is not None:
            found[refusal.type] = refusal
        return found

    async def _create_pods(
        self, key: JobKey, observed: Observed, trials: list[Trial], sure: Collection[str], before: int = 0
    ) -> Created:
        """Create the Pods of trials, after some others in the same pass, unless it is too early to ask again."""
        snapshot = observed.snapshot
        held = held_slots(snapshot) + before
        pause = self._refusals.pause(key, held, snapshot.now)
        if pause is not None:
            return Created(pause=pause)
        made = await create_attempts(
            self._store,
            key,
            observed.tuning_job,
            trials,
            self._identity,
            snapshot.now,
            sure,
            lambda: self._closing,
            self._at_once.pop(key, 1),
        )
        if made.refusal is None:
            self._at_once[key] = made.at_once
            self._refusals.forget(key)
            made.pause = LOOK_AGAIN if made.waiting else None
        else:
            self._refusals.record(key, made.refusal, held, made.count, snapshot.now)
            made.pause = self._refusals.pause(key, held + made.count, snapshot.now)
        return made

    async def _add_trials(self, key: JobKey, tuning_job: TuningJob, decision: Decision) -> list[Added]:
        """Commit the next suggestions, if they are computed, or the next repetitions."""
        if decision.suggest is None:
            self._suggester.drop(key)
            found = decision.repeat
        else:
            found = self._suggester.take(key, decision.suggest)
        job, suggestions = tuning_job.job, self._while_open(found)
        # One after the other: where one fails, no number is left out.
        return [await create_trial(self._store, key, job, item, self._identity) for item in suggestions]

    def _while_open(self, items: Iterable[Item]) -> Iterator[Item]:
        """Yield items as they are asked for, and no more once the operator must end."""
        return takewhile(lambda _: not self._closing, items)

    def _watch_metrics(self, key: JobKey, snapshot: Snapshot, decision: Decision) -> None:
        metric, source = snapshot.job.spec.objective.metric, snapshot.job.spec.source
        gauges = source if isinstance(source, Gauges) else None
        interests = {}
        for trial in decision.trials:
            if trial.phase in _MEASURED:
                name, pod = trial.reporter, snapshot.attempt(trial)
                created = pod.created if pod else trial.status.start_time
                interests[name] = Interest(
                    name, metric, created, trial.status.completion_time, gauges, trial.status.start_time
                )
        self._poller.watch(key, interests)

    def _tell(self, job: Job, notices: Iterable[Notice]) -> None:
        for notice in notices:
            self._recorder.record(notice, job)
