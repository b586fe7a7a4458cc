"""PyTorch Lightning: a callback that Lightning finds by its entry point, so that the script stays as it is."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

from tuning_trainer.integrations.training import Training, numbers, quietly

if TYPE_CHECKING:
    from pathlib import Path

    from lightning.pytorch import Callback, LightningModule, Trainer
else:  # the package under the name that the script has imported
    _NAME = "lightning.pytorch" if "lightning.pytorch" in sys.modules else "pytorch_lightning"
    Callback = import_module(_NAME).Callback


class TuningCallback(Callback):
    """Reports at the end of each epoch all that was logged in it; in a run that resumes, the earlier epochs first."""

    def __init__(self) -> None:
        self._training = Training()
        self._history: dict[int, dict[str, float]] = {}
        self._seen: dict[str, Any] = {}
        self._over: Trainer | None = None

    @quietly
    def on_train_start(self, trainer: Trainer, _module: LightningModule) -> None:
        """Report the epochs of the checkpoint."""
        if trainer.is_global_zero:
            for epoch, metrics in self._history.items():
                self._training.measure(metrics, at=epoch, epoch=epoch)

    @quietly
    def on_train_epoch_end(self, trainer: Trainer, _module: LightningModule) -> None:
        """Report the epoch."""
        self._over = trainer
        self._report(trainer.current_epoch + 1)

    @quietly
    def on_train_epoch_start(self, trainer: Trainer, _module: LightningModule) -> None:
        """Report what the module has logged in its own hook, which comes after the callbacks'."""
        self._report(trainer.current_epoch)
        self._over = None

    @quietly
    def on_train_end(self, trainer: Trainer, _module: LightningModule) -> None:
        """Report the same of the last epoch."""
        self._report(trainer.current_epoch)
        self._over = None
        self._training.end()

    @quietly
    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint keeps; Lightning writes it when an epoch is over, or in the middle of one."""
        if self._over is not None:
            self._report(self._over.current_epoch + 1)
        return {"history": self._history}

    @quietly
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take the epochs of a checkpoint."""
        self._history = {int(epoch): dict(metrics) for epoch, metrics in state_dict["history"].items()}

    def _report(self, epoch: int) -> None:
        if self._over is None or not self._over.is_global_zero:
            return
        # What was not logged in this epoch stays there, as the same object: an epoch without validation has no loss.
        logged = dict(self._over.callback_metrics)
        new = {name: value for name, value in logged.items() if self._seen.get(name) is not value}
        self._seen = logged
        if new:
            values = numbers(new)
            self._history[epoch] = values | self._history.get(epoch, {})
            # Where several processes train, a checkpoint is written by all of them, and only this one is here.
            save = self._save if self._over.world_size == 1 else None
            self._training.measure(values, at=epoch, epoch=epoch, save=save)

    def _save(self, folder: Path) -> None:
        if self._over is not None:
            self._over.save_checkpoint(folder / "model.ckpt", weights_only=True)
