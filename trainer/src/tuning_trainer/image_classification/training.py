"""The training loop: epochs of steps, each epoch validated and reported, interruptible between any two steps."""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
import time
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from tuning_trainer import machine
from tuning_trainer.image_classification import checkpoint
from tuning_trainer.image_classification.augmentation import Preparation, channel_statistics
from tuning_trainer.image_classification.batches import open_batches
from tuning_trainer.image_classification.checkpoint import Progress, Trained
from tuning_trainer.image_classification.data import open_source, select, split
from tuning_trainer.image_classification.hyperparameters import HyperparameterError
from tuning_trainer.image_classification.network import make_network, make_optimizer

if TYPE_CHECKING:
    from torch import Tensor

    from tuning_trainer import Reporter
    from tuning_trainer.image_classification.hyperparameters import Hyperparameters
    from tuning_trainer.image_classification.interruption import Interruption

# Images a batch where no gradients are kept.
VALIDATION_BATCH = 128
# Images that the channels' mean and deviation are taken of.
STATISTICS_SAMPLE = 512


class Interrupted(Exception):  # noqa: N818 - no error
    """SIGTERM came; a checkpoint has been written if one is wanted."""


class Training:
    """One run: the data on its device, the network, and how far it has come."""

    def __init__(self, hp: Hyperparameters, interruption: Interruption) -> None:
        """Open the data and make the network.

        Raises:
            HyperparameterError: a value does not go with the data, or with the checkpoint that is there.
        """
        self._hp, self._interruption = hp, interruption
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        torch.set_num_threads(machine.cpu_count())
        torch.backends.cudnn.benchmark = True
        source = open_source(hp)
        source, self._parts = select(source, split(len(source.labels), hp))
        self._batches = open_batches(source, self._device, max(hp.mini_batch_size, VALIDATION_BATCH))
        sample = self._parts.training[:STATISTICS_SAMPLE]
        images, _ = next(self._batches.take(sample, len(sample)))
        self._preparation = Preparation(hp.image_shape, hp.augmentation_type, *channel_statistics(images))
        torch.manual_seed(hp.seed)
        network = make_network(hp, source.classes).to(self._device).to(memory_format=torch.channels_last)
        self._trained = Trained(
            network,
            make_optimizer(hp, network),
            torch.amp.GradScaler(self._device.type, enabled=hp.precision_dtype == "float16"),
        )
        self._steps = len(self._parts.training) // hp.mini_batch_size
        self._progress = Progress(self._zero(), self._zero())
        self._checkpoint = (
            checkpoint.checkpoint_path(hp.checkpoint_dir, os.environ.get("TUNING_TRIAL")) if hp.checkpoint_dir else None
        )
        if self._checkpoint is not None:
            self._resume()

    def run(self, reporter: Reporter) -> None:
        """Train to the last epoch and report each, those of a resumed run first.

        Raises:
            Interrupted: SIGTERM came.
        """
        _say(
            f"{len(self._parts.training)} training and {len(self._parts.validation)} validation images, "
            f"on {self._device} with {torch.get_num_threads()} threads"
        )
        for epoch, metrics in enumerate(self._progress.history, start=1):
            reporter.report(epoch, metrics)
        self._interruption.training = True
        while self._progress.epoch <= self._hp.epochs:
            began = time.monotonic()
            self._train_epoch()
            metrics = self._train_metrics() | self._validate()
            epoch, history = self._progress.epoch, [*self._progress.history, metrics]
            self._progress = Progress(self._zero(), self._zero(), epoch + 1, 0, history)
            # Before the report: an epoch that is trained again on other hardware might not end with the same value.
            self._save()
            reporter.report(epoch, metrics)
            values = ", ".join(f"{name} {value:.4f}" for name, value in metrics.items())
            _say(f"epoch {epoch} of {self._hp.epochs}: {values} ({time.monotonic() - began:.1f} s)")
        if self._checkpoint is not None:
            self._checkpoint.unlink(missing_ok=True)

    def _train_epoch(self) -> None:
        """Train what is left of the epoch. Order and views depend on the seed, the epoch and the step alone."""
        hp, progress = self._hp, self._progress
        shuffling = torch.Generator().manual_seed(mixed(hp.seed, progress.epoch))
        order = self._parts.training[torch.randperm(len(self._parts.training), generator=shuffling)]
        generator = torch.Generator(self._device)
        self._trained.network.train()
        rest = order[progress.step * hp.mini_batch_size : self._steps * hp.mini_batch_size]
        for images, labels in self._batches.take(rest, hp.mini_batch_size):
            self._leave_if_asked()
            generator.manual_seed(mixed(hp.seed, progress.epoch, progress.step))
            self._step(self._preparation.training(images, generator), labels)
            progress.step += 1

    def _step(self, inputs: Tensor, labels: Tensor) -> None:
        optimizer, scaler = self._trained.optimizer, self._trained.scaler
        with self._precision():
            outputs = self._trained.network(inputs)
            loss = functional.cross_entropy(outputs, labels)
        optimizer.zero_grad(set_to_none=True)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        # Sums stay on the device: asking for their values would stop a GPU after every step.
        self._progress.loss += loss.detach().double() * len(labels)
        self._progress.correct += (outputs.argmax(1) == labels).sum()

    def _train_metrics(self) -> dict[str, float]:
        seen = self._steps * self._hp.mini_batch_size
        return {
            "train:accuracy": self._progress.correct.item() / seen,
            "train:loss": self._progress.loss.item() / seen,
        }

    @torch.inference_mode()
    def _validate(self) -> dict[str, float]:
        hp, count = self._hp, len(self._parts.validation)
        loss, correct, correct_k = self._zero(), self._zero(), self._zero()
        self._trained.network.eval()
        for images, labels in self._batches.take(self._parts.validation, VALIDATION_BATCH):
            self._leave_if_asked()
            with self._precision():
                outputs = self._trained.network(self._preparation.validation(images)).float()
            loss += functional.cross_entropy(outputs, labels, reduction="sum")
            correct += (outputs.argmax(1) == labels).sum()
            if hp.top_k is not None:
                correct_k += (outputs.topk(hp.top_k).indices == labels[:, None]).sum()
        metrics = {"validation:accuracy": correct.item() / count, "validation:loss": loss.item() / count}
        if hp.top_k is not None:
            metrics[f"validation:top_k_accuracy_{hp.top_k}"] = correct_k.item() / count
        return metrics

    def _leave_if_asked(self) -> None:
        if not self._interruption.requested:
            return
        self._save()
        if self._checkpoint is not None:
            _say(f"interrupted in epoch {self._progress.epoch}: wrote {self._checkpoint}")
        raise Interrupted

    def _save(self) -> None:
        if self._checkpoint is not None:
            checkpoint.save(self._checkpoint, self._hp, self._trained, self._progress)

    def _resume(self) -> None:
        assert self._checkpoint is not None  # noqa: S101 - for the type checker
        try:
            progress = checkpoint.resume(self._checkpoint, self._hp, self._trained, self._device)
        except ValueError as error:
            raise HyperparameterError("checkpoint_dir", f"cannot be used: {error}") from error
        if progress is not None:
            self._progress = progress
            _say(f"resumed in epoch {progress.epoch} from {self._checkpoint}")

    def _precision(self) -> contextlib.AbstractContextManager[object]:
        if self._hp.precision_dtype == "float16":
            return torch.autocast(self._device.type, dtype=torch.float16)
        return contextlib.nullcontext()

    def _zero(self) -> Tensor:
        return torch.zeros((), dtype=torch.float64, device=self._device)


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def mixed(*numbers: int) -> int:
    """One seed of many numbers, with the 63 bits that torch takes; another one if any of them is another."""
    digest = hashlib.blake2b(repr(numbers).encode(), digest_size=8).digest()
    return int.from_bytes(digest) >> 1
