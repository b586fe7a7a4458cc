"""Event files of the writers that trainings use, read without TensorFlow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tuning_trainer.follow.eventfiles import EventFiles
from tuning_trainer.follow.steps import Steps
from tuning_trainer.history import History

if TYPE_CHECKING:
    from pathlib import Path


def history(folder: Path) -> dict[float, dict[str, float]]:
    known = History()
    files, steps = EventFiles(folder), Steps(known.place, "val_loss", "val_loss")
    for scalar in files.new():
        steps.take(scalar)
    assert (files.trouble, list(files.problems())) == ("", [])
    return dict(known)


CURVE = {1: {"val_loss": 0.5, "loss": 0.75}, 2: {"val_loss": 0.25, "loss": 0.375}}


def test_every_step_of_torchs_writer_in_both_of_its_styles(tmp_path: Path) -> None:
    from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415 - only where it is needed: it loads torch

    for new_style in (False, True):
        folder = tmp_path / str(new_style)
        with SummaryWriter(str(folder)) as writer:
            writer.add_text("text", "words")
            for step in (1, 2):
                writer.add_scalar("loss", 1.5 / 2**step, step, new_style=new_style)
                writer.add_scalar("val_loss", 1 / 2**step, step, new_style=new_style)
        assert history(folder) == CURVE


def test_tensorboardx_in_two_files_of_a_run_that_resumes(tmp_path: Path) -> None:
    from tensorboardX import SummaryWriter  # noqa: PLC0415

    for index, steps in enumerate(((1,), (1, 2))):
        with SummaryWriter(str(tmp_path), filename_suffix=f".{index}") as writer:
            for step in steps:
                writer.add_scalar("loss", 1.5 / 2**step, step)
                writer.add_scalar("val_loss", 1 / 2**step, step)
    assert history(tmp_path) == CURVE


def test_the_tensors_that_keras_and_tensorflow_write(tmp_path: Path) -> None:
    from tensorboard.summary import Writer  # noqa: PLC0415

    writer = Writer(str(tmp_path))
    for step in (1, 2):
        writer.add_scalar("loss", 1.5 / 2**step, step)
        writer.add_scalar("val_loss", 1 / 2**step, step)
    writer.close()
    assert history(tmp_path) == CURVE
