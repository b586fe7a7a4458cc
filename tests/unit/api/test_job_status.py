"""A job's status is rendered whole, and read back as it was."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.unit.api.manifests import job_body
from tests.unit.builders import ACCEPTED, NOW, ago, ended, job, snapshot, trial
from tuning_operator.api.job import parse_job, render_status
from tuning_operator.core.decide import decide
from tuning_operator.core.model.conditions import Condition
from tuning_operator.core.model.job import CompletionReason, JobPhase
from tuning_operator.core.model.trial import TrialPhase
from tuning_operator.core.report.summary import JobStatus, summarize
from tuning_operator.core.stopping.savings import DryRun, Saving, Savings

# Rendering


def summed_up() -> JobStatus:
    trials = [
        ended(1, 0.25),
        ended(2, 0.1, 0.75),
        ended(3, 0.1, phase=TrialPhase.EARLY_STOPPED),
        ended(4, phase=TrialPhase.FAILED),
        trial(5, TrialPhase.COLLECTING, attempt_uid="x", training_seconds=80),
        replace(
            trial(6), suggestion_source="Model", suggestion_message="expected improvement 0.1", expected_gain=0.01234
        ),
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
