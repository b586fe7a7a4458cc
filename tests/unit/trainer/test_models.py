"""The models that a training leaves, whatever happens to it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tuning_trainer.models import keep_model, model_folder

SETTINGS = {"TRIAL": "job-0003", "SEED": "7", "OBJECTIVE_METRIC": "loss", "OBJECTIVE_GOAL": "Minimize"}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, value in {**SETTINGS, "MODEL_DIR": str(tmp_path / "models")}.items():
        monkeypatch.setenv(f"TUNING_{name}", value)
    return tmp_path / "models" / "job-0003-7"


def keep(epoch: float, loss: float | None = None) -> None:
    metrics = {"accuracy": 1.0} if loss is None else {"loss": loss}
    keep_model(epoch, metrics, lambda place: (place / "model.txt").write_text(f"{epoch:g} {loss}"))


def left(folder: Path) -> dict[str, str]:
    """What the best and the last model are, of those that are there; there are no others."""
    kept: dict[str, Any] = json.loads((folder / "models.json").read_text())
    names = {entry["folder"] for entry in kept.values()}
    assert {path.name for path in folder.iterdir()} == {"models.json", *names}
    return {which: (folder / entry["folder"] / "model.txt").read_text() for which, entry in kept.items()}


@pytest.mark.parametrize(
    ("goal", "losses", "best"),
    [
        ("Minimize", [0.5, 0.3, 0.4], "2 0.3"),
        ("Maximize", [0.5, 0.3, 0.4], "1 0.5"),
        ("Minimize", [0.3, 0.3], "1 0.3"),
        ("Minimize", [float("nan"), 0.5, float("nan")], "2 0.5"),
        ("Minimize", [float("nan"), float("nan")], "1 nan"),
        ("Maximize", [1.0, float("-inf")], "1 1.0"),
    ],
)
def test_the_best_and_the_last_are_left(
    folder: Path, monkeypatch: pytest.MonkeyPatch, goal: str, losses: list[float], best: str
) -> None:
    monkeypatch.setenv("TUNING_OBJECTIVE_GOAL", goal)
    for epoch, loss in enumerate(losses, start=1):
        keep(epoch, loss)
    assert left(folder) == {"best": best, "last": f"{len(losses)} {losses[-1]}"}


def test_an_attempt_that_starts_again_replaces_what_it_trains_again(folder: Path) -> None:
    for epoch, loss in ((1, 0.5), (2, 0.2), (3, 0.4)):
        keep(epoch, loss)
    keep(1, 0.6)
    assert left(folder) == {"best": "2 0.2", "last": "1 0.6"}
    keep(2, 0.3)
    assert left(folder) == {"best": "2 0.3", "last": "2 0.3"}, "what was there of this epoch is gone"


def test_a_model_that_cannot_be_written_costs_none_that_is_there(folder: Path) -> None:
    keep(1, 0.5)
    before = left(folder)

    def fails(place: Path) -> None:
        (place / "half.txt").write_text("x")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        keep_model(2, {"loss": 0.1}, fails)
    kept = json.loads((folder / "models.json").read_text())
    assert kept["last"]["folder"] == "epoch-1"
    keep(2, 0.4)
    assert left(folder) == {"best": "2 0.4", "last": "2 0.4"} != before, "what was left half is removed"


def test_without_the_objective_there_is_a_last_one_only(folder: Path) -> None:
    keep(1)
    assert left(folder) == {"last": "1 None"}


def test_epochs_may_be_fractions(folder: Path) -> None:
    keep(0.5, 0.3)
    assert json.loads((folder / "models.json").read_text())["best"] == {
        "epoch": 0.5,
        "folder": "epoch-0.5",
        "value": "0.3",
    }


def test_nothing_is_saved_where_no_folder_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TUNING_MODEL_DIR")
    keep_model(1, {"loss": 1}, lambda _: pytest.fail("it was called"))


def test_outside_of_a_trial_the_folder_is_the_one_that_was_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUNING_MODEL_DIR", "/models/best")
    monkeypatch.delenv("TUNING_TRIAL")
    assert model_folder() == Path("/models/best")
