"""Builds jobs, trials, Pods and snapshots of which a test names only what matters to it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from tuning_operator.core.model.attempt import Attempt, Exit, Reading
from tuning_operator.core.model.conditions import Condition
from tuning_operator.core.model.curves import Curve, Goal
from tuning_operator.core.model.early_stopping import EarlyStopping
from tuning_operator.core.model.job import Job, JobPhase
from tuning_operator.core.model.snapshot import Snapshot
from tuning_operator.core.model.spec import (
    Confirm,
    Criteria,
    JobSpec,
    Limits,
    Objective,
    PodCleanup,
    Strategy,
    SuspendPolicy,
)
from tuning_operator.core.model.trial import Trial, TrialPhase, TrialStatus
from tuning_operator.core.space import Continuous, Space

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

NOW = datetime(2026, 5, 4, 12, 0, 0, tzinfo=UTC)
SPACE = Space((Continuous("lr", 0.0, 1.0),))
ACCEPTED = Condition("TemplateValid", "True", "Accepted")


def ago(seconds: float) -> datetime:
    """A time before NOW."""
    return NOW - timedelta(seconds=seconds)


def curve(*values: float, first: int = 1) -> Curve:
    """A curve without gaps."""
    return Curve.of(enumerate(values, start=first))


def trial(number: int = 1, phase: TrialPhase = TrialPhase.PENDING, *, deleting: bool = False, **status: Any) -> Trial:
    """A trial of the job `job`; `status` are fields of TrialStatus."""
    return Trial(
        name=f"job-{number:04d}",
        number=number,
        parameters={"lr": number / 10_000},
        seed=number,
        uid=f"trial-uid-{number}",
        resource_version="1",
        deleting=deleting,
        status=TrialStatus(phase=phase, **status),
    )


def ended(number: int, *values: float, phase: TrialPhase = TrialPhase.COMPLETED) -> Trial:
    """A trial that has ended with this curve."""
    return trial(number, phase, attempt_uid=f"pod-uid-{number}-1", curve=curve(*values), completion_time=ago(60))


def pod(number: int = 1, attempt: int = 1, **facts: Any) -> Attempt:
    """A Pod that waits for its node, unless `facts` say more."""
    known: dict[str, Any] = {
        "name": f"job-{number:04d}-{attempt}",
        "uid": f"pod-uid-{number}-{attempt}",
        "number": attempt,
        "created": ago(100),
    }
    return Attempt(**(known | facts))


def running_pod(number: int = 1, attempt: int = 1, **facts: Any) -> Attempt:
    """A Pod that trains since 90 s."""
    return pod(number, attempt, **({"started": ago(90)} | facts))


def ended_pod(number: int = 1, attempt: int = 1, code: int | None = 0, **facts: Any) -> Attempt:
    """A Pod that trained from 90 s ago to 10 s ago."""
    ending = Exit(code) if code == 0 else Exit(code, f"ExitCode{code}", "it broke")
    return pod(number, attempt, **({"started": ago(90), "finished": ago(10), "exit": ending, "ended": True} | facts))


def job(
    *,
    trials: int = 10,
    parallel: int = 2,
    max_failed: int | None = None,
    duration: timedelta | None = None,
    target: float | None = None,
    goal: Goal = Goal.MAXIMIZE,
    space: Space = SPACE,
    early_stopping: EarlyStopping | None = None,
    suspend: bool = False,
    attempts: int = 1,
    start_deadline: timedelta | None = None,
    suspend_policy: SuspendPolicy = SuspendPolicy.DRAIN,
    stop: bool = False,
    completion: Criteria | None = None,
    ttl_after_finished: timedelta | None = None,
    pod_cleanup: PodCleanup = PodCleanup.KEEP,
    nodes: int = 1,
    checkpoint_dir: str | None = None,
    seed: int | None = 7,
    static: Mapping[str, str] | None = None,
    parents: tuple[str, ...] = (),
    transfer: bool = False,
    confirm: Confirm | None = None,
    conditions: Iterable[Condition] = (ACCEPTED,),
    phase: JobPhase = JobPhase.RUNNING,
    **recorded: Any,
) -> Job:
    """A running job with an accepted template and one parameter, `lr`; `recorded` are further fields of Job."""
    spec = JobSpec(
        strategy=Strategy.RANDOM,
        objective=Objective("validation:accuracy", goal, target),
        space=space,
        limits=Limits(trials, parallel, max_failed, duration),
        early_stopping=early_stopping or EarlyStopping(),
        max_attempts=attempts,
        start_deadline=start_deadline,
        static_parameters=static or {},
        seed=seed,
        suspend=suspend,
        suspend_policy=suspend_policy,
        stop=stop,
        completion=completion or Criteria(),
        ttl_after_finished=ttl_after_finished,
        pod_cleanup=pod_cleanup,
        parents=parents,
        transfer=transfer,
        nodes=nodes,
        confirm=confirm,
        checkpoint_dir=checkpoint_dir,
    )
    generation = recorded.get("generation", 1)
    known: dict[str, Any] = {"start_time": ago(1000), "generation": 1, "observed_generation": generation}
    return Job(
        name="job",
        namespace="ns",
        uid="job-uid",
        spec=spec,
        phase=phase,
        conditions={item.type: item for item in conditions},
        **(known | recorded),
    )


def snapshot(
    a_job: Job,
    trials: Iterable[Trial] = (),
    pods: Iterable[Attempt] = (),
    readings: Mapping[str, Reading] | None = None,
    **more: Any,
) -> Snapshot:
    """A snapshot in which each Pod belongs to the trial that its name says."""
    trials = tuple(trials)
    pods = tuple(pods)
    return Snapshot(
        job=a_job,
        trials=trials,
        attempts={item.name: tuple(p for p in pods if p.name.startswith(f"{item.name}-")) for item in trials},
        readings=readings or {},
        **({"now": NOW} | more),
    )


def with_status(item: Trial, **changes: Any) -> Trial:
    """The trial with other facts in its status."""
    return replace(item, status=replace(item.status, **changes))
