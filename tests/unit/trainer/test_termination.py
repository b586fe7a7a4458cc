from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuning_trainer.termination import MAX_BYTES, termination_message, write_message

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

names = st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=128)


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[float, dict[str, float]]]:
    metrics = draw(st.lists(names, min_size=1, max_size=64, unique=True))
    values = draw(st.lists(st.floats(), min_size=1, max_size=30))
    first, count = draw(st.integers(0, 1)), draw(st.integers(1, 2000))
    return [
        (first + i, {name: values[(i * 7 + j) % len(values)] for j, name in enumerate(metrics)}) for i in range(count)
    ]


def number(value: Any) -> float:
    return float(value.replace("Infinity", "inf")) if isinstance(value, str) else value


@given(histories(), st.data())
def test_every_history_fits_and_keeps_its_last_epoch_and_true_values(
    history: list[tuple[float, dict[str, float]]], data: st.DataObject
) -> None:
    objective = data.draw(st.sampled_from([*history[0][1], "another"]))
    message = termination_message(history, objective)
    assert len(message) <= MAX_BYTES
    document = json.loads(message, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    epochs, by_epoch = document["epochs"], dict(history)
    assert document["completed"] == len(history)
    assert document["thinned"] == (len(epochs) < len(history))
    assert epochs == sorted(set(epochs))
    assert epochs[-1] == history[-1][0]
    assert len(document["metrics"]) in (1, len(history[0][1]))
    if objective in history[0][1]:
        assert objective in document["metrics"]
    for name, values in document["metrics"].items():
        for epoch, value in zip(epochs, values, strict=True):
            true = by_epoch[epoch][name]
            assert number(value) == true or (math.isnan(number(value)) and math.isnan(true))


@given(histories(), st.text(max_size=3000), st.text(max_size=300), st.integers(0, MAX_BYTES))
def test_whatever_is_said_beside_it_the_message_is_json_within_its_bound(
    history: list[tuple[float, dict[str, float]]], error: str, sample: str, limit: int
) -> None:
    log: dict[str, int | str] = {"lines": 10, "used": 2, "refused": 3, "problem": error[:300], "sample": sample[:200]}
    message = termination_message(history, None, limit, error=error, log=log)
    assert len(message) <= limit
    if limit < 100:
        return
    document = json.loads(message)
    assert document["completed"] == len(history)
    if document["epochs"]:
        assert document["epochs"][-1] == history[-1][0]
    assert error.encode(errors="replace").decode().endswith(document.get("error", ""))


def test_words_and_notes_take_room_from_the_curve_and_not_from_its_end() -> None:
    history = curve(1000, "accuracy")
    log: dict[str, int | str] = {"lines": 9, "used": 1, "refused": 8, "problem": "p" * 300, "sample": "s" * 200}
    document = json.loads(termination_message(history, None, error="x" * 5000 + "the end", log=log))
    assert document["log"] == log
    assert document["error"] == "x" * 993 + "the end"
    assert document["epochs"][-1] == 1000
    assert len(document["epochs"]) > 50
    small = json.loads(termination_message(history, None, 200, error="x" * 5000, log=log))
    assert small["epochs"][-1] == 1000


def test_a_log_without_an_epoch_leaves_what_became_of_it() -> None:
    log: dict[str, int | str] = {"lines": 0, "used": 0, "refused": 0, "problem": "the file is empty"}
    message = json.loads(termination_message([], "accuracy", log=log))
    assert message == {"epochs": [], "metrics": {}, "completed": 0, "thinned": False, "log": log}


def test_fractions_are_kept() -> None:
    assert parsed([(0.5, {"a": 1}), (1, {"a": 2})])["epochs"] == [0.5, 1]


def curve(count: int, *metrics: str) -> list[tuple[float, dict[str, float]]]:
    return [(epoch, dict.fromkeys(metrics, epoch / 7)) for epoch in range(1, count + 1)]


def parsed(history: Sequence[tuple[float, dict[str, float]]], objective: str | None = None) -> Any:
    return json.loads(termination_message(history, objective))


def test_a_short_history_is_kept_whole() -> None:
    history = [
        (1, {"accuracy": 0.5, "loss": math.nan}),
        (2, {"accuracy": 1, "loss": -math.inf, "late": math.inf}),
    ]
    assert parsed(history) == {
        "epochs": [1, 2],
        "metrics": {"accuracy": [0.5, 1], "loss": ["NaN", "-Infinity"], "late": [None, "Infinity"]},
        "completed": 2,
        "thinned": False,
    }


def test_a_long_history_is_thinned_evenly_and_no_more_than_it_must_be() -> None:
    document = parsed(curve(1000, "accuracy"))
    gaps = {later - earlier for earlier, later in zip(document["epochs"], document["epochs"][1:], strict=False)}
    assert len(gaps) <= 2
    assert document["thinned"]
    assert len(termination_message(curve(1000, "accuracy"), None)) > MAX_BYTES * 0.95
    assert parsed(curve(150, "accuracy"))["thinned"] is False


def test_many_metrics_leave_the_objective() -> None:
    metrics = [f"{'x' * 100}-{i}" for i in range(64)]
    document = parsed(curve(20, *metrics), objective=metrics[40])
    assert list(document["metrics"]) == [metrics[40]]
    assert document["epochs"] == list(range(1, 21))


def test_the_file_holds_the_last_message_and_nothing_of_a_longer_one(tmp_path: Path) -> None:
    path = tmp_path / "log"
    write_message(path, b"longer", create=True)
    write_message(path, b"short", create=False)
    assert path.read_bytes() == b"short"


def test_a_file_is_made_only_where_that_is_wanted(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_message(tmp_path / "log", b"text", create=False)


@pytest.mark.parametrize("limit", [300, 700, 2000])
def test_a_thinned_history_keeps_the_best_epoch_whichever_way_is_better(limit: int) -> None:
    values = [0.5 + 0.001 * (epoch % 7) for epoch in range(1, 1001)]
    values[332], values[717], values[400] = 0.9, 0.1, float("nan")
    history = [(epoch, {"loss": value, "other": 1.0}) for epoch, value in enumerate(values, 1)]
    message = json.loads(termination_message(history, "loss", limit))
    assert message["thinned"]
    assert {333, 718, 1000} <= set(message["epochs"])
