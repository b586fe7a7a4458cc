from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.unit.api.manifests import TEMPLATE, job_body
from tests.unit.builders import ACCEPTED, NOW, ago, ended, job, snapshot, trial
from tuning_operator.api.job import is_idle, is_settled, parse_job, render_status
from tuning_operator.api.jobspec import InvalidJobError
from tuning_operator.core.decide import decide
from tuning_operator.core.model.conditions import Condition
from tuning_operator.core.model.curves import Goal
from tuning_operator.core.model.early_stopping import (
    EarlyStopping,
    EarlyStoppingType,
    Hyperband,
    MedianKnobs,
    Statistic,
)
from tuning_operator.core.model.job import CompletionReason, JobPhase
from tuning_operator.core.model.spec import (
    Criteria,
    JobSpec,
    Limits,
    Objective,
    PodCleanup,
    RunningTrials,
    Strategy,
    SuspendPolicy,
)
from tuning_operator.core.model.trial import TrialPhase
from tuning_operator.core.report.summary import JobStatus, summarize
from tuning_operator.core.space import Categorical, Continuous, Discrete, Integer, Scale, Space
from tuning_operator.core.stopping.savings import DryRun, Saving, Savings


def test_every_field_of_the_specification_is_read() -> None:
    found = parse_job(job_body())
    assert found.job.spec == JobSpec(
        strategy=Strategy.RANDOM,
        objective=Objective("validation:accuracy", Goal.MINIMIZE, 0.95),
        space=Space(
            (
                Continuous("lr", 1e-5, 1.0, Scale.LOG),
                Integer("batch", 16, 64, Scale.LINEAR),
                Categorical("optimizer", ("sgd", "adam")),
            )
        ),
        limits=Limits(20, 2, 3, timedelta(minutes=90)),
        early_stopping=EarlyStopping(
            EarlyStoppingType.MEDIAN, MedianKnobs(Statistic.CURRENT, 0.25, 5, 4, 0.5), dry_run=True
        ),
        max_attempts=4,
        start_deadline=timedelta(minutes=10),
        static_parameters={"epochs": "10"},
        seed=7,
        suspend=True,
        suspend_policy=SuspendPolicy.STOP,
        stop=True,
        completion=Criteria(5, 0.02, 0.005, RunningTrials.FINISH),
        ttl_after_finished=timedelta(seconds=600),
        pod_cleanup=PodCleanup.DELETE,
        nodes=4,
    )
    assert (found.job.name, found.job.namespace, found.job.uid) == ("job", "ns", "job-uid")
    assert (found.job.generation, found.resource_version, found.template) == (3, "42", TEMPLATE)


def test_what_is_left_out_has_the_documented_default() -> None:
    body = job_body(
        strategy=None,
        seed=None,
        staticParameters=None,
        earlyStopping=None,
        suspend=None,
        metrics=None,
        retry=None,
        suspendPolicy=None,
        stop=None,
        completion=None,
        ttlSecondsAfterFinished=None,
        podCleanup=None,
        objective={"metric": "loss", "goal": "Maximize"},
        limits={"maxTrials": 5},
        parameters=[{"name": "lr", "continuous": {"min": 0, "max": 1}}, {"name": "n", "integer": {"min": 1, "max": 2}}],
    )
    spec = parse_job(body).job.spec
    assert (spec.strategy, spec.seed, spec.suspend, dict(spec.static_parameters)) == (
        Strategy.BAYESIAN,
        None,
        False,
        {},
    )
    assert (spec.suspend_policy, spec.stop) == (SuspendPolicy.DRAIN, False)
    assert spec.completion == Criteria(None, 0.01, None, RunningTrials.STOP)
    assert (spec.ttl_after_finished, spec.pod_cleanup, spec.parents) == (None, PodCleanup.KEEP, ())
    assert spec.early_stopping == EarlyStopping(EarlyStoppingType.OFF, MedianKnobs(), dry_run=False)
    assert (spec.limits, spec.objective.target) == (Limits(5, 1, None, None), None)
    assert (spec.max_attempts, spec.start_deadline) == (1, None)
    assert spec.space == Space((Continuous("lr", 0.0, 1.0), Integer("n", 1, 2)))


def test_the_recorded_status_is_read() -> None:
    body = job_body()
    condition = {"type": "TemplateValid", "status": "True", "reason": "Accepted", "message": "fine"}
    body["status"] = {
        "phase": "Stopping",
        "startTime": "2026-05-04T12:00:00Z",
        "completionTime": "2026-05-04T13:00:00Z",
        "completionReason": "TargetReached",
        "observedGeneration": 2,
        "idleSeconds": 90,
        "message": "reached",
        "conditions": [condition | {"lastTransitionTime": "2026-05-04T12:00:00Z", "observedGeneration": 1}],
    }
    found = parse_job(body)
    assert (found.job.phase, found.job.completion_reason) == (JobPhase.STOPPING, CompletionReason.TARGET)
    assert found.job.start_time == datetime(2026, 5, 4, 12, tzinfo=UTC)
    assert found.job.completion_time == datetime(2026, 5, 4, 13, tzinfo=UTC)
    assert (found.job.message, found.job.idle, found.job.is_edited) == ("reached", timedelta(seconds=90), True)
    assert found.job.conditions == {"TemplateValid": Condition("TemplateValid", "True", "Accepted", "fine")}
    assert found.status == body["status"]


@pytest.mark.parametrize("status", [None, {}])
def test_a_new_job_is_pending(status: dict[str, Any] | None) -> None:
    body = job_body() | ({"status": status} if status is not None else {})
    found = parse_job(body).job
    assert (found.phase, found.start_time, found.completion_reason) == (JobPhase.PENDING, None, None)
    assert (found.conditions, found.deleting) == ({}, False)


def test_a_job_that_is_being_deleted_is_known_as_such() -> None:
    body = job_body()
    body["metadata"]["deletionTimestamp"] = "2026-05-04T12:00:00Z"
    assert parse_job(body).job.deleting


def test_fields_of_later_versions_are_ignored() -> None:
    body = job_body(costs={"most": 5})
    body["spec"]["limits"]["maxCost"] = 5
    body["spec"]["parameters"][0]["continuous"]["prior"] = 1
    body["status"] = {"future": True}
    assert parse_job(body).job.spec == parse_job(job_body()).job.spec


def test_a_grid_has_as_many_trials_as_combinations() -> None:
    parameters = [{"name": "n", "integer": {"min": 16, "max": 70, "step": 16}}]
    spec = parse_job(job_body(strategy="Grid", parameters=parameters, limits={})).job.spec
    assert (spec.strategy, spec.limits.max_trials) == (Strategy.GRID, 4)


def test_numbers_to_choose_from_and_steps_are_parsed() -> None:
    parameters = [
        {"name": "rate", "discrete": {"values": [0.1, 1], "scale": "Log"}},
        {"name": "width", "discrete": {"values": [16, 24.0]}},
        {"name": "dropout", "continuous": {"min": 0, "max": 0.5, "step": 0.25}},
    ]
    space = parse_job(job_body(strategy="Grid", parameters=parameters, limits={})).job.spec.space
    assert space.parameters == (
        Discrete("rate", (0.1, 1.0), Scale.LOG),
        Discrete("width", (16, 24)),
        Discrete("dropout", (0.0, 0.25, 0.5), Scale.LINEAR),
    )
    assert space.size == 12
    assert space.render({"rate": 1.0, "width": 24, "dropout": 0.25}) == {"rate": "1", "width": "24", "dropout": "0.25"}


def test_hyperband_proposes_as_its_settings_say() -> None:
    settings = {"minResource": 1, "maxResource": 9, "proposals": "Bayesian"}
    spec = parse_job(job_body(strategy="Hyperband", hyperband=settings)).job.spec
    assert (spec.strategy, spec.hyperband) == (Strategy.BAYESIAN, Hyperband(1, 9))


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"strategy": "Genetic"}, "spec.strategy"),
        ({"strategy": "Hyperband"}, "spec.hyperband is missing"),
        ({"objective": {"metric": "x", "goal": "Best"}}, "spec.objective.goal"),
        ({"objective": {"goal": "Minimize"}}, "spec.objective.metric"),
        ({"objective": None}, "spec.objective"),
        ({"limits": {"maxTrials": "many"}}, "spec.limits.maxTrials"),
        ({"limits": {}}, "spec.limits.maxTrials"),
        ({"limits": {"maxTrials": 1, "maxDuration": "1d"}}, "spec.limits.maxDuration"),
        ({"metrics": {"startDeadline": "soon"}}, "spec.metrics.startDeadline"),
        ({"retry": {"maxAttempts": "many"}}, "spec.retry.maxAttempts"),
        ({"parameters": [{"name": "lr"}]}, r"spec.parameters\[lr\] has no range"),
        ({"parameters": [{"name": "lr", "continuous": {"min": 0}}]}, "spec.parameters.0.continuous.max"),
        ({"parameters": [{"name": "lr", "continuous": {"min": 2, "max": 1}}]}, "parameter lr"),
        ({"parameters": [{"name": "lr", "continuous": {"min": 0, "max": 1, "scale": "Log"}}]}, "parameter lr.*Log"),
        ({"parameters": [{"name": "n", "integer": {"min": 0.5, "max": 1}}]}, "spec.parameters.0.integer.min"),
        ({"parameters": [{"name": "o", "categorical": {"values": ["a", "a"]}}]}, "parameter o"),
        ({"parameters": []}, "needs parameters"),
        ({"earlyStopping": {"type": "Hyperband"}}, "spec.earlyStopping.type"),
        ({"earlyStopping": {"type": "Median", "median": {"quantile": 2}}}, "quantile"),
        (
            {"initialTrials": [{"parameters": {"lr": "2"}}]},
            r"spec.initialTrials\[0\].parameters: parameter lr: 2 is out",
        ),
        ({"initialTrials": [{"parameters": {"x": "2"}}]}, r"spec.initialTrials\[0\].parameters: parameter x"),
        ({"seed": "x"}, "spec.seed"),
        ({"template": None}, "spec.template"),
        ({"template": "x"}, "spec.template"),
    ],
)
def test_what_is_not_understood_is_named(spec: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidJobError, match=words):
        parse_job(job_body(**spec))


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ({"phase": "Dreaming"}, "Dreaming"),
        ({"conditions": [{"status": "True"}]}, "type"),
        ({"startTime": "now"}, "now"),
    ],
)
def test_a_status_that_is_not_understood_is_no_surprise(status: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidJobError, match=words):
        parse_job(job_body() | {"status": status})


# Rendering


def summed_up() -> JobStatus:
    trials = [
        ended(1, 0.25),
        ended(2, 0.1, 0.75),
        ended(3, 0.1, phase=TrialPhase.EARLY_STOPPED),
        ended(4, phase=TrialPhase.FAILED),
        trial(5, TrialPhase.COLLECTING, attempt_uid="x", training_seconds=80),
        replace(trial(6), source="Model", source_message="expected improvement 0.1", expected_gain=0.01234),
    ]
    found = snapshot(job(generation=3), trials)
    return summarize(found, decide(found))


def test_a_status_names_the_folder_of_the_best_trials_models_where_it_is_known() -> None:
    folder = "/models/job-0002-7"
    assert render_status(summed_up(), {}, {}, folder)["bestTrial"]["modelFolder"] == folder
    assert "modelFolder" not in render_status(summed_up(), {}, {})["bestTrial"]


def test_a_status_says_everything() -> None:
    assert render_status(summed_up(), {}, {"lr": "0.0002"}) == {
        "observedGeneration": 3,
        "seed": 7,
        "phase": "Running",
        "progress": "4/10",
        "trialCounts": {
            "pending": 1,
            "running": 1,
            "paused": 0,
            "completed": 2,
            "earlyStopped": 1,
            "stopped": 0,
            "failed": 1,
        },
        "objectiveCounts": {"succeeded": 3, "pending": 2, "failed": 1},
        "totalTrainingSeconds": 80,
        "conditions": [
            {
                "type": "TemplateValid",
                "status": "True",
                "reason": "Accepted",
                "message": "",
                "observedGeneration": 3,
                "lastTransitionTime": "2026-05-04T12:00:00Z",
            }
        ],
        "startTime": "2026-05-04T11:43:20Z",
        "bestTrial": {
            "name": "job-0002",
            "objective": "0.75",
            "display": "0.75",
            "epoch": 2,
            "parameters": {"lr": "0.0002"},
        },
        "earlyStopping": {"stopped": 1, "epochsSaved": 0, "secondsSaved": 0},
        "suggestion": {"trial": 6, "source": "Model", "message": "expected improvement 0.1", "expectedGain": "0.0123"},
    }


def test_what_a_dry_run_shows_is_rendered_as_far_as_it_is_known() -> None:
    known = DryRun(Saving(3, 20, 200), would_miss_best=None, message="dry run: …")
    summary = replace(summed_up(), early_stopping=Savings(Saving(0, 0, 0), known))
    rendered = {
        "stopped": 0,
        "epochsSaved": 0,
        "secondsSaved": 0,
        "wouldStop": 3,
        "wouldSaveEpochs": 20,
        "wouldSaveSeconds": 200,
        "message": "dry run: …",
    }
    assert render_status(summary, {}, {})["earlyStopping"] == rendered
    later = replace(summary, early_stopping=Savings(Saving(0, 0, 0), replace(known, would_miss_best=False)))
    assert render_status(later, {}, {})["earlyStopping"] == rendered | {"wouldMissBest": False}


def test_the_end_is_rendered() -> None:
    found = snapshot(job(trials=1), [ended(1, 0.25)])
    status = render_status(summarize(found, decide(found)), {}, {})
    assert (status["phase"], status["completionReason"]) == ("Completed", "MaxTrialsReached")
    assert (status["completionTime"], status["message"]) == ("2026-05-04T12:00:00Z", "all 1 trials have ended")


@pytest.mark.parametrize(
    ("status", "message", "moved"), [("True", "fine", False), ("True", "other words", False), ("False", "fine", True)]
)
def test_a_transition_time_moves_only_with_the_status(status: str, message: str, moved: bool) -> None:
    before = "2026-01-01T00:00:00Z"
    recorded = {
        "conditions": [
            {
                "type": "MetricsAvailable",
                "status": "True",
                "reason": "PrometheusAnswers",
                "message": "fine",
                "lastTransitionTime": before,
            }
        ]
    }
    summary = replace(
        summed_up(), conditions={"MetricsAvailable": Condition("MetricsAvailable", status, "x", message)}, now=NOW
    )
    (condition,) = render_status(summary, recorded, {})["conditions"]
    assert (condition["lastTransitionTime"] == before) is not moved
    assert (condition["status"], condition["message"], condition["reason"]) == (status, message, "x")


def test_conditions_have_a_stable_order_and_messages_fit() -> None:
    conditions = {name: Condition(name, "True", "x", "m" * 5000) for name in ("Suspended", "Complete")}
    rendered = render_status(replace(summed_up(), conditions=conditions), {}, {})["conditions"]
    assert [item["type"] for item in rendered] == ["Complete", "Suspended"]
    assert {len(item["message"]) for item in rendered} == {1024}


def test_what_is_rendered_is_read_back() -> None:
    found = snapshot(
        job(trials=1, conditions=(ACCEPTED,), start_time=ago(100), idle=timedelta(seconds=90)), [ended(1, 0.25)]
    )
    status = render_status(summarize(found, decide(found)), {}, {"lr": "0.1"})
    again = parse_job(job_body() | {"status": status}).job
    assert (again.phase, again.start_time, again.completion_time) == (JobPhase.COMPLETED, ago(100), NOW)
    assert again.completion_reason is CompletionReason.MAX_TRIALS
    assert again.idle == timedelta(seconds=90)
    assert set(again.conditions) == {"TemplateValid", "Complete", "Finished"}


@pytest.mark.parametrize(
    ("status", "settled"),
    [
        ({}, False),
        ({"phase": "Running", "observedGeneration": 3}, False),
        ({"phase": "Completed", "observedGeneration": 3}, True),
        ({"phase": "Stopped", "observedGeneration": 3}, True),
        ({"phase": "Completed", "observedGeneration": 2}, False),
        ({"phase": "Dreaming", "observedGeneration": 3}, False),
    ],
)
def test_a_job_is_settled_when_it_has_ended_and_was_not_edited_since(status: dict[str, Any], settled: bool) -> None:
    assert is_settled(job_body() | {"status": status}) is settled


@pytest.mark.parametrize(
    ("status", "spec", "idle"),
    [
        ({}, {}, True),
        ({"trialCounts": {"pending": 0, "running": 0, "completed": 3}}, {}, True),
        ({"trialCounts": {"running": 1}}, {}, False),
        ({"trialCounts": {"pending": 1}}, {}, False),
        ({"phase": "Running"}, {}, False),
        ({"phase": "unheard of"}, {}, False),
        ({"observedGeneration": 2}, {}, False),
        ({}, {"suspend": False}, False),
        ({}, {"stop": True}, False),
        ({}, {"limits": {"maxTrials": 3, "maxDuration": "1h"}}, True),
        ({}, {"limits": {"maxTrials": 3, "maxDuration": "10m"}}, False),
        ({"idleSeconds": 1800}, {"limits": {"maxTrials": 3, "maxDuration": "10m"}}, True),
        ({}, {"limits": {"maxTrials": 3, "maxDuration": f"{10**300}h"}}, False),
    ],
)
def test_a_job_that_has_nothing_to_do_is_told_by_its_body(
    status: dict[str, Any], spec: dict[str, Any], idle: bool
) -> None:
    body = job_body(**{"stop": False, "limits": {"maxTrials": 3}} | spec)
    recorded = {"phase": "Suspended", "observedGeneration": 3, "startTime": "2026-05-04T12:00:00Z"}
    assert is_idle(body | {"status": recorded | status}, NOW + timedelta(minutes=30)) is idle
