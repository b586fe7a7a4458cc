"""The training loop: epochs of steps, each epoch validated and reported, interruptible between any two steps."""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from tuning_trainer import machine
from tuning_trainer.image_classification import checkpoint
from tuning_trainer.image_classification.augmentation import Preparation, channel_statistics
from tuning_trainer.image_classification.batches import open_batches
from tuning_trainer.image_classification.checkpoint import Progress, Trained
from tuning_trainer.image_classification.data import open_source, select, split
from tuning_trainer.image_classification.exchange import from_first, parallel, spread_buffers, total
from tuning_trainer.image_classification.hyperparameters import HyperparameterError
from tuning_trainer.image_classification.network import make_network, make_optimizer
from tuning_trainer.image_classification.processes import Processes
from tuning_trainer.image_classification.schedule import rate, set_rate
from tuning_trainer.models import keep_model

if TYPE_CHECKING:
    from torch import Tensor

    from tuning_trainer import Reporter
    from tuning_trainer.image_classification.hyperparameters import Hyperparameters
    from tuning_trainer.image_classification.interruption import Interruption

# Images a batch where no gradients are kept.
VALIDATION_BATCH = 128
# Images that the channels' mean and deviation are taken of.
STATISTICS_SAMPLE = 512
ALONE = Processes()


class Interrupted(Exception):  # noqa: N818 - no error
    """SIGTERM came; a checkpoint was written if a folder is set."""


class DeviceError(RuntimeError):
    """There is a GPU, and torch cannot use it."""


def choose_device(nvidia: Path = Path("/dev/nvidiactl")) -> torch.device:
    """Return the GPU when there is one.

    Raises:
        DeviceError: the container was given a GPU, and torch, though built for it, does not find it: training without
            would hold it for nothing.
    """
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.version.cuda and nvidia.exists():
        raise DeviceError(
            "there is a GPU, but torch cannot use it: probably the node's driver is older than CUDA"
            f" {torch.version.cuda} needs. Update it, or build the image with another TORCH_INDEX_URL"
        )
    return torch.device("cpu")


class Training:
    """One run: the data on its device, the network, and how far it has come."""

    def __init__(self, hp: Hyperparameters, interruption: Interruption, processes: Processes = ALONE) -> None:
        """Open the data and make the network; several processes divide the work, and have to be `joined`.

        Raises:
            HyperparameterError: a value contradicts the data or the existing checkpoint.
            DeviceError: there is a GPU that cannot be used.
        """
        self._hp, self._interruption, self._processes = hp, interruption, processes
        if hp.mini_batch_size < processes.count:
            raise HyperparameterError(
                "mini_batch_size",
                f"is {hp.mini_batch_size} for {processes.count} processes: give at least one image each",
            )
        self._device = choose_device()
        torch.set_num_threads(machine.cpu_count())
        torch.backends.cudnn.benchmark = True
        source = open_source(hp)
        source, self._parts = select(source, split(len(source.labels), hp))
        self._batches = open_batches(source, self._device, max(hp.mini_batch_size, VALIDATION_BATCH))
        sample = self._parts.training[:STATISTICS_SAMPLE]
        images, _ = next(self._batches.take(sample, len(sample)))
        mean, deviation = channel_statistics(images)
        self._preparation = Preparation(hp.image_shape, hp.augmentation_type, mean, deviation)
        self._data_facts = {"classes": source.classes, "mean": mean.cpu(), "deviation": deviation.cpu()}
        torch.manual_seed(hp.seed)
        network = make_network(hp, source.classes).to(self._device).to(memory_format=torch.channels_last)
        self._trained = Trained(
            network,
            make_optimizer(hp, network),
            torch.amp.GradScaler(self._device.type, enabled=hp.precision_dtype == "float16"),
        )
        self._model = parallel(network, processes)
        self._steps = len(self._parts.training) // hp.mini_batch_size
        self._progress = Progress(self._zero(), self._zero())
        self._checkpoint = (
            checkpoint.checkpoint_path(hp.checkpoint_dir, os.environ.get("TUNING_TRIAL")) if hp.checkpoint_dir else None
        )
        if self._checkpoint is not None:
            self._resume()

    def run(self, reporter: Reporter | None) -> None:
        """Train to the last epoch and report each, those of a resumed run first; the first process has a reporter.

        Raises:
            Interrupted: SIGTERM came.
        """
        _say(
            f"{len(self._parts.training)} training and {len(self._parts.validation)} validation images, "
            f"on {self._device} with {torch.get_num_threads()} threads, "
            f"process {self._processes.rank + 1} of {self._processes.count}"
        )
        for epoch, metrics in enumerate(self._progress.history, start=1):
            if reporter is not None:
                reporter.report(epoch, metrics)
        self._interruption.training = True
        while self._progress.epoch <= self._hp.epochs:
            began = time.monotonic()
            self._train_epoch()
            metrics = self._train_metrics() | self._validate()
            epoch, history = self._progress.epoch, [*self._progress.history, metrics]
            self._progress = Progress(self._zero(), self._zero(), epoch + 1, 0, history)
            # Before the checkpoint: a run that resumes there does not come back to this epoch.
            if self._processes.is_first:
                keep_model(epoch, metrics, self._save_model)
            # Before the report: an epoch that is trained again on other hardware might not end with the same value.
            self._save()
            if reporter is not None:
                reporter.report(epoch, metrics)
            values = ", ".join(f"{name} {value:.4f}" for name, value in metrics.items())
            _say(f"epoch {epoch} of {self._hp.epochs}: {values} ({time.monotonic() - began:.1f} s)")
        if self._checkpoint is not None and self._processes.is_first:
            self._checkpoint.unlink(missing_ok=True)

    def _train_epoch(self) -> None:
        """Train what is left of the epoch. Order and views depend on the seed, the epoch and the step alone.

        Several processes take a part of each batch, so that they do what one would: its size means the same.
        """
        hp, progress = self._hp, self._progress
        shuffling = torch.Generator().manual_seed(mixed(hp.seed, progress.epoch))
        order = self._parts.training[torch.randperm(len(self._parts.training), generator=shuffling)]
        generator = torch.Generator(self._device)
        self._trained.network.train()
        own, rank = self._processes.share(hp.mini_batch_size), self._processes.rank
        steps = order[: self._steps * hp.mini_batch_size].view(self._steps, hp.mini_batch_size)
        rest = steps[progress.step :, own].reshape(-1)
        for images, labels in self._batches.take(rest, own.stop - own.start):
            self._leave_if_asked()
            set_rate(self._trained.optimizer, rate(hp, progress.epoch - 1 + (progress.step + 0.5) / self._steps))
            generator.manual_seed(mixed(hp.seed, progress.epoch, progress.step, *([rank] if rank else [])))
            self._step(self._preparation.training(images, generator), labels)
            progress.step += 1

    def _step(self, inputs: Tensor, labels: Tensor) -> None:
        optimizer, scaler = self._trained.optimizer, self._trained.scaler
        with self._precision():
            outputs = self._model(inputs)
            loss = functional.cross_entropy(outputs, labels)
        optimizer.zero_grad(set_to_none=True)
        # Gradients are averaged over the processes: this weights the loss, by 1 if all process equally many images.
        weight = len(labels) * self._processes.count / self._hp.mini_batch_size
        scaler.scale(loss * weight).backward()
        scaler.step(optimizer)
        scaler.update()
        # Sums stay on the device: asking for their values would stop a GPU after every step.
        self._progress.loss += loss.detach().double() * len(labels)
        self._progress.correct += (outputs.argmax(1) == labels).sum()

    def _train_metrics(self) -> dict[str, float]:
        seen = self._steps * self._hp.mini_batch_size
        correct, loss = total([self._progress.correct, self._progress.loss], self._processes)
        return {"train:accuracy": correct / seen, "train:loss": loss / seen}

    @torch.inference_mode()
    def _validate(self) -> dict[str, float]:
        hp, count = self._hp, len(self._parts.validation)
        loss, correct, correct_k = self._zero(), self._zero(), self._zero()
        self._trained.network.eval()
        spread_buffers(self._trained.network, self._processes)
        own = self._parts.validation[self._processes.share(count)]
        for images, labels in self._batches.take(own, VALIDATION_BATCH):
            self._leave_if_asked()
            with self._precision():
                outputs = self._trained.network(self._preparation.validation(images)).float()
            loss += functional.cross_entropy(outputs, labels, reduction="sum")
            correct += (outputs.argmax(1) == labels).sum()
            if hp.top_k is not None:
                correct_k += (outputs.topk(hp.top_k).indices == labels[:, None]).sum()
        values = [value / count for value in total([correct, loss, correct_k], self._processes)]
        metrics = {"validation:accuracy": values[0], "validation:loss": values[1]}
        if hp.top_k is not None:
            metrics[f"validation:top_k_accuracy_{hp.top_k}"] = values[2]
        return metrics

    def _leave_if_asked(self) -> None:
        """End after SIGTERM. It meets several processes at different steps: those resume from their last epoch."""
        if not self._interruption.requested:
            return
        if self._checkpoint is not None and self._processes.count == 1:
            self._save()
            _say(f"interrupted in epoch {self._progress.epoch}: wrote {self._checkpoint}")
        raise Interrupted

    def _save(self) -> None:
        if self._checkpoint is not None and self._processes.is_first:
            checkpoint.save(self._checkpoint, self._hp, self._trained, self._progress)

    def _save_model(self, folder: Path) -> None:
        checkpoint.save_model(folder, self._hp, self._trained.network, self._data_facts)

    def _resume(self) -> None:
        path = self._checkpoint
        assert path is not None  # noqa: S101 - for the type checker
        try:
            content = from_first(lambda: checkpoint.load(path, self._hp), self._processes)
        except ValueError as error:
            raise HyperparameterError("checkpoint_dir", f"cannot be used: {error}") from error
        if content is not None:
            self._progress = checkpoint.restore(content, self._trained, self._device)
            _say(f"resumed in epoch {self._progress.epoch} from {path}")

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
    """Return one seed of many numbers, with the 63 bits that torch takes; another one if any of them is another."""
    digest = hashlib.blake2b(repr(numbers).encode(), digest_size=8).digest()
    return int.from_bytes(digest) >> 1
