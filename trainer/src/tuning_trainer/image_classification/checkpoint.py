"""Checkpoints: all that a run needs to resume at the step where it was interrupted."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import nn

    from tuning_trainer.image_classification.hyperparameters import Hyperparameters

# Where the data and the checkpoints lie does not change what is computed.
PLACES = ("data", "checkpoint_dir")


@dataclass
class Progress:
    """How far training has come.

    Attributes:
        epoch: the one that is being trained, from 1.
        step: steps of it that are done.
        loss: sum of the losses of those steps' images, on the training device.
        correct: how many of those images were classified correctly, on the training device.
        history: metrics of the epochs that are over.
    """

    loss: torch.Tensor
    correct: torch.Tensor
    epoch: int = 1
    step: int = 0
    history: list[dict[str, float]] = field(default_factory=list)


@dataclass(frozen=True)
class Trained:
    """What changes in training."""

    network: nn.Module
    optimizer: torch.optim.Optimizer
    scaler: torch.amp.GradScaler


def checkpoint_path(folder: str, trial: str | None) -> Path:
    """Return the run's file; trials that share a folder have one each."""
    return Path(folder) / f"{trial or 'checkpoint'}.pt"


def save(path: Path, hp: Hyperparameters, trained: Trained, progress: Progress) -> None:
    """Write a checkpoint so that at any time there is either the old file or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    with partial.open("wb") as file:
        torch.save(
            {
                "hyperparameters": _identity(hp),
                "network": trained.network.state_dict(),
                "optimizer": trained.optimizer.state_dict(),
                "scaler": trained.scaler.state_dict(),
                "progress": {**vars(progress)},
            },
            file,
        )
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def save_model(folder: Path, hp: Hyperparameters, network: nn.Module, data: Mapping[str, Any]) -> None:
    """Write the weights, and what it takes to use them: the arguments of `make_network` and of `Preparation`."""
    content = {"hyperparameters": _identity(hp), **data, "network": network.state_dict()}
    torch.save(content, folder / "model.pt")


def load(path: Path, hp: Hyperparameters) -> dict[str, Any] | None:
    """Read a checkpoint of a run with these hyperparameters, if there is one.

    Raises:
        ValueError: the file is of a run with other hyperparameters.
    """
    if not path.exists():
        return None
    content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    # A checkpoint that an older version wrote lacks the names that are new: it was trained with their defaults.
    if _identity(type(hp)()) | content["hyperparameters"] != _identity(hp):
        raise ValueError(f"{path} is of a run with other hyperparameters: remove it, or choose another checkpoint_dir")
    return content


def restore(content: Mapping[str, Any], trained: Trained, device: torch.device) -> Progress:
    """Continue from what was read."""
    trained.network.load_state_dict(content["network"])
    trained.optimizer.load_state_dict(content["optimizer"])
    trained.scaler.load_state_dict(content["scaler"])
    progress = content["progress"]
    return Progress(**progress | {name: progress[name].to(device) for name in ("loss", "correct")})


def _identity(hp: Hyperparameters) -> dict[str, Any]:
    return {name: value for name, value in asdict(hp).items() if name not in PLACES}
