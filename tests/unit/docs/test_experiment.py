"""The page about the experiment says what its records say, and the records are those of a whole experiment."""

from __future__ import annotations

import math
import re

import pytest

from experiment import plots
from experiment.pairs import pairs
from experiment.plan import EPOCH_SECONDS, EPOCHS, RECORDED, TRIALS, curves
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
    mean = re.search(r"^\| saved \| (\d+) ± \d+ % ", (DOCS / "experiment.md").read_text(), re.MULTILINE)
    assert mean
    assert f"**{mean[1]} % less training time**" in (ROOT / "README.md").read_text()


def test_at_least_three_seeds_and_all_lengths_were_run_both_ways() -> None:
    assert len(pairs(RECORDS, Kind.REFERENCE)) >= 3
    assert tuple(pair.base.epoch_seconds for pair in pairs(RECORDS, Kind.CROSSOVER)) == EPOCH_SECONDS
    assert len(pairs(RECORDS, Kind.PAUSES)) >= 5
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
    assert all(len(trial.curve) == EPOCHS[job.kind] for trial in job.trials if trial.phase == "Completed")


@each_job
def test_every_stop_has_its_reason(job: JobRecord) -> None:
    assert job.stopping is not Stopping.OFF or not job.stopped
    assert job.stopping is Stopping.PAUSE or not any(trial.paused for trial in job.trials)
    for trial in job.stopped:
        assert trial.stop
        assert trial.stop.value < trial.stop.threshold or math.isnan(trial.stop.value)
        assert trial.stop.epoch <= len(trial.curve)


@pytest.mark.parametrize("kind", RECORDED)
def test_replays_of_a_seed_are_the_recorded_curves_and_the_same(kind: Kind) -> None:
    jobs = [job for job in RECORDS if job.kind is kind]
    runs = {job.name: [int(trial.parameters["run"]) for trial in job.trials] for job in jobs}
    for seed in {job.seed for job in jobs}:
        assert len({tuple(runs[job.name]) for job in jobs if job.seed == seed}) == 1
    for job in jobs:
        for run, trial in zip(runs[job.name], job.trials, strict=True):
            assert [value for _, value in trial.curve] == curves(kind)[run][: len(trial.curve)]
