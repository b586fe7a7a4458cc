from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuning_trainer.termination import MAX_BYTES, termination_message, write_message

if TYPE_CHECKING:
    from pathlib import Path

names = st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=128)


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[int, dict[str, float]]]:
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
    history: list[tuple[int, dict[str, float]]], data: st.DataObject
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


def curve(count: int, *metrics: str) -> list[tuple[int, dict[str, float]]]:
    return [(epoch, dict.fromkeys(metrics, epoch / 7)) for epoch in range(1, count + 1)]


def parsed(history: list[tuple[int, dict[str, float]]], objective: str | None = None) -> Any:
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
