from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.unit.api.manifests import TEMPLATE, job_body
from tests.unit.builders import NOW
from tuning_operator.api.fields import InvalidJobError
from tuning_operator.api.job import is_idle, is_settled, parse_job
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
from tuning_operator.core.space import Categorical, Continuous, Discrete, Integer, Scale, Space


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
