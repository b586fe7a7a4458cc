from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from tests.unit.builders import NOW, job, trial
from tuning_operator.api.events import build_events
from tuning_operator.core.model.notice import Notice

if TYPE_CHECKING:
    from tuning_operator.core.model.trial import Trial

NOTICE = Notice("TrialStarted", "attempt 1 started training")


def build(notice: Notice, about: Trial | None, later: float = 0) -> list[dict[str, object]]:
    return list(build_events(replace(notice, trial=about), job(), NOW + timedelta(seconds=later), "operator-abc"))


def test_a_trials_news_is_told_on_the_trial_and_on_its_job() -> None:
    on_trial, on_job = build(NOTICE, trial(1))
    assert on_trial["regarding"] == {
        "apiVersion": "tuning-operator.dev/v1alpha1",
        "kind": "TuningTrial",
        "name": "job-0001",
        "namespace": "ns",
        "uid": "trial-uid-1",
    }
    assert on_trial["note"] == "attempt 1 started training"
    assert on_job["regarding"] == {
        "apiVersion": "tuning-operator.dev/v1alpha1",
        "kind": "HyperparameterTuningJob",
        "name": "job",
        "namespace": "ns",
        "uid": "job-uid",
    }
    assert on_job["note"] == "job-0001: attempt 1 started training"


def test_what_an_event_consists_of() -> None:
    (event,) = build(Notice("TargetReached", "done"), None)
    assert event["apiVersion"] == "events.k8s.io/v1"
    assert event["eventTime"] == "2026-05-04T12:00:00.000000Z"
    assert (event["reason"], event["action"], event["type"]) == ("TargetReached", "TargetReached", "Normal")
    assert event["reportingController"] == "tuning-operator.dev/operator"
    assert event["reportingInstance"] == "operator-abc"


def name(event: dict[str, object]) -> object:
    metadata = event["metadata"]
    return metadata["name"] if isinstance(metadata, dict) else None


def test_the_same_news_has_the_same_name_at_any_time() -> None:
    assert [name(event) for event in build(NOTICE, trial(1))] == [name(event) for event in build(NOTICE, trial(1), 5)]


def test_other_news_has_another_name() -> None:
    notices = [
        Notice("TrialStarted", "attempt 1 started training"),
        Notice("TrialStarted", "attempt 2 started training"),
        Notice("Disrupted", "attempt 1 started training"),
    ]
    named = {name(event) for notice in notices for event in build(notice, trial(1))}
    assert len(named) == 6
    assert {name(event) for event in build(NOTICE, trial(2))}.isdisjoint(named)


@pytest.mark.parametrize(("warning", "kind"), [(True, "Warning"), (False, "Normal")])
def test_bad_news_is_a_warning(warning: bool, kind: str) -> None:
    (event,) = build(Notice("X", "y", warning=warning), None)
    assert event["type"] == kind


@pytest.mark.parametrize("message", ["x" * 5000, "é" * 5000, "a" + "😀" * 1000, ""])
def test_a_note_fits_into_what_the_api_server_takes(message: str) -> None:
    """It counts bytes, and refuses an empty note."""
    (event,) = build(Notice("Reason", message), None)
    note = str(event["note"])
    assert 0 < len(note.encode()) <= 1024
    assert message.startswith(note) or note == "Reason"


def test_a_long_instance_is_cut() -> None:
    (event,) = build_events(Notice("X", "y"), job(), NOW, "i" * 500)
    assert len(event["reportingInstance"]) == 128
