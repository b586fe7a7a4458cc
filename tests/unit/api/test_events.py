from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.builders import NOW, job, trial
from tuning_operator.api.events import build_event
from tuning_operator.core.model.notice import Notice

if TYPE_CHECKING:
    from tuning_operator.core.model.trial import Trial

NOTICE = Notice("AttemptFailed", "attempt 1 failed")


def build(notice: Notice, about: Trial | None, later: float = 0) -> dict[str, Any]:
    return build_event(replace(notice, trial=about), job(), NOW + timedelta(seconds=later), "operator-abc")


def test_a_trials_news_is_told_on_its_job_and_names_the_trial() -> None:
    event = build(NOTICE, trial(1))
    assert event["related"] == {
        "apiVersion": "tuning-operator.dev/v1alpha1",
        "kind": "TuningTrial",
        "name": "job-0001",
        "namespace": "ns",
        "uid": "trial-uid-1",
    }
    assert event["regarding"] == {
        "apiVersion": "tuning-operator.dev/v1alpha1",
        "kind": "HyperparameterTuningJob",
        "name": "job",
        "namespace": "ns",
        "uid": "job-uid",
    }
    assert event["note"] == "job-0001: attempt 1 failed"


def test_what_an_event_consists_of() -> None:
    event = build(Notice("TargetReached", "done"), None)
    assert "related" not in event
    assert event["apiVersion"] == "events.k8s.io/v1"
    assert event["eventTime"] == "2026-05-04T12:00:00.000000Z"
    assert (event["reason"], event["action"], event["type"]) == ("TargetReached", "TargetReached", "Normal")
    assert event["reportingController"] == "tuning-operator.dev/operator"
    assert event["reportingInstance"] == "operator-abc"


def test_the_same_news_has_the_same_name_at_any_time() -> None:
    assert build(NOTICE, trial(1))["metadata"] == build(NOTICE, trial(1), 5)["metadata"]


def test_other_news_has_another_name() -> None:
    notices = [
        Notice("AttemptFailed", "attempt 1 failed"),
        Notice("AttemptFailed", "attempt 2 failed"),
        Notice("Disrupted", "attempt 1 failed"),
    ]
    named = {build(notice, trial(1))["metadata"]["name"] for notice in notices}
    assert len(named) == 3
    assert build(NOTICE, trial(2))["metadata"]["name"] not in named


@pytest.mark.parametrize(("warning", "kind"), [(True, "Warning"), (False, "Normal")])
def test_bad_news_is_a_warning(warning: bool, kind: str) -> None:
    event = build(Notice("X", "y", warning=warning), None)
    assert event["type"] == kind


@pytest.mark.parametrize("message", ["x" * 5000, "é" * 5000, "a" + "😀" * 1000, ""])
def test_a_note_fits_into_what_the_api_server_takes(message: str) -> None:
    """It counts bytes, and refuses an empty note."""
    event = build(Notice("Reason", message), None)
    note = str(event["note"])
    assert 0 < len(note.encode()) <= 1024
    assert message.startswith(note) or note == "Reason"


def test_a_long_instance_is_cut() -> None:
    event = build_event(Notice("X", "y"), job(), NOW, "i" * 500)
    assert len(event["reportingInstance"]) == 128
