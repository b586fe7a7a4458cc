"""The learning rate of every step: a warm-up, then constant, in steps, along half a cosine, or along a line to 0.

The rate follows from how far training has come alone, so a resumed run needs nothing else to continue.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    from tuning_trainer.image_classification.hyperparameters import Hyperparameters


def rate(hp: Hyperparameters, epochs: float) -> float:
    """Return the learning rate of a step.

    Args:
        hp: of the run, checked.
        epochs: how many have been trained in the middle of the step, in fractions.
    """
    if epochs < hp.warmup_epochs:
        return hp.learning_rate * epochs / hp.warmup_epochs
    return hp.learning_rate * _decay(hp, epochs)


def _decay(hp: Hyperparameters, epochs: float) -> float:
    match hp.schedule:
        case "step":
            return hp.lr_scheduler_factor ** sum(after < epochs for after in hp.lr_scheduler_step)
        case "cosine":
            return (1 + math.cos(math.pi * _share(hp, epochs))) / 2
        case "linear":
            return 1 - _share(hp, epochs)
    return 1.0


def _share(hp: Hyperparameters, epochs: float) -> float:
    """How much of what follows the warm-up is over."""
    return (epochs - hp.warmup_epochs) / (hp.epochs - hp.warmup_epochs)


def set_rate(optimizer: torch.optim.Optimizer, value: float) -> None:
    """Let the next step use it."""
    for group in optimizer.param_groups:
        group["lr"] = value
