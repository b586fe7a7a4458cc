"""Hugging Face Transformers: a `TrainerCallback` that reports each evaluation, with what was logged since the last."""

from __future__ import annotations

from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from tuning_trainer.integrations.training import Training, quietly


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
        **_: Any,
    ) -> None:
        """Report what is logged: losses of the training, and each evaluation."""
        del args, control
        if state.is_world_process_zero and logs:
            self._report(logs, state.global_step)

    @quietly
    def on_train_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Report what there is where the objective is not."""
        del args, control
        if state.is_world_process_zero:
            self._training.end()

    def _report(self, logs: dict[str, Any], step: int) -> None:
        self._training.measure({name: value for name, value in logs.items() if name != "step"}, at=step)
