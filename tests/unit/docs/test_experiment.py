"""The page about the experiment says what its records say, and the records are those of a whole experiment."""

from __future__ import annotations

import math
import re

import pytest

from experiment import plots
from experiment.pairs import pairs
from experiment.plan import EPOCH_SECONDS, EPOCHS, TRIALS, curves
from experiment.records import JobRecord, Kind, Stopping, load
from experiment.tables import with_tables
from tests.unit.docs.pages import ROOT

DOCS = ROOT / "docs"
RECORDS = load(DOCS / "experiment.json")
each_job = pytest.mark.parametrize("job", RECORDS, ids=lambda job: job.name)


def test_the_tables_are_what_the_records_give() -> None:
    page = (DOCS / "experiment.md").read_text()
    assert with_tables(page, RECORDS) == page, "run `python -m experiment report`"


def test_the_readme_quotes_the_mean_of_the_table() -> None:
    mean = re.search(r"^\| \*\*mean\*\* .*? (\d+) ± \d+ % ", (DOCS / "experiment.md").read_text(), re.MULTILINE)
    assert mean
    assert f"**{mean[1]} % less training time**" in (ROOT / "README.md").read_text()


def test_at_least_three_seeds_and_all_lengths_were_run_both_ways() -> None:
    assert len(pairs(RECORDS, Kind.REFERENCE)) >= 3
    assert tuple(pair.off.epoch_seconds for pair in pairs(RECORDS, Kind.CROSSOVER)) == EPOCH_SECONDS
    assert len(RECORDS) == 2 * sum(len(pairs(RECORDS, kind)) for kind in Kind), "a job without its other half"


def test_the_pictures_are_there_and_shown() -> None:
    page = (DOCS / "experiment.md").read_text()
    for name in (plots.CURVES, plots.BEST, plots.CROSSOVER):
        assert f"](images/{name})" in page
        assert (DOCS / "images" / name).read_bytes().startswith(b"\x89PNG")


@each_job
def test_a_record_is_of_a_whole_job(job: JobRecord) -> None:
    assert [trial.number for trial in job.trials] == list(range(1, TRIALS + 1))
    assert {trial.phase for trial in job.trials} <= {"Completed", "EarlyStopped"}
    assert job.training_seconds == sum(trial.training_seconds for trial in job.trials)
    ends = {trial.number: trial.curve[-1][1] for trial in job.trials}
    assert job.best_value == ends[job.best] == max(value for value in ends.values() if math.isfinite(value))
    assert all(len(trial.curve) == EPOCHS for trial in job.trials if trial.phase == "Completed")


@each_job
def test_every_stop_has_its_reason(job: JobRecord) -> None:
    assert job.stopping is Stopping.AUTO or not job.stopped
    for trial in job.stopped:
        assert trial.stop
        assert trial.stop.value < trial.stop.threshold or math.isnan(trial.stop.value)
        assert trial.stop.epoch <= len(trial.curve)


def test_replays_of_all_jobs_are_the_recorded_curves_and_the_same() -> None:
    jobs = [job for job in RECORDS if job.kind is Kind.CROSSOVER]
    runs = {job.name: [int(trial.parameters["run"]) for trial in job.trials] for job in jobs}
    assert len({tuple(numbers) for numbers in runs.values()}) <= 1
    for job in jobs:
        for run, trial in zip(runs[job.name], job.trials, strict=True):
            assert [value for _, value in trial.curve] == curves()[run][: len(trial.curve)]
