"""Batches of images on the training device: from its memory where they fit, else from loader processes."""

from __future__ import annotations

import math
import signal
from typing import TYPE_CHECKING, Protocol

import torch
from torch.utils.data import DataLoader

from tuning_trainer import machine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from tuning_trainer.image_classification.data import Source
    from tuning_trainer.image_classification.folder import ImageFolder

# How much of the free memory images may take; the rest is for the network.
RESIDENT_SHARE = 0.3
# Images a batch while a folder is read into memory.
FILL = 16
# Batches that each loader process keeps ready.
PREFETCH = 2
MOST_WORKERS = 16


class Batches(Protocol):
    """Where batches come from."""

    def take(self, indices: Tensor, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Images, uint8 (size, channels, height, width), and labels, int64 (size), both on the device, in order.

        Args:
            indices: which images, int64 on the CPU.
            size: images a batch; the last one may be smaller.
        """


class Resident:
    """All images in the device's memory: nothing is read, decoded or copied between steps."""

    def __init__(self, images: Tensor, labels: Tensor, device: torch.device) -> None:
        # Channels last in memory, which the convolutions of a CPU and of tensor cores want.
        self._images = images.to(device, memory_format=torch.channels_last)
        self._labels = labels.to(device)

    def take(self, indices: Tensor, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """See `Batches`."""
        for chosen in chunks(indices.to(self._labels.device), size):
            yield self._images[chosen], self._labels[chosen]


class Streamed:
    """Images decoded by processes that stay for the whole run and work ahead of the steps.

    Batches of different sizes may be taken, one after the other.
    """

    def __init__(self, images: ImageFolder, labels: Tensor, device: torch.device, largest: int) -> None:
        """Start nothing yet; the processes start with the first batch.

        Args:
            images: the files.
            labels: int64 (images).
            device: where batches go.
            largest: images in the largest batch that will be taken.
        """
        self._labels, self._device = labels, device
        self._batches: list[list[int]] = []
        workers = worker_count(largest * math.prod(images.stored_shape), device)
        self._loader: DataLoader[Tensor] = DataLoader(
            images,
            batch_sampler=self._batches,
            num_workers=workers,
            prefetch_factor=PREFETCH if workers else None,
            persistent_workers=workers > 0,
            pin_memory=device.type == "cuda",
            worker_init_fn=_start_worker,
        )

    def take(self, indices: Tensor, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """See `Batches`."""
        chosen = chunks(indices, size)
        # The loader reads this list again in every pass.
        self._batches[:] = [part.tolist() for part in chosen]
        for images, part in zip(self._loader, chosen, strict=True):
            yield (
                images.to(self._device, memory_format=torch.channels_last, non_blocking=True),
                self._labels[part].to(self._device, non_blocking=True),
            )


def chunks(indices: Tensor, size: int) -> list[Tensor]:
    """Cut into parts of a size, the last one perhaps smaller; of nothing there are none, unlike with `split`."""
    return [indices[start : start + size] for start in range(0, len(indices), size)]


def worker_count(batch_bytes: int, device: torch.device) -> int:
    """Return the number of loader processes: one per core, except the core that training on the CPU needs.

    Their batches must fit in half of the shared memory, of which a container has 64 MB by default.
    """
    cores = machine.cpu_count() - (device.type != "cuda")
    room = machine.shared_memory() // 2
    return max(0, min(cores, MOST_WORKERS, room // (batch_bytes * (PREFETCH + 1))))


def open_batches(source: Source, device: torch.device, largest: int) -> Batches:
    """Hold the images in the device's memory if they fit, else stream them.

    Args:
        source: the images.
        device: where batches go.
        largest: images in the largest batch that will be taken.
    """
    if isinstance(source.images, torch.Tensor):
        return Resident(source.images, source.labels, device)
    count, shape = len(source.images), source.images.stored_shape
    free = torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else machine.free_memory()
    if count * math.prod(shape) > free * RESIDENT_SHARE:
        return Streamed(source.images, source.labels, device, largest)
    everything = torch.arange(count)
    images = torch.empty((count, *shape), dtype=torch.uint8, device=device, memory_format=torch.channels_last)
    filled = 0
    for part, _ in Streamed(source.images, source.labels, device, FILL).take(everything, FILL):
        images[filled : filled + len(part)] = part
        filled += len(part)
    return Resident(images, source.labels, device)


def _start_worker(_: int) -> None:
    """The training process decides about the end; a loader process ends when asked."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
