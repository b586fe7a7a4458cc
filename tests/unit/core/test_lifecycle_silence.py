"""What a trial says that reports nothing, is not scraped, or whose log says nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.builders import NOW, ago, curve, ended_pod, pod, running_pod
from tuning_operator.core.model.attempt import History, Log, Reading, Scraping
from tuning_operator.core.model.curves import Curve
from tuning_operator.core.model.sources import Gauges, LogFile, Selector
from tuning_operator.core.model.trial import TrialPhase

if TYPE_CHECKING:
    from tuning_operator.core.model.attempt import Attempt
from tests.unit.core.advancing import COMPLETE, seen, step

# Silence


DEADLINE: dict[str, Any] = {"start_deadline": timedelta(seconds=60), "metrics_since": ago(1000)}
NOTHING = Reading(Curve(), asked=NOW)


@pytest.mark.parametrize(
    ("found", "reading", "facts", "fails"),
    [
        (running_pod(), NOTHING, {}, True),
        (running_pod(started=ago(60)), NOTHING, {}, True),
        (running_pod(started=ago(59)), NOTHING, {}, False),
        (running_pod(), NOTHING, {"start_deadline": None}, False),
        (running_pod(), None, {}, False),  # nothing is known of it yet
        (running_pod(), Reading(Curve(), asked=ago(30)), {}, True),
        (running_pod(), Reading(Curve(), asked=ago(31)), {}, False),  # before the deadline
        (running_pod(), Reading(curve(0.1), asked=NOW), {}, False),
        (running_pod(), NOTHING, {"metrics_since": None}, False),  # nor when Prometheus does not answer
        (running_pod(), NOTHING, {"metrics_since": ago(59)}, False),  # or did not for a while
        (running_pod(started=ago(9999), created=ago(59)), NOTHING, {}, False),  # a node's clock is slow
        (running_pod(deletion_requested=ago(1)), NOTHING, {}, False),
        (pod(), NOTHING, {}, False),
    ],
)
def test_a_training_that_reports_nothing_fails_at_its_deadline(
    found: Attempt, reading: Reading | None, facts: dict[str, Any], fails: bool
) -> None:
    after = step(seen(TrialPhase.PENDING), found, reading, **(DEADLINE | facts))
    assert (after.reason == "NoMetricsReported") is fails
    assert (after.phase is TrialPhase.FAILED) is fails
    if fails:
        assert (after.completion_time, after.failures) == (NOW, 1)
        assert after.training_seconds == (90 if found.started == ago(90) else 60)
        assert "spec.metrics.startDeadline" in (after.message or "")


def test_a_silent_attempt_is_replaced_and_what_was_reported_once_is_no_silence() -> None:
    after = step(seen(TrialPhase.RUNNING, start_time=ago(90)), running_pod(), NOTHING, max_attempts=2, **DEADLINE)
    assert (after.phase, after.attempt, after.reason) == (TrialPhase.PENDING, 2, "AttemptFailed")
    reported = seen(TrialPhase.RUNNING, start_time=ago(90), curve=curve(0.1))
    assert step(reported, running_pod(), NOTHING, **DEADLINE).phase is TrialPhase.RUNNING


# What Prometheus does not see


@pytest.mark.parametrize(
    ("reading", "recorded", "reason"),
    [
        (Reading(Curve(), scraping=Scraping.NO_TARGET), None, "TrialNotScraped"),
        (Reading(Curve(), scraping=Scraping.FAILS), None, "ScrapesFail"),
        (Reading(Curve(), scraping=Scraping.FAILS), "TrialNotScraped", "ScrapesFail"),
        (Reading(Curve(), scraping=Scraping.WORKS), "TrialNotScraped", None),
        (Reading(curve(0.1)), "TrialNotScraped", None),
        (Reading(Curve()), "TrialNotScraped", "TrialNotScraped"),  # not asked long enough since a restart
        (None, "TrialNotScraped", "TrialNotScraped"),
        (Reading(Curve()), "ImagePullBackOff", None),
        (None, None, None),
    ],
)
def test_a_running_trial_says_that_prometheus_does_not_see_it(
    reading: Reading | None, recorded: str | None, reason: str | None
) -> None:
    before = seen(TrialPhase.RUNNING, start_time=ago(90), reason=recorded, message="as before" if recorded else None)
    after = step(before, running_pod(), reading)
    assert (after.phase, after.reason, after.message is None) == (TrialPhase.RUNNING, reason, reason is None)
    if reading and reading.scraping is Scraping.NO_TARGET:
        assert "PodMonitor" in (after.message or "")
        assert "prometheus.io/scrape" in (after.message or "")


# What a log says


@pytest.mark.parametrize(
    ("log", "words"),
    [
        (Log(0, 0, problem="no file /logs/out came"), "its log has no objective: no file /logs/out came"),
        (Log(7, 0, problem="no acc in 7 lines", sample="step 1"), "no acc in 7 lines; the first such line: step 1"),
        (Log(7, 2, 3), "3 values or epochs in its 7 lines could not be used"),
        (Log(7, 2), "2 of its 7 lines had a metric"),
        (Log(0, 0), "it is empty"),
    ],
)
def test_a_trial_without_its_objective_says_what_became_of_its_log(log: Log, words: str) -> None:
    history = History(Curve(), complete=True, log=log)
    after = step(seen(TrialPhase.RUNNING), ended_pod(history=history), source=LogFile("/logs/out"))
    assert (after.phase, after.reason) == (TrialPhase.FAILED, "NoMetrics")
    assert words in (after.message or "")
    assert "termination message" not in (after.message or "")


def test_a_trial_whose_sidecar_left_nothing_says_where_to_look() -> None:
    after = step(seen(TrialPhase.RUNNING), ended_pod(), Reading(Curve(), after_end=True), source=LogFile("/logs/out"))
    assert "kubectl logs -c tuning-metrics" in (after.message or "")


def test_what_could_not_be_used_of_a_log_is_told_beside_a_success() -> None:
    history = replace(COMPLETE, log=Log(9, 7, 2, "2 lines of 9 could not be used: no number", "acc=high"))
    after = step(seen(TrialPhase.RUNNING), ended_pod(history=history), source=LogFile("/logs/out"))
    assert (after.phase, after.reason) == (TrialPhase.COMPLETED, None)
    assert after.message == "2 lines of 9 could not be used: no number; the first such line: acc=high"
    whole = replace(COMPLETE, log=Log(9, 9))
    assert step(seen(TrialPhase.RUNNING), ended_pod(history=whole)).message is None


@pytest.mark.parametrize(
    ("scraping", "words"),
    [
        (Scraping.NO_TARGET, "Prometheus answers, but it does not scrape this Pod"),
        (Scraping.WORKS, "check that they have these names and labels"),
    ],
)
def test_a_trial_with_gauges_does_not_blame_the_termination_message(scraping: Scraping, words: str) -> None:
    source = Gauges(Selector("accuracy"), Selector("epochs_finished"))
    nothing = Reading(Curve(), after_end=True, scraping=scraping)
    after = step(seen(TrialPhase.RUNNING), ended_pod(), nothing, source=source)
    assert (after.phase, after.reason) == (TrialPhase.FAILED, "NoMetrics")
    assert "gauges accuracy and epochs_finished" in (after.message or "")
    assert words in (after.message or "")
    assert "termination message" not in (after.message or "")
