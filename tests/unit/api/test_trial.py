from __future__ import annotations

import json
import math
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.builders import NOW, SPACE, ago, curve, job, trial
from tuning_operator.api.names import parameters_hash, trial_name
from tuning_operator.api.trial import InvalidTrialError, new_trial, parse_trial, render_status
from tuning_operator.core.model.curves import Curve
from tuning_operator.core.model.trial import StopDecision, Trial, TrialPhase, TrialStatus
from tuning_operator.core.space import Categorical, Continuous, Integer, Space
from tuning_operator.core.suggest import Source, Suggestion

times = st.datetimes(datetime(2020, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)).map(  # noqa: DTZ001
    lambda time: time.replace(microsecond=0)
)
values = st.floats().map(lambda value: math.nan if math.isnan(value) else value)
words = st.text(st.characters(codec="utf-8"), min_size=1, max_size=50)
counts = st.integers(0, 2**40)
decisions = st.none() | st.builds(
    StopDecision,
    reason=words,
    message=words,
    epoch=st.none() | st.integers(0, 10**6),
    value=st.none() | values,
    threshold=st.none() | values,
)
statuses = st.builds(
    TrialStatus,
    phase=st.sampled_from(TrialPhase),
    attempt=st.integers(1, 1000),
    attempt_time=st.none() | times,
    attempt_uid=st.none() | words,
    reporter=st.none() | words,
    disruptions=counts,
    failures=counts,
    start_time=st.none() | times,
    completion_time=st.none() | times,
    training_seconds=counts,
    curve=st.lists(st.tuples(st.integers(0, 10**6), values), max_size=20).map(Curve.of),
    stop=decisions,
    would_stop=decisions,
    pause=decisions,
    resumptions=st.integers(0, 1),
    resume_epoch=st.none() | st.integers(0, 10**6),
    repeated_epochs=counts,
    reason=st.none() | words,
    message=st.none() | words,
)
SPEC = job().spec


def stored(item: Trial) -> dict[str, Any]:
    """What the API server stores: JSON, without the fields that a merge patch removes."""
    status = {name: value for name, value in render_status(item, NOW).items() if value is not None}
    body = {
        "metadata": {"name": item.name, "uid": item.uid, "resourceVersion": item.resource_version},
        "spec": {"number": item.number, "parameters": SPACE.render(item.parameters), "seed": item.seed},
        "status": status,
    }
    return dict(json.loads(json.dumps(body)))


@given(statuses)
def test_what_is_rendered_is_read_back(status: TrialStatus) -> None:
    before = replace(trial(3), status=status)
    assert parse_trial(stored(before), SPEC) == before


def test_every_field_without_a_value_is_removed() -> None:
    """A merge patch keeps what it does not name: an old reason must not stay."""
    rendered = render_status(trial(1), NOW)
    removed = {name for name, value in rendered.items() if value is None}
    assert removed == {
        "attemptTime",
        "podUID",
        "reporter",
        "startTime",
        "completionTime",
        "objective",
        "objectiveEpoch",
        "display",
        "stopDecision",
        "wouldStop",
        "pauseDecision",
        "resumptions",
        "resumeEpoch",
        "repeatedEpochs",
        "reason",
        "message",
    }


@pytest.mark.parametrize(
    ("item", "objective", "state"),
    [
        (trial(1), None, "Pending"),
        (trial(1, TrialPhase.RUNNING, curve=curve(0.1, 0.2)), "0.2", "Pending"),
        (trial(1, TrialPhase.COLLECTING, curve=curve(0.1, 0.2)), "0.2", "Pending"),
        (trial(1, TrialPhase.PAUSED, curve=curve(0.1, 0.2)), "0.2", "Pending"),
        (trial(1, TrialPhase.COMPLETED, curve=curve(0.1, math.nan)), "NaN", "Succeeded"),
        (trial(1, TrialPhase.EARLY_STOPPED, curve=curve(0.1)), "0.1", "Succeeded"),
        (trial(1, TrialPhase.STOPPED), None, "Failed"),
        (trial(1, TrialPhase.FAILED, curve=curve(0.1)), "0.1", "Failed"),
    ],
)
def test_the_objective_and_its_status(item: Trial, objective: str | None, state: str) -> None:
    rendered = render_status(item, NOW)
    assert (rendered["objective"], rendered["objectiveStatus"]) == (objective, state)
    assert rendered["epochs"] == len(item.curve)


def test_a_curve_is_stored_as_parallel_arrays() -> None:
    found = render_status(trial(1, curve=Curve.of([(2, 0.5), (1, math.nan), (3, -math.inf)])), NOW)
    assert found["curve"] == {"epochs": [1, 2, 3], "values": ["NaN", "0.5", "-Inf"], "thinned": None}


def test_long_messages_are_cut() -> None:
    stop = StopDecision("BelowMedian", "m" * 5000, epoch=1)
    found = render_status(trial(1, TrialPhase.STOPPING, stop=stop, message="m" * 5000, start_time=ago(5)), NOW)
    assert (len(found["message"]), len(found["stopDecision"]["message"])) == (1024, 1024)


def test_a_new_object_is_a_trial_with_its_initial_status() -> None:
    body = stored(trial(2))
    del body["status"]
    body["metadata"]["deletionTimestamp"] = "2026-05-04T12:00:00Z"
    body["metadata"]["annotations"] = {
        "tuning-operator.dev/suggestion-source": "Model",
        "tuning-operator.dev/suggestion-message": "why",
        "tuning-operator.dev/expected-gain": "0.0123",
    }
    expected = replace(
        trial(2), deleting=True, suggestion_source="Model", suggestion_message="why", expected_gain=0.0123
    )
    assert parse_trial(body, SPEC) == expected


def test_unknown_fields_of_a_status_are_ignored() -> None:
    body = stored(trial(2, start_time=NOW))
    body["status"] |= {"future": 1, "stopDecision": {}}
    assert parse_trial(body, SPEC) == trial(2, start_time=NOW)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"status": {"phase": "Dreaming"}}, "Dreaming"),
        ({"status": {"curve": {"epochs": [1, 2], "values": ["1"]}}}, "2 epochs and 1 values"),
        ({"status": {"curve": {"epochs": [1], "values": ["high"]}}}, "high"),
        ({"spec": {"number": 1, "seed": 1, "parameters": {"lr": "2"}}}, "parameter lr"),
        ({"spec": {"number": 1, "seed": 1, "parameters": {}}}, "parameter lr: missing"),
        ({"spec": {"number": 1, "seed": 1, "parameters": {"lr": "0", "x": "1"}}}, "parameter x"),
    ],
)
def test_what_is_not_understood_is_refused(change: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidTrialError, match=f"TuningTrial job-0001: .*{words}"):
        parse_trial(stored(trial(1)) | change, SPEC)


def test_a_suggestion_is_committed_as_a_trial() -> None:
    space = Space((Continuous("lr", 0.0, 1.0), Integer("n", 1, 9), Categorical("optimizer", ("sgd", "adam"))))
    suggestion = Suggestion(12, {"lr": 1e-5, "n": 3, "optimizer": "adam"}, Source.MODEL, "m" * 2000, 0.0123)
    body = new_trial(job(space=space), suggestion)
    assert body["kind"] == "TuningTrial"
    assert body["metadata"] == {
        "name": "job-0012",
        "namespace": "ns",
        "labels": {"tuning-operator.dev/job": "job", "app.kubernetes.io/managed-by": "tuning-operator"},
        "annotations": {
            "tuning-operator.dev/suggestion-source": "Model",
            "tuning-operator.dev/suggestion-message": "m" * 1024,
            "tuning-operator.dev/expected-gain": "0.0123",
        },
        "ownerReferences": [
            {
                "apiVersion": "tuning-operator.dev/v1alpha1",
                "kind": "HyperparameterTuningJob",
                "name": "job",
                "uid": "job-uid",
                "controller": True,
            }
        ],
    }
    assert body["spec"]["parameters"] == {"lr": "1e-05", "n": "3", "optimizer": "adam"}
    assert body["spec"]["number"] == 12
    assert 0 <= body["spec"]["seed"] < 2**31
    assert new_trial(job(space=space), suggestion) == body
    other = new_trial(job(space=space), replace(suggestion, number=13))
    assert other["spec"]["seed"] != body["spec"]["seed"]
    drawn = new_trial(job(space=space), replace(suggestion, expected_gain=math.inf))
    assert "tuning-operator.dev/expected-gain" not in drawn["metadata"]["annotations"]


@pytest.mark.parametrize(("number", "name"), [(1, "job-0001"), (1000, "job-1000"), (12345, "job-12345")])
def test_names_sort_by_number(number: int, name: str) -> None:
    assert trial_name("job", number) == name


def test_the_hash_of_parameters_depends_on_names_and_values_alone() -> None:
    assert parameters_hash({"a": "1", "b": "2"}) == parameters_hash({"b": "2", "a": "1"})
    assert parameters_hash({"a": "1", "b": "2"}) != parameters_hash({"a": "2", "b": "1"})
    assert len(parameters_hash({"a": "1"})) == 16


@pytest.mark.parametrize(
    ("phase", "seconds"),
    [(TrialPhase.PENDING, 7), (TrialPhase.RUNNING, 37), (TrialPhase.STOPPING, 37), (TrialPhase.COMPLETED, 7)],
)
def test_the_runtime_runs_while_the_trial_does(phase: TrialPhase, seconds: int) -> None:
    started = trial(1, phase, training_seconds=7, start_time=ago(30))
    assert render_status(started, NOW)["runtimeSeconds"] == seconds
    ahead = trial(1, phase, training_seconds=7, start_time=ago(-30))
    assert render_status(ahead, NOW)["runtimeSeconds"] == 7


@pytest.mark.parametrize("written", ["", "high", "0,5", "NaN", "1e", "0.1\n2"])
def test_an_expected_gain_that_is_no_number_is_unknown(written: str) -> None:
    body = stored(trial(2))
    body["metadata"]["annotations"] = {
        "tuning-operator.dev/suggestion-message": "why",
        "tuning-operator.dev/expected-gain": written,
    }
    parsed = parse_trial(body, SPEC)
    assert parsed.expected_gain == math.inf, "it ends no job"
    assert parsed.suggestion_message.startswith("why; expected gain unknown: the annotation tuning-operator.dev/")
