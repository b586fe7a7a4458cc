"""Keras 3: a callback for `fit`, on any of its backends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from keras.callbacks import Callback

from tuning_trainer.integrations.training import Training, quietly

if TYPE_CHECKING:
    from pathlib import Path

_trainings: WeakKeyDictionary[Any, Training] = WeakKeyDictionary()


class TuningCallback(Callback):
    """Reports each epoch, counted from 1. `fit` that is called again for the same model counts on."""

    @quietly
    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Report the epoch."""
        training = _trainings.setdefault(self.model, Training())
        training.measure(logs or {}, at=object(), epoch=epoch + 1, save=self._save)

    def _save(self, folder: Path) -> None:
        self.model.save(folder / "model.keras")

    @quietly
    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Report what there is where the objective is not."""
        del logs
        if self.model in _trainings:
            _trainings[self.model].end()
