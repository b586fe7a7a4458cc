"""Metrics of each job: what they say, that they go with the job, and that there is an end to them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client import CollectorRegistry

from tests.unit.builders import NOW, ago, curve, ended, ended_pod, job, pod, running_pod, snapshot, trial
from tuning_operator.core.lifecycle.decision import Decision
from tuning_operator.core.model.conditions import Condition
from tuning_operator.core.model.job import JobPhase
from tuning_operator.core.model.trial import TrialPhase
from tuning_operator.core.report.summary import summarize
from tuning_operator.runtime import job_metrics
from tuning_operator.runtime.job_metrics import JobMetrics
from tuning_operator.runtime.queue import JobKey

if TYPE_CHECKING:
    from tuning_operator.core.model.snapshot import Snapshot

KEY = JobKey("ns", "job")


class Page:
    """What a scrape of one JobMetrics shows."""

    def __init__(self) -> None:
        self.metrics = JobMetrics()
        self._registry = CollectorRegistry()
        self._registry.register(self.metrics)

    def sees(self, seen: Snapshot, key: JobKey = KEY, phase: JobPhase = JobPhase.RUNNING) -> None:
        self.metrics.update(key, seen, summarize(seen, Decision(phase, seen.trials)))

    def value(self, name: str, key: JobKey = KEY, **labels: str) -> float | None:
        job_labels = {"tuning_namespace": key.namespace, "tuning_job": key.name}
        return self._registry.get_sample_value(f"tuning_operator_job_{name}", {**job_labels, **labels})

    @property
    def series(self) -> int:
        return sum(len(family.samples) for family in self._registry.collect())

    @property
    def left_out(self) -> float | None:
        return self._registry.get_sample_value("tuning_operator_jobs_without_metrics")


@pytest.fixture
def page() -> Page:
    return Page()


def test_a_jobs_state_is_shown(page: Page) -> None:
    trials = [ended(1, 0.2, 0.7), trial(2, TrialPhase.RUNNING, curve=curve(0.3)), trial(3)]
    trials[0] = replace(trials[0], status=replace(trials[0].status, training_seconds=40))
    conditions = [Condition("MetricsAvailable", "True", "Answers"), Condition("Reconciled", "Unknown", "Unknown")]
    page.sees(snapshot(job(parallel=4, conditions=conditions), trials, [ended_pod(1), running_pod(2), pod(3)]))
    assert page.value("best_objective") == 0.7
    assert page.value("trials", phase="Completed") == 1
    assert page.value("trials", phase="Failed") == 0
    assert (page.value("training_seconds"), page.value("epochs"), page.value("saved_epochs")) == (40, 3, 0)
    assert [page.value("slots", state=state) for state in ("busy", "waiting", "idle")] == [1, 1, 2]
    shown = [page.value("condition", type=kind) for kind in ("MetricsAvailable", "Failed", "Reconciled")]
    assert shown == [1, 0, None], "what is unknown is neither"


def test_a_job_without_a_result_has_no_best_objective(page: Page) -> None:
    page.sees(snapshot(job(), [trial(1)]))
    assert page.value("best_objective") is None


def test_the_page_tells_how_many_series_a_job_has(page: Page) -> None:
    before = page.series
    page.sees(snapshot(job(), [ended(1, 0.5)]))
    assert page.series - before <= 30 + 13


def test_series_go_with_the_job(page: Page) -> None:
    nothing = page.series
    page.sees(snapshot(job(), [ended(1, 0.5)]))
    page.sees(snapshot(job(), [ended(1, 0.5)]), JobKey("ns", "other"))
    page.metrics.forget(KEY)
    assert page.value("epochs") is None
    assert page.value("epochs", JobKey("ns", "other")) == 1
    page.metrics.forget(JobKey("ns", "other"))
    page.metrics.forget(JobKey("ns", "other"))
    assert page.series == nothing


def test_a_job_that_has_ended_keeps_its_series_and_has_no_slots(page: Page) -> None:
    page.sees(snapshot(job(), [ended(1, 0.5)]), phase=JobPhase.COMPLETED)
    assert page.value("best_objective") == 0.5
    assert page.value("slots", state="idle") == 0


def test_there_is_an_end_to_jobs_and_it_is_shown(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_metrics, "MOST_JOBS", 2)
    keys = [JobKey("ns", name) for name in "abcd"]
    seen = snapshot(job(), [ended(1, 0.5)])
    page.sees(seen, keys[0])
    page.sees(seen, keys[1], JobPhase.COMPLETED)
    page.sees(seen, keys[2])
    assert [page.value("epochs", key) for key in keys[:3]] == [1, None, 1], "the one that has ended gives way"
    page.sees(seen, keys[3])
    assert page.value("epochs", keys[3]) is None
    assert page.left_out == 2
    page.metrics.forget(keys[0])
    page.sees(seen, keys[3])
    assert page.value("epochs", keys[3]) == 1
    assert page.left_out == 1


def test_a_slots_turnaround_is_from_an_end_to_the_next_start(page: Page) -> None:
    trials = [trial(1, TrialPhase.RUNNING), trial(2)]
    page.sees(snapshot(job(parallel=1), trials, [running_pod(1, started=ago(100))]))
    page.sees(snapshot(job(parallel=1), trials, [ended_pod(1, started=ago(100), finished=ago(30)), pod(2)]))
    assert page.value("slot_turnaround_seconds_count") == 0
    over = [ended_pod(1, started=ago(100), finished=ago(30)), running_pod(2, started=ago(23))]
    page.sees(snapshot(job(parallel=1), trials, over))
    page.sees(snapshot(job(parallel=1), trials, over))
    assert (page.value("slot_turnaround_seconds_count"), page.value("slot_turnaround_seconds_sum")) == (1, 7)
    assert page.value("slot_turnaround_seconds_bucket", le="5") == 0
    assert page.value("slot_turnaround_seconds_bucket", le="10") == 1


@pytest.mark.parametrize(
    ("then", "observed"),
    [
        ([running_pod(2, started=ago(5))], 1),  # its Pod was deleted: it ended between the two looks
        ([ended_pod(2, started=ago(9), finished=ago(3))], 1),  # it came and went
        ([], 0),
        ([pod(2)], 0),
    ],
)
def test_what_comes_and_goes_between_two_passes_counts_once(page: Page, then: list[Any], observed: int) -> None:
    trials = [trial(1, TrialPhase.RUNNING), trial(2)]
    page.sees(snapshot(job(parallel=1), trials, [running_pod(1)], now=ago(10)))
    page.sees(snapshot(job(parallel=1), trials, then, now=ago(8)))
    page.sees(snapshot(job(parallel=1), trials, then, now=NOW))
    assert page.value("slot_turnaround_seconds_count") == observed


def test_after_a_restart_and_after_a_suspension_no_slot_has_a_past(page: Page) -> None:
    trials = [trial(1), trial(2)]
    page.sees(snapshot(job(), trials, [ended_pod(1), running_pod(2)]))
    assert page.value("slot_turnaround_seconds_count") == 0
    page.sees(snapshot(job(suspend=True), trials, [ended_pod(1), ended_pod(2)]))
    page.sees(snapshot(job(), trials, [running_pod(3, started=NOW)]))
    assert page.value("slot_turnaround_seconds_count") == 0
