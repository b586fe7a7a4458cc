"""What the client shows of a job whose best settings were trained again with other seeds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from tests.unit.client.bodies import FakeSession, job, trial
from tuning_client.analytics import HyperparameterTuningJobAnalytics
from tuning_client.commands.listing import table
from tuning_client.commands.why import about_job, about_trial
from tuning_client.describe import describe_job, time_in
from tuning_client.exports.optuna import frozen
from tuning_client.job import TuningJob
from tuning_client.names import repeated_trial
from tuning_client.story import changes, read_story

if TYPE_CHECKING:
    from tuning_client.session import Session

BEST = {
    "name": "resnet-0002",
    "objective": "0.3",
    "display": "0.28±0.014",
    "epoch": 3,
    "parameters": {"learning_rate": "0.002", "mini_batch_size": "32", "optimizer": "adam"},
    "confirmation": {"mean": "0.28", "standardDeviation": "0.0141", "repetitions": 2},
}
SETTINGS = [{"trial": "resnet-0002", "objective": "0.3", "confirmed": True, **cast("Any", BEST["confirmation"])}]
CONFIRMATION = {"progress": "2/2", "message": "resnet-0002 wins", "settings": SETTINGS}


def repetition(number: int, objective: str) -> dict[str, Any]:
    """A trial that trains the second one again."""
    body = trial(number, objective=objective)
    return {**body, "spec": {**body["spec"], "confirms": 2, "seed": 7}}


TRIALS = [trial(1, objective="0.2"), trial(2, objective="0.3"), repetition(3, "0.9"), repetition(4, "0.26")]
BODY = job(bestTrial=BEST, confirmation=CONFIRMATION, progress="2/2")


def session() -> Session:
    return cast("Session", FakeSession(BODY, trials=TRIALS))


def test_the_best_has_its_mean_and_spread() -> None:
    best = TuningJob("resnet", session()).best()
    assert (best.trial, best.objective, best.mean, best.standard_deviation) == ("resnet-0002", 0.3, 0.28, 0.0141)
    now = time_in("2026-11-24T11:00:00Z")
    assert now is not None
    (best_value,) = (column.cells for column in table([BODY], now).columns if column.header == "BEST")
    assert [str(cell) for cell in best_value] == ["0.28±0.014"]


def test_repetitions_are_no_part_of_the_ranking_and_of_the_progress() -> None:
    story = read_story(BODY, TRIALS)
    assert ([each.number for each in story.ranking()], story.ended) == ([2, 1], 2)
    lines = list(changes(None, story))
    assert "confirmation: resnet-0002 wins" in lines
    assert any(line.startswith("resnet-0003 created, trains trial 2 again") for line in lines)


def test_tables_and_exports_name_the_trial_that_is_repeated() -> None:
    frame = HyperparameterTuningJobAnalytics("resnet", session()).dataframe()
    assert frame["ConfirmsTrainingJob"].fillna("").tolist() == ["", "", "resnet-0002", "resnet-0002"]
    without = cast("Session", FakeSession(job(), trials=TRIALS[:2]))
    assert "ConfirmsTrainingJob" not in HyperparameterTuningJobAnalytics("resnet", without).dataframe()
    kept = frozen(TRIALS[2], BODY["spec"]["parameters"], repeated_trial(TRIALS[2], BODY))
    assert kept.user_attrs["confirms"] == "resnet-0002"


def test_why_lists_the_settings_and_says_what_a_repetition_is() -> None:
    lines = list(about_job(BODY, TRIALS))
    assert "confirmation: resnet-0002 wins" in lines
    assert "  resnet-0002: 0.3 in the search, mean 0.28 ± 0.0141 with 2 other seeds" in lines
    assert "trains trial 2 again, with seed 7" in list(about_trial(BODY, {**TRIALS[2], "status": {"phase": "Running"}}))


def test_a_job_that_confirms_is_in_progress() -> None:
    assert describe_job(job("Confirming"), None)["HyperParameterTuningJobStatus"] == "InProgress"
