"""What a user sees with kubectl: documentation, columns, and a status that nothing of is lost."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.api.crd_cases import good_job
from tests.unit import builders
from tuning_operator.api import names
from tuning_operator.api.job import parse_job, render_status
from tuning_operator.api.trial import new_trial, parse_trial
from tuning_operator.api.trial import render_status as render_trial_status
from tuning_operator.core.lifecycle.confirm import Setting
from tuning_operator.core.model.conditions import Condition
from tuning_operator.core.model.curves import Curve
from tuning_operator.core.model.job import CompletionReason, JobPhase
from tuning_operator.core.model.trial import StopDecision, Trial, TrialPhase, TrialStatus
from tuning_operator.core.report.summary import ConfirmationStatus, JobStatus
from tuning_operator.core.stopping.savings import DryRun, Saving, Savings
from tuning_operator.core.suggest import Source, Suggestion

if TYPE_CHECKING:
    from cluster.controlplane import ControlPlane

pytestmark = pytest.mark.api

STOPPED = TrialStatus(
    phase=TrialPhase.EARLY_STOPPED,
    attempt=2,
    attempt_time=builders.ago(200),
    attempt_uid="7a0b3a0e-6a0c-4f0e-9d4c-0c4b5a3e2f10",
    disruptions=1,
    start_time=builders.ago(190),
    completion_time=builders.ago(10),
    training_seconds=180,
    curve=Curve.of([(1, 0.25), (2, float("nan")), (3, float("-inf")), (4.5, 0.123456789012345678)]),
    stop=StopDecision("BelowMedian", "epoch 4.5: 0.12 is below 0.5, the median of 3 trials", 4.5, 0.12, 0.5),
    would_stop=StopDecision("OutOfReach", "epoch 2: the training diverged", 2, float("nan"), 0.25),
    reason="BelowMedian",
    message="epoch 4.5: 0.12 is below 0.5, the median of 3 trials",
)


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ("tuningjob", "searches for the hyperparameters that give a training the best value"),
        ("tuningjob.spec", "all other fields are immutable"),
        ("tuningjob.spec.parameters", "exactly one of continuous, integer, discrete or categorical"),
        ("tuningjob.spec.parameters", "{name: learning_rate, continuous: {min: 0.00001, max: 1, scale: Log}}"),
        ("tuningjob.spec.parameters.continuous.scale", "the closer to 1"),
        ("htj.spec.limits.maxDuration", "Example: 6h, 1h30m or 90s"),
        ("htj.spec.template.spec.containers.args", "$(HP_learning_rate) is replaced with the trial's value"),
        ("tuningtrial.status.stopDecision", "recorded before its Pod is deleted"),
        ("tt.spec.parameters", "as the training gets them in HP_<name>"),
    ],
)
def test_explain_reads_like_documentation(control_plane: ControlPlane, field: str, words: str) -> None:
    said = re.sub(r"\s+", " ", control_plane.kubectl("explain", field))
    assert words in said


def status_of(value: float) -> TrialStatus:
    """Of a trial that has completed with this value."""
    return TrialStatus(phase=TrialPhase.COMPLETED, curve=builders.curve(value))


def test_columns_tell_the_story_of_a_job_and_its_trials(control_plane: ControlPlane, namespace: str) -> None:
    body = _create(control_plane, namespace, good_job())
    parsed = parse_job(body)
    suggestion = Suggestion(
        7, {"learning_rate": 0.01, "mini_batch_size": 32, "optimizer": "adam"}, Source.MODEL, "after 6 results"
    )
    committed = _create(control_plane, namespace, new_trial(parsed.job, suggestion))
    trial = parse_trial(committed, parsed.job.spec)
    stopped = Trial(
        name=trial.name,
        number=7,
        parameters=trial.parameters,
        seed=trial.seed,
        suggestion_source=Source.MODEL,
        status=STOPPED,
    )
    status = render_trial_status(stopped, builders.NOW)
    recorded = _patch_status(control_plane, namespace, names.TRIAL_PLURAL, trial.name, status)
    assert status["curve"].pop("thinned") is None
    assert recorded == {field: value for field, value in status.items() if value is not None}

    again = [
        replace(stopped, number=8 + seed, confirms=7, seed=seed, status=status_of(0.11 + seed / 100)) for seed in (0, 1)
    ]
    confirmed = Setting(stopped, tuple(again), (0, 1))
    summary = JobStatus(
        now=builders.NOW,
        observed_generation=1,
        seed=7,
        phase=JobPhase.COMPLETED,
        conditions={kind: Condition(kind, "True", "Accepted", "some words") for kind in ("TemplateValid", "Complete")},
        start_time=builders.ago(500),
        completion_time=builders.NOW,
        completion_reason=CompletionReason.TARGET,
        message="trial fashion-0007 reached 0.123457; the target was 0.1",
        max_trials=20,
        tried=9,
        searched=12,
        phases={TrialPhase.COMPLETED: 6, TrialPhase.EARLY_STOPPED: 1, TrialPhase.FAILED: 2, TrialPhase.RUNNING: 3},
        without_objective=2,
        best=stopped,
        newest=stopped,
        total_training_seconds=1234,
        idle=timedelta(seconds=60),
        early_stopping=Savings(
            Saving(1, 6, 4321), DryRun(Saving(2, 11, 90), would_miss_best=False, message="dry run: some words")
        ),
        confirmation=ConfirmationStatus((confirmed,), confirmed, "some words"),
    )
    job_status = render_status(summary, {}, parsed.job.spec.space.render(stopped.parameters))
    recorded = _patch_status(control_plane, namespace, names.JOB_PLURAL, "fashion", job_status)
    assert recorded == json.loads(json.dumps(job_status))

    assert _table(control_plane, namespace, "tuningjobs") == {
        "NAME": "fashion",
        "STATUS": "Completed",
        "TRIALS": "9/20",
        "PENDING": "0",
        "RUNNING": "3",
        "EARLY-STOPPED": "1",
        "FAILED": "2",
        "BEST": "0.115±0.0071",
        "METRIC": "validation:accuracy",
    }
    assert _table(control_plane, namespace, "tuningtrials") == {
        "NAME": "fashion-0007",
        "STATUS": "EarlyStopped",
        "OBJECTIVE": "0.123457",
        "EPOCHS": "4",
        "RUNTIME": "180",
        "REASON": "BelowMedian",
    }
    wide = control_plane.kubectl("get", "htj", "-n", namespace, "-o=wide")
    assert all(words in wide for words in ("fashion-0007", "1234", "4321", "TargetReached", "2/2"))
    everything = control_plane.kubectl("get", "tuning", "-n", namespace, "-o=name")
    assert everything.split() == [
        "hyperparametertuningjob.tuning-operator.dev/fashion",
        "tuningtrial.tuning-operator.dev/fashion-0007",
    ]
    selected = "--field-selector=status.phase=EarlyStopped"
    assert "fashion-0007" in control_plane.kubectl("get", "tt", "-n", namespace, selected, "-o=name")
    control_plane.kubectl("wait", "--for=condition=Complete", "htj/fashion", "-n", namespace, "--timeout=5s")


def _create(control_plane: ControlPlane, namespace: str, body: dict[str, Any]) -> dict[str, Any]:
    created: dict[str, Any] = json.loads(
        control_plane.kubectl("create", "-n", namespace, "-o=json", "-f=-", stdin=json.dumps(body))
    )
    return created


def _patch_status(
    control_plane: ControlPlane, namespace: str, plural: str, name: str, status: dict[str, Any]
) -> dict[str, Any]:
    patch = ["--subresource=status", "--type=merge", "-p", json.dumps({"status": status})]
    body = json.loads(control_plane.kubectl("patch", plural, name, "-n", namespace, "-o=json", *patch))
    recorded: dict[str, Any] = body["status"]
    return recorded


def _table(control_plane: ControlPlane, namespace: str, plural: str) -> dict[str, str]:
    """The one row of a listing, without its age, by column."""
    head, row = control_plane.kubectl("get", plural, "-n", namespace).splitlines()
    cells = dict(zip(head.split(), row.split(), strict=True))
    assert re.fullmatch(r"\d+s", cells.pop("AGE"))
    return cells
