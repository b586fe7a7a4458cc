"""Whole runs on small data, in this process."""

from __future__ import annotations

import json
import math
import shutil
import signal
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import pytest
import torch

from tests.unit.trainer.pictures import write_folder, write_idx
from tuning_trainer import machine
from tuning_trainer.image_classification import batches, training
from tuning_trainer.image_classification.hyperparameters import HyperparameterError, Hyperparameters
from tuning_trainer.image_classification.interruption import Interruption
from tuning_trainer.image_classification.network import make_network

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tuning_trainer import Reporter

    Curve = list[dict[str, float]]


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TUNING_CPU_THREADS", "1")
    monkeypatch.delenv("TUNING_TRIAL", raising=False)
    handler = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, handler)


@pytest.fixture
def hp(tmp_path: Path) -> Hyperparameters:
    return Hyperparameters(
        data=str(write_idx(tmp_path / "idx", 200)),
        num_layers=0,
        image_shape=(1, 8, 8),
        learning_rate=0.01,
        optimizer="adam",
        mini_batch_size=16,
        epochs=4,
        seed=3,
    )


class Listener:
    """Takes reports, and asks for the end of training at a given step."""

    def __init__(self) -> None:
        self.curve: Curve = []

    def report(self, epoch: int, metrics: dict[str, float]) -> None:
        assert epoch == len(self.curve) + 1
        self.curve.append(metrics)


class Killed(Listener):
    """Dies while it takes the report of an epoch."""

    def report(self, epoch: int, metrics: dict[str, float]) -> None:
        super().report(epoch, metrics)
        if epoch == 2:
            raise MemoryError


def run(hp: Hyperparameters, interruption: Interruption | None = None, listener: Listener | None = None) -> Curve:
    listener = listener or Listener()
    training.Training(hp, interruption or Interruption()).run(cast("Reporter", listener))
    return listener.curve


class After(Interruption):
    """Asks for the end when it has been asked a number of times whether to continue."""

    def __init__(self, questions: int) -> None:
        self.training = False
        self.questions = questions

    @property
    def requested(self) -> bool:  # type: ignore[override] # a test's clock
        self.questions -= 1
        return self.questions < 0


def test_a_run_learns_and_reports_every_epoch(hp: Hyperparameters) -> None:
    curve = run(replace(hp, top_k=3))
    assert len(curve) == 4
    assert list(curve[0]) == [
        "train:accuracy",
        "train:loss",
        "validation:accuracy",
        "validation:loss",
        "validation:top_k_accuracy_3",
    ]
    last = curve[-1]
    assert last["validation:accuracy"] > 0.9
    assert last["train:accuracy"] > 0.9
    assert last["validation:loss"] < curve[0]["validation:loss"]
    assert all(m["validation:accuracy"] <= m["validation:top_k_accuracy_3"] <= 1 for m in curve)


@pytest.mark.parametrize("optimizer", ["sgd", "nag", "rmsprop"])
def test_every_optimizer_learns(hp: Hyperparameters, optimizer: str) -> None:
    rate = 0.001 if optimizer == "rmsprop" else 0.05
    curve = run(replace(hp, optimizer=optimizer, learning_rate=rate, epochs=6))
    assert curve[-1]["validation:accuracy"] > 0.8


@pytest.mark.parametrize("augmentation", ["none", "crop_color_transform"])
def test_the_seed_decides_everything(hp: Hyperparameters, augmentation: str) -> None:
    hp = replace(hp, augmentation_type=augmentation, epochs=2)
    assert run(hp) == run(hp)
    assert run(hp) != run(replace(hp, seed=4))


def test_the_largest_seed_is_none_too_large(hp: Hyperparameters) -> None:
    largest = replace(hp, seed=2**31 - 1)
    assert run(largest) == run(largest)


def test_a_diverged_run_goes_on_with_nan_as_its_loss(hp: Hyperparameters) -> None:
    curve = run(replace(hp, optimizer="sgd", learning_rate=1e30, epochs=3))
    assert len(curve) == 3
    assert math.isnan(curve[-1]["validation:loss"])
    assert math.isnan(curve[-1]["train:loss"])
    assert 0 <= curve[-1]["validation:accuracy"] <= 1


def test_mixed_precision_learns(hp: Hyperparameters, monkeypatch: pytest.MonkeyPatch) -> None:
    types: list[torch.dtype] = []
    whole = torch.nn.functional.cross_entropy

    def spy(outputs: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        types.append(outputs.dtype)
        return whole(outputs, *args, **kwargs)

    monkeypatch.setattr(torch.nn.functional, "cross_entropy", spy)
    curve = run(replace(hp, precision_dtype="float16"))
    assert torch.float16 in types
    assert curve[-1]["validation:accuracy"] > 0.9


# 10 steps and 1 validation batch an epoch: in a step, between training and validation, at the very start.
@pytest.mark.parametrize("questions", [0, 5, 14, 21])
@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_an_interrupted_run_goes_on_as_if_nothing_had_been(
    hp: Hyperparameters, tmp_path: Path, questions: int, precision: str
) -> None:
    hp = replace(hp, epochs=3, augmentation_type="crop", precision_dtype=precision)
    whole = run(hp)
    hp = replace(hp, checkpoint_dir=str(tmp_path / "checkpoints"))
    with pytest.raises(training.Interrupted):
        run(hp, After(questions))
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["checkpoint.pt"]
    assert run(hp) == whole
    assert not list((tmp_path / "checkpoints").iterdir()), "a finished run must not be resumed"


@pytest.mark.parametrize("schedule", ["step", "cosine", "linear"])
def test_an_interrupted_run_keeps_to_its_schedule(hp: Hyperparameters, tmp_path: Path, schedule: str) -> None:
    hp = replace(hp, optimizer="sgd", learning_rate=0.1, lr_schedule=schedule, lr_scheduler_step=(2,), warmup_epochs=1)
    whole = run(hp)
    assert whole != run(replace(hp, lr_schedule="constant")), "the schedule changes nothing"
    hp = replace(hp, checkpoint_dir=str(tmp_path / "checkpoints"))
    for questions in (5, 9):
        with pytest.raises(training.Interrupted):
            run(hp, After(questions))
    assert run(hp) == whole


def test_a_checkpoint_from_before_a_hyperparameter_existed_is_resumed(hp: Hyperparameters, tmp_path: Path) -> None:
    whole = run(hp)
    hp = replace(hp, checkpoint_dir=str(tmp_path / "checkpoints"))
    with pytest.raises(training.Interrupted):
        run(hp, After(5))
    path = tmp_path / "checkpoints" / "checkpoint.pt"
    content = torch.load(path, weights_only=True)
    del content["hyperparameters"]["warmup_epochs"]
    torch.save(content, path)
    assert run(hp) == whole


def test_a_run_that_was_killed_trains_no_reported_epoch_again(
    hp: Hyperparameters, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = run(hp)
    hp = replace(hp, checkpoint_dir=str(tmp_path / "checkpoints"))
    with pytest.raises(MemoryError):
        run(hp, listener=Killed())
    capsys.readouterr()
    assert run(hp) == whole
    said = capsys.readouterr().out
    assert "resumed in epoch 3" in said
    assert "epoch 2 of 4:" not in said


def test_trials_that_share_a_folder_have_a_checkpoint_each(
    hp: Hyperparameters, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hp = replace(hp, checkpoint_dir=str(tmp_path / "checkpoints"))
    for trial in ("fashion-0001", "fashion-0002"):
        monkeypatch.setenv("TUNING_TRIAL", trial)
        with pytest.raises(training.Interrupted):
            run(hp, After(3))
    assert sorted(path.name for path in (tmp_path / "checkpoints").iterdir()) == ["fashion-0001.pt", "fashion-0002.pt"]


def test_a_checkpoint_of_other_hyperparameters_is_not_resumed(hp: Hyperparameters, tmp_path: Path) -> None:
    hp = replace(hp, checkpoint_dir=str(tmp_path / "checkpoints"))
    with pytest.raises(training.Interrupted):
        run(hp, After(3))
    with pytest.raises(
        HyperparameterError, match=r"checkpoint_dir cannot be used: .* other hyperparameters: remove it"
    ):
        run(replace(hp, learning_rate=0.5))


def test_the_models_of_the_best_and_the_last_epoch_are_left(
    hp: Hyperparameters, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TUNING_MODEL_DIR", str(tmp_path / "models"))
    monkeypatch.setenv("TUNING_OBJECTIVE_METRIC", "validation:loss")
    monkeypatch.setenv("TUNING_OBJECTIVE_GOAL", "Minimize")
    hp = replace(hp, learning_rate=0.2)
    losses = [metrics["validation:loss"] for metrics in run(hp)]
    kept = json.loads((tmp_path / "models" / "models.json").read_text())
    assert kept["last"]["epoch"] == hp.epochs
    assert float(kept["best"]["value"]) == min(losses)
    for entry in kept.values():
        content = torch.load(tmp_path / "models" / entry["folder"] / "model.pt", weights_only=True)
        network = make_network(hp, content["classes"])
        network.load_state_dict(content["network"])
        assert content["hyperparameters"]["num_layers"] == hp.num_layers
        assert 0 < content["mean"].item() < 1
    names = {entry["folder"] for entry in kept.values()}
    assert {path.name for path in (tmp_path / "models").iterdir()} == {"models.json", *names}


def test_without_a_folder_no_checkpoint_is_written(
    hp: Hyperparameters, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(training.Interrupted):
        run(hp, After(3))
    assert sorted(tmp_path.rglob("*")) == before


@pytest.fixture
def photos(tmp_path: Path, hp: Hyperparameters) -> Hyperparameters:
    return replace(
        hp, data=str(write_folder(tmp_path / "photos", 60)), image_shape=(3, 14, 14), mini_batch_size=7, epochs=5
    )


def test_a_folder_of_images_is_learned(photos: Hyperparameters) -> None:
    assert run(photos)[-1]["train:accuracy"] > 0.8


@pytest.mark.parametrize("workers", [0, 2])
def test_streamed_images_give_what_images_in_memory_give(
    photos: Hyperparameters, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    photos = replace(photos, epochs=2, augmentation_type="crop_color")
    in_memory = run(photos)
    monkeypatch.setattr(machine, "free_memory", lambda: 0)
    monkeypatch.setattr(batches, "worker_count", lambda *_: workers)
    assert run(photos) == in_memory


@pytest.mark.slow
def test_a_resnet_trains(photos: Hyperparameters) -> None:
    curve = run(replace(photos, num_layers=18, image_shape=(3, 32, 32), epochs=1, learning_rate=0.001))
    assert math.isfinite(curve[0]["train:loss"])


@pytest.mark.parametrize(
    ("cores", "shared", "expected"), [(4, 2**30, 3), (1, 2**30, 0), (64, 2**30, 16), (8, 64 * 2**20, 2), (8, 0, 0)]
)
def test_loader_processes_fit_the_machine(
    monkeypatch: pytest.MonkeyPatch, cores: int, shared: int, expected: int
) -> None:
    monkeypatch.setattr(machine, "cpu_count", lambda: cores)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: type("Usage", (), {"free": shared}))
    assert batches.worker_count(5 * 2**20, torch.device("cpu")) == expected


@pytest.mark.parametrize(
    ("available", "built_for", "there", "device"),
    [
        (True, "13.0", True, "cuda"),
        (False, "13.0", True, None),
        (False, "13.0", False, "cpu"),
        (False, None, True, "cpu"),  # an image without GPU support, which somebody chose
    ],
)
def test_a_gpu_that_cannot_be_used_is_not_held_for_nothing(
    available: bool,
    built_for: str | None,
    there: bool,
    device: str | None,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: available)
    monkeypatch.setattr(torch.version, "cuda", built_for)
    node = tmp_path / "nvidiactl"
    if there:
        node.touch()
    if device is None:
        with pytest.raises(training.DeviceError, match=r"older than CUDA 13\.0 needs"):
            training.choose_device(node)
    else:
        assert training.choose_device(node) == torch.device(device)
