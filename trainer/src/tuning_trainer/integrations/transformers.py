"""Hugging Face Transformers: a `TrainerCallback` that reports each evaluation, with what was logged since the last."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from tuning_trainer.integrations.training import Training, quietly

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class TuningCallback(TrainerCallback):
    """Reports all that the Trainer logs. Evaluations are counted 1, 2, 3; each has its `epoch` among its metrics."""

    def __init__(self) -> None:
        self._training = Training()

    @quietly
    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Report what the log of a checkpoint has."""
        del args, control
        if state.is_world_process_zero:
            for entry in state.log_history:
                self._report(entry, entry["step"])

    @quietly
    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        model: Any = None,
        processing_class: Any = None,
        **_: Any,
    ) -> None:
        """Report what is logged: losses of the training, and each evaluation."""
        del control
        if state.is_world_process_zero and logs:
            # Where several processes train, this one may have a part of the model only.
            save = functools.partial(_save, model, processing_class) if args.world_size == 1 else None
            self._report(logs, state.global_step, save)

    @quietly
    def on_train_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Report what there is where the objective is not."""
        del args, control
        if state.is_world_process_zero:
            self._training.end()

    def _report(self, logs: dict[str, Any], step: int, save: Callable[[Path], object] | None = None) -> None:
        metrics = {name: value for name, value in logs.items() if name != "step"}
        self._training.measure(metrics, at=step, save=save)


def _save(model: Any, processing_class: Any, folder: Path) -> None:
    if hasattr(model, "save_pretrained"):
        model.save_pretrained(folder)
    else:
        torch.save(model.state_dict(), folder / "model.pt")
    if hasattr(processing_class, "save_pretrained"):
        processing_class.save_pretrained(folder)
