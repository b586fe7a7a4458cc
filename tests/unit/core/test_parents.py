from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.builders import NOW, ago, ended, job, running_pod, snapshot, trial
from tuning_operator.core.decide import decide
from tuning_operator.core.lifecycle import parents as module
from tuning_operator.core.lifecycle.completion import completion
from tuning_operator.core.lifecycle.parents import inherit, missing, obstacle, readiness
from tuning_operator.core.model.curves import Goal
from tuning_operator.core.model.job import CompletionReason, Job, JobPhase
from tuning_operator.core.model.observation import Observation, RelatedTrial
from tuning_operator.core.model.parent import Parent
from tuning_operator.core.model.trial import TrialPhase
from tuning_operator.core.report.summary import summarize
from tuning_operator.core.space import Categorical, Continuous, Integer, Scale, Space

if TYPE_CHECKING:
    from tuning_operator.core.model.snapshot import Snapshot

WIDE = Space((Continuous("lr", 0.0, 1.0), Categorical("optimizer", ("sgd", "adam", "nag"))))


def parent(space: Space = WIDE, phase: JobPhase = JobPhase.COMPLETED, **more: Any) -> Job:
    """A job that has ended."""
    ended_job = job(space=space, phase=phase, completion_time=ago(10), **more)
    return replace(ended_job, name="base", uid="base-uid")


def child(space: Space = WIDE, **more: Any) -> Job:
    return job(space=space, parents=("base",), **more)


def tried(number: int, objective: float, **parameters: Any) -> Any:
    return replace(ended(number, objective), parameters={"lr": 0.5, "optimizer": "adam", **parameters})


def values(found: Parent) -> list[dict[str, Any]]:
    return [dict(observation.parameters) for observation in found.observations]


def heir(*known: Parent, trials: Any = (), pods: Any = (), space: Space = WIDE, **more: Any) -> Snapshot:
    """A job with parents as a pass sees it."""
    condition = readiness(known, started=bool(trials))
    return snapshot(child(space, **more), trials, pods, conditions={condition.type: condition}, parents=known)


@pytest.mark.parametrize(
    ("base", "reason", "words"),
    [
        (parent(phase=JobPhase.RUNNING), "ParentNotFinished", "has not ended (it is Running)"),
        (parent(goal=Goal.MINIMIZE), "OtherObjective", "is to Minimize validation:accuracy"),
        (parent(static={"epochs": "3"}), "OtherParameters", "the same hyperparameters: epochs"),
        (parent(Space((Continuous("lr", 0, 1), Integer("n", 1, 2)))), "OtherParameters", "n, optimizer"),
        (parent(phase=JobPhase.STOPPED), None, ""),
        (parent(Space((Continuous("lr", 5, 6),)), static={"optimizer": "nag"}), None, ""),
    ],
)
def test_what_stands_in_the_way_of_a_parent(base: Job, reason: str | None, words: str) -> None:
    found = obstacle(child(), base)
    assert (found.reason if found else None) == reason
    assert words in (found.cause if found else "")


def test_trials_count_where_they_lie_in_the_jobs_space() -> None:
    narrow = Space((Continuous("lr", 0.0, 0.1), Categorical("optimizer", ("adam", "rmsprop", "sgd"))))
    trials = [tried(1, 0.3, lr=0.05), tried(2, 0.9, lr=0.2), tried(3, 0.4, lr=0.05, optimizer="nag"), trial(4)]
    found = inherit(child(narrow), parent(), trials)
    assert values(found) == [{"lr": 0.05, "optimizer": "adam"}]
    assert (found.total, found.obstacle) == (3, None)
    assert (found.best and found.best.name, found.best and found.best.objective) == ("job-0002", 0.9)


def test_what_one_tunes_the_other_may_fix() -> None:
    rates = Space((Continuous("lr", 0.0, 1.0),))
    trials = [tried(1, 0.3), tried(2, 0.4, optimizer="sgd")]
    fixed = inherit(child(rates, static={"optimizer": "adam"}), parent(), trials)
    assert values(fixed) == [{"lr": 0.5}]
    alone = [replace(item, parameters={"lr": 0.5}) for item in trials[:1]]
    freed = inherit(child(), parent(rates, static={"optimizer": "nag"}), alone)
    assert values(freed) == [{"lr": 0.5, "optimizer": "nag"}]


@pytest.mark.parametrize(
    ("ours", "theirs", "fits"), [("10", "10.0", True), ("10", "20", False), ("a", "a", True), ("a", "b", False)]
)
def test_static_parameters_have_to_be_the_same(ours: str, theirs: str, fits: bool) -> None:
    found = inherit(child(static={"s": ours}), parent(static={"s": theirs}), [tried(1, 0.3)])
    assert (found.obstacle is None) == fits
    if found.obstacle:
        assert f"for example job-0001: static parameter s: {theirs} is not {ours}" in found.obstacle.cause


@pytest.mark.parametrize(
    ("base", "differing"),
    [
        (parent(static={"epochs": "3"}), ""),  # fixed differently, or only there: that is what makes it another task
        (parent(Space((Continuous("lr", 5, 6),)), static={"optimizer": "nag"}), ""),
        (parent(Space((Continuous("lr", 0, 1), Integer("n", 1, 2)))), "n, optimizer"),
    ],
)
def test_another_task_knows_what_is_tuned(base: Job, differing: str) -> None:
    found = obstacle(child(transfer=True, static={"data": "mnist"}), base)
    assert (found.cause.rpartition(": ")[2] if found else "") == differing


def test_trials_of_another_task_are_placed_on_the_jobs_scales() -> None:
    wide = Space((Continuous("lr", -1.0, 1000.0), Integer("batch", 1, 512), Categorical("optimizer", ("sgd", "nag"))))
    space = Space(
        (Continuous("lr", 0.01, 1.0, Scale.LOG), Integer("batch", 16, 32), Categorical("optimizer", ("adam", "sgd")))
    )
    inside: dict[str, Any] = {"lr": 0.1, "batch": 24, "optimizer": "sgd"}
    points = [
        inside,
        inside | {"lr": 100.0, "batch": 8},
        inside | {"lr": 0.0},  # the logarithm of nothing
        inside | {"optimizer": "nag"},  # which the job does not have
    ]
    trials = [replace(ended(number, 0.5), parameters=point) for number, point in enumerate(points, start=1)]
    found = inherit(child(space, transfer=True, static={"data": "b"}), parent(wide, static={"data": "a"}), trials)
    assert [item.place for item in found.related] == [pytest.approx((0.5, 0.5, 1)), pytest.approx((2, -0.5, 1))]
    assert (found.observations, found.total, found.best, found.obstacle) == ((), 4, None, None)
    assert readiness([found], started=False).message.startswith("2 of the 4 trials of base fit this job's space")
    none = inherit(child(space, transfer=True), parent(wide), trials[2:])
    assert none.obstacle
    assert none.obstacle.reason == "NothingFits"
    assert "job-0003: parameter lr: 0 has no place on the scale of 0.01..1.0" in none.obstacle.cause


def test_what_one_task_tunes_the_other_may_fix() -> None:
    rates = Space((Continuous("lr", 0.0, 1.0),))
    trials = [tried(1, 0.3), tried(2, 0.4, optimizer="sgd")]
    fixed = inherit(child(rates, transfer=True, static={"optimizer": "adam"}), parent(), trials)
    assert fixed.related == (RelatedTrial((0.5,), 0.3),)
    alone = [replace(item, parameters={"lr": 0.5}) for item in trials[:1]]
    freed = inherit(child(transfer=True), parent(rates, static={"optimizer": "nag"}), alone)
    assert freed.related == (RelatedTrial((0.5, 2.0), 0.3),)


def test_of_very_many_trials_the_best_and_a_sample_are_learned_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_TRIALS", 9)
    monkeypatch.setattr(module, "MOST_RELATED", 6)
    objectives = [float("nan"), *(number / 100 for number in range(60)), None]
    trials = [
        tried(number, value) if value is not None else trial(number, TrialPhase.FAILED)
        for number, value in enumerate(objectives, start=1)
    ]
    trials[-1] = replace(trials[-1], parameters=trials[0].parameters)
    found = [observation.objective for observation in inherit(child(), parent(), trials).observations]
    assert found[:3] == [0.59, 0.58, 0.57]
    assert len(found) == 9
    assert min(value for value in found[3:] if value is not None) < 0.1
    others = inherit(child(transfer=True), parent(), trials).related
    assert [item.objective for item in others[:2]] == [0.59, 0.58]
    assert len(others) == 6


@pytest.mark.parametrize("count", [9, 10, 11, 12, 13, 14, 15, 16, 100])
def test_as_many_trials_as_promised_are_learned_from(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    monkeypatch.setattr(module, "MOST_TRIALS", 9)
    trials = [tried(number, number / 1000) for number in range(1, count + 1)]
    found = [observation.objective for observation in inherit(child(), parent(), trials).observations]
    assert len(set(found)) == 9


def test_what_never_trained_is_known_of_the_same_task_and_left_out_of_another() -> None:
    never = replace(trial(2, TrialPhase.STOPPED), parameters={"lr": 0.25, "optimizer": "sgd"})
    same = inherit(child(), parent(), [tried(1, 0.3), never])
    assert [(dict(seen.parameters), seen.informs) for seen in same.observations] == [
        ({"lr": 0.5, "optimizer": "adam"}, True),
        ({"lr": 0.25, "optimizer": "sgd"}, False),
    ]
    assert (same.learned, same.total) == (1, 2)
    other = inherit(child(transfer=True), parent(), [tried(1, 0.3), never])
    assert [item.objective for item in other.related] == [0.3]


@pytest.mark.parametrize("transfer", [False, True])
def test_of_a_parent_without_any_result_nothing_is_believed(transfer: bool) -> None:
    failed = replace(trial(1, TrialPhase.FAILED), parameters={"lr": 0.25, "optimizer": "sgd"})
    diverged = replace(ended(2, float("nan")), parameters={"lr": 0.5, "optimizer": "sgd"})
    for trials in ([], [failed], [failed, diverged]):
        nothing = inherit(child(transfer=transfer), parent(), trials)
        assert (nothing.observations, nothing.related, nothing.total) == ((), (), len(trials))
        assert nothing.obstacle
        assert nothing.obstacle.reason == "NoResult"
        assert nothing.obstacle.cause == f"none of the {len(trials)} trials of parent base has a finite objective"


def test_a_job_waits_for_its_parents_and_can_be_stopped_meanwhile() -> None:
    waiting = heir(Parent("base", obstacle=missing("base")), start_time=None, phase=JobPhase.PENDING)
    decision = decide(waiting)
    assert (decision.phase, decision.suggest) == (JobPhase.PENDING, None)
    assert decision.wake_after is not None
    assert [(notice.reason, notice.warning) for notice in decision.notices] == [("ParentsNotReady", True)]
    assert "the job starts once that job exists" in decision.notices[0].message
    assert summarize(waiting, decision).start_time is None
    stopped = decide(heir(Parent("base", obstacle=missing("base")), stop=True))
    assert (stopped.phase, stopped.completion and stopped.completion.reason) == (
        JobPhase.STOPPED,
        CompletionReason.STOPPED_BY_USER,
    )


def test_the_trials_of_parents_are_learned_from_like_the_jobs_own() -> None:
    known = inherit(child(), parent(), [tried(1, 0.9), tried(2, 0.4, lr=0.25)])
    own = tried(1, 0.7, lr=0.75)
    found = heir(known, trials=[own, trial(2)], pods=[running_pod(2)])
    decision = decide(found)
    assert decision.suggest is not None
    assert decision.suggest.observations == (*known.observations, Observation(own.parameters, 0.7))
    assert decision.suggest.numbers == (3,)
    summary = summarize(found, decision)
    assert summary.overall_best
    assert (summary.overall_best.job, summary.overall_best.name) == ("base", "job-0001")
    assert summary.best == own
    better = heir(known, trials=[tried(1, 0.95)])
    ours = summarize(better, decide(better)).overall_best
    assert ours
    assert (ours.job, ours.objective, dict(ours.parameters)) == ("job", 0.95, {"lr": "0.5", "optimizer": "adam"})


def test_the_trials_of_another_task_inform_and_do_not_count() -> None:
    known = inherit(child(transfer=True), parent(), [tried(1, 0.9), tried(2, 0.4, lr=0.25)])
    own = tried(1, 0.7, lr=0.75)
    found = heir(known, trials=[own], transfer=True)
    decision = decide(found)
    assert decision.suggest is not None
    assert decision.suggest.observations == (Observation(own.parameters, 0.7),)
    assert decision.suggest.relatives == (known.related,)
    assert summarize(found, decision).overall_best is None


def test_a_job_that_has_started_goes_on_without_a_parent_that_is_gone() -> None:
    known = replace(inherit(child(), parent(), [tried(1, 0.9)]), obstacle=missing("base"))
    decision = decide(heir(known, trials=[tried(1, 0.7)]))
    assert decision.phase is JobPhase.RUNNING
    assert decision.suggest is not None
    assert len(decision.suggest.observations) == 2
    (notice,) = (notice for notice in decision.notices if notice.reason == "ParentsNotReady")
    assert "the job continues with the 1 trials of its parents" in notice.message


def test_what_is_known_already_is_not_told_again() -> None:
    known = inherit(child(), parent(), [tried(1, 0.9)])
    first = heir(known)
    assert [notice.reason for notice in decide(first).notices] == ["ParentsReady"]
    recorded = replace(first, job=replace(first.job, conditions={**first.job.conditions, **first.conditions}))
    assert decide(recorded).notices == ()


def test_points_that_parents_have_tried_are_not_left_to_try() -> None:
    space = Space((Integer("n", 1, 3),))
    base = parent(space)
    known = inherit(child(space), base, [replace(ended(i, 0.5), parameters={"n": n}) for i, n in enumerate((1, 1, 2))])
    decision = decide(heir(known, space=space, parallel=5))
    assert decision.suggest is not None
    assert decision.suggest.numbers == (1,)
    every = (*known.observations, Observation({"n": 3}, 0.1))
    ending = completion(child(space), (), NOW, every)
    assert ending is not None
    assert ending.reason is CompletionReason.SPACE_EXHAUSTED
