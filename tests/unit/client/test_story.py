"""The demo's picture of a job, drawn from objects as the API server gives them."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console

from tuning_client.story import changes, parameter_text, read_story
from tuning_client.text import number
from tuning_client.view import clock, closing_lines, progress_view, top_trials

if TYPE_CHECKING:
    from tuning_client.story import Story

NOW = datetime(2026, 1, 1, 12, 5, 0, tzinfo=UTC)


def trial(
    number: int, phase: str = "Completed", values: tuple[float | str, ...] = (0.1, 0.5), **status: Any
) -> dict[str, Any]:
    return {
        "metadata": {"name": f"fashion-{number:04d}"},
        "spec": {
            "number": number,
            "parameters": {"learning_rate": f"0.0{number}234567", "mini_batch_size": "32", "optimizer": "adam"},
        },
        "status": {
            "phase": phase,
            "trainingSeconds": 10 * number,
            "curve": {"epochs": list(range(1, len(values) + 1)), "values": [str(value) for value in values]},
            **({"objective": str(values[-1]), "objectiveEpoch": len(values)} if values else {}),
            **status,
        },
    }


def job(**status: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "fashion"},
        "spec": {
            "objective": {"metric": "validation:accuracy", "goal": "Maximize"},
            "limits": {"maxTrials": 20},
            "staticParameters": {"epochs": "10"},
        },
        "status": {"phase": "Running", "startTime": "2026-01-01T12:00:00Z", **status},
    }


def drawn(thing: object, width: int = 122) -> str:
    paper = Console(file=io.StringIO(), width=width, force_terminal=False)
    paper.print(thing)
    assert isinstance(paper.file, io.StringIO)
    return paper.file.getvalue()


def row(text: str, name: str) -> str:
    return next(line for line in text.splitlines() if f" {name} " in f" {line}")


@pytest.fixture
def story() -> Story:
    return read_story(
        job(bestTrial={"name": "fashion-0002"}, totalTrainingSeconds=77),
        [
            trial(3, "EarlyStopped", (0.1, 0.1, 0.1), reason="BelowMedian", message="0.1 is below 0.3"),
            trial(1, values=(0.2, 0.4)),
            trial(2, values=(0.3, 0.8)),
            trial(4, "Running", (0.6,), startTime="2026-01-01T12:04:50Z", trainingSeconds=0),
            trial(5, "Pending", (), reason="Unschedulable", message="Insufficient nvidia.com/gpu"),
            trial(6, "Failed", (0.99,), reason="OOMKilled", message="the training container exited with code 137"),
        ],
    )


def test_every_trial_has_a_row_with_its_state_epoch_value_and_reason(story: Story) -> None:
    text = drawn(progress_view(story, NOW, 122))
    assert row(text, "0001").split()[1:-1] == [
        "0001",
        "completed",
        "━━",
        "2/10",
        "0.4",
        "0.0123",
        "32",
        "adam",
        "10",
        "s",
    ]
    assert row(text, "0002").split()[5:7] == ["0.8", "★"]
    assert "stopped early" in row(text, "0003")
    assert "0.1 is below 0.3" in row(text, "0003")
    assert "training" in row(text, "0004")
    assert "1/10" in row(text, "0004")
    assert "10 s" in row(text, "0004"), "a running trial's time grows"
    assert "Insufficient nvidia.com/gpu" in row(text, "0005")
    assert "the training container" in row(text, "0006")


def test_the_summary_counts_what_has_ended_and_what_was_spared(story: Story) -> None:
    text = drawn(progress_view(story, NOW, 122))
    assert "4/20 trials" in text
    assert "best so far 0.8 (fashion-0002)" in text
    assert "1 stopped early, 7 epochs not trained" in text
    assert "5:00 elapsed" in text


def test_a_low_terminal_shows_the_running_trials_the_best_and_the_newest(story: Story) -> None:
    text = drawn(progress_view(story, NOW, 122, height=15))
    assert [name for name in ("0001", "0002", "0003", "0004", "0005", "0006") if f" {name} " in text] == [
        "0002",
        "0004",
        "0005",
        "0006",
    ]
    assert len(text.splitlines()) <= 15


def test_eighty_columns_are_enough(story: Story) -> None:
    text = drawn(progress_view(story, NOW, 80), width=80)
    cells = ["0002", "completed", "╸", "2/10", "0.8", "★", "0.0223", "32", "adam", "20", "s"]
    assert row(text, "0002").split()[1:-1] == cells
    assert {"learning_", "rate", "optimizer"} <= set(text.split()), "headings are broken at their joints only"


def test_eighty_columns_are_enough_for_the_top_trials_of_the_demo() -> None:
    trials = [trial(number) for number in range(1, 6)]
    for body in trials:
        body["metadata"]["name"] = body["metadata"]["name"].replace("fashion", "fashion-mnist")
    words = set(drawn(top_trials(read_story(job(), trials)), width=80).split())
    joints = {
        "validation:",
        "accuracy",
        "learning_",
        "rate",
        "mini_",
        "batch_",
        "size",
        "optimizer",
        "EPOCHS",
        "TRAINING",
    }
    assert joints <= words, "headings are broken at their joints only"


def test_a_job_without_trials_or_status_can_be_drawn() -> None:
    body = job()
    del body["status"], body["spec"]["staticParameters"]
    text = drawn(progress_view(read_story(body, []), NOW, 122))
    assert "0/20 trials" in text
    assert "no result yet" in text
    assert "not trained" not in text


def test_bad_news_is_shown_in_its_own_words() -> None:
    conditions = [
        {"type": "MetricsAvailable", "status": "False", "message": "connection refused"},
        {"type": "QuotaExceeded", "status": "False", "message": "the last Pod could be created"},
        {"type": "Complete", "status": "True", "message": "all trials have ended"},
    ]
    story = read_story(job(conditions=conditions), [])
    assert story.problems == {"MetricsAvailable": "connection refused"}
    assert "MetricsAvailable: connection refused" in drawn(progress_view(story, NOW, 122))


def test_the_top_trials_are_the_best_that_ended_with_an_objective(story: Story) -> None:
    assert [item.name for item in story.ranking()] == ["fashion-0002", "fashion-0001", "fashion-0003"]
    text = drawn(top_trials(story))
    assert row(text, "fashion-0002").split() == ["fashion-0002", "0.8", "0.0223", "32", "adam", "2", "20"]


def test_a_minimised_metric_ranks_the_other_way_and_nan_is_no_result() -> None:
    body = job()
    body["spec"]["objective"]["goal"] = "Minimize"
    story = read_story(body, [trial(1, values=(0.5,)), trial(2, values=(0.2,)), trial(3, values=("NaN",))])
    assert [item.number for item in story.ranking()] == [2, 1]


def test_only_five_trials_are_on_top() -> None:
    story = read_story(job(), [trial(number, values=(number / 10,)) for number in range(1, 8)])
    text = drawn(top_trials(story))
    assert "fashion-0003" in text
    assert "fashion-0002" not in text
    assert "The best of 7 trials" in text


def test_the_closing_lines_name_the_bill_and_what_was_spared(story: Story) -> None:
    assert closing_lines(story, NOW) == [
        "Training: 77 s in all, 300 s on the clock",
        "Stopped early: 1 of 6 trials",
        "Epochs not trained: 7 of 60 (12%)",
    ]


def test_events_are_told_once_each() -> None:
    first = read_story(job(), [trial(1, "Pending", ())])
    second = read_story(job(), [trial(1, "Running", (0.5,))])
    stopped = trial(1, "EarlyStopped", (0.5,), reason="BelowMedian", message="0.5 is below 0.7")
    third = read_story(job(phase="Completed", message="all 1 trials have ended"), [stopped])
    assert list(changes(None, first)) == [
        "job fashion is Running",
        "fashion-0001 created: learning_rate=0.0123, mini_batch_size=32, optimizer=adam",
    ]
    assert list(changes(first, second)) == ["fashion-0001 is training"]
    assert list(changes(second, second)) == []
    assert list(changes(second, third)) == [
        "job fashion is Completed: all 1 trials have ended",
        "fashion-0001 stopped early, 0.5 after 1/10 epochs, 10 s: 0.5 is below 0.7",
    ]


def test_a_new_best_trial_and_a_waiting_one_are_events() -> None:
    before = read_story(job(), [trial(1, "Collecting"), trial(2, "Pending", ())])
    waiting = trial(2, "Pending", (), reason="Unschedulable", message="0/1 nodes are available")
    after = read_story(job(bestTrial={"name": "fashion-0001"}), [trial(1), waiting])
    assert list(changes(before, after)) == [
        "fashion-0001 completed, 0.5 after 2/10 epochs, 10 s",
        "fashion-0002 waits: Unschedulable: 0/1 nodes are available",
        "best so far: fashion-0001 with 0.5",
    ]


def test_a_pause_and_its_end_are_events() -> None:
    running = read_story(job(), [trial(1, "Running")])
    paused = read_story(job(), [trial(1, "Paused", reason="OutOfReach", message="epoch 2: 0.1 is below 0.4")])
    again = "attempt 1 was paused at epoch 2; attempt 2 follows"
    resumed = read_story(job(), [trial(1, "Pending", reason="Resumed", message=again)])
    assert list(changes(running, paused)) == ["fashion-0001 is paused: epoch 2: 0.1 is below 0.4"]
    assert list(changes(paused, resumed)) == [f"fashion-0001 is resumed: {again}"]


@pytest.mark.parametrize(
    ("value", "text"),
    [("0.000123456", "0.000123"), ("32", "32"), ("adam", "adam"), ("nan", "nan"), ("1e-05", "1e-05"), ("", "")],
)
def test_parameters_are_short(value: str, text: str) -> None:
    assert parameter_text(value) == text


def test_numbers_and_clocks() -> None:
    assert number("0.123456") == "0.1235"
    assert clock(247.9) == "4:07"
