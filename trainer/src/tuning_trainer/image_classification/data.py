"""Images from disk: Fashion-MNIST's IDX files or one folder a class, split into training and validation.

Images are kept as bytes (uint8, channels first). What does not fit into memory is decoded again in every epoch.
"""

from __future__ import annotations

import gzip
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from tuning_trainer.image_classification.hyperparameters import HyperparameterError, Hyperparameters

if TYPE_CHECKING:
    from torch import Tensor

    from tuning_trainer.image_classification.folder import ImageFolder

IDX_IMAGES, IDX_LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
# The type code of unsigned bytes in an IDX header.
IDX_UBYTE = 8


@dataclass(frozen=True)
class Source:
    """All labelled images of a data set.

    Attributes:
        images: uint8 (images, channels, height, width) in memory, or a folder of files.
        labels: int64 (images).
        classes: number of classes, labels are below it.
    """

    images: Tensor | ImageFolder
    labels: Tensor
    classes: int


@dataclass(frozen=True)
class Split:
    """Indices of a source's images, int64: which to train on and which to validate on."""

    training: Tensor
    validation: Tensor


def open_source(hp: Hyperparameters) -> Source:
    """Find out what the data folder holds and open it.

    Raises:
        HyperparameterError: the folder holds neither form, or more classes than `num_classes`.
    """
    folder = Path(hp.data)
    try:
        source = _open_idx(folder) if _idx_file(folder, IDX_IMAGES) else _open_folder(folder, hp)
    except (OSError, ValueError) as error:
        raise HyperparameterError("data", f"is {hp.data!r}, which cannot be read: {error}") from error
    if hp.num_classes is not None and hp.num_classes < source.classes:
        raise HyperparameterError(
            "num_classes", f"is {hp.num_classes}, and the data has {source.classes}: give at least {source.classes}"
        )
    classes = hp.num_classes or source.classes
    if hp.top_k is not None and hp.top_k > classes:
        raise HyperparameterError("top_k", f"is {hp.top_k}, and there are {classes} classes: give at most {classes}")
    return Source(source.images, source.labels, classes)


def split(count: int, hp: Hyperparameters) -> Split:
    """Divide the images by `split_seed`: the validation images depend on nothing else, the rest is for training.

    It is not `seed`, which is another one in every trial: trials are compared on the same images.

    Raises:
        HyperparameterError: there are too few images for a value.
    """
    order = torch.randperm(count, generator=torch.Generator().manual_seed(hp.split_seed))
    held_out = max(1, math.floor(count * hp.validation_fraction))
    validation, training = order[:held_out], order[held_out:]
    available, wanted = len(training), hp.num_training_samples
    if wanted is not None:
        if wanted > available:
            raise HyperparameterError(
                "num_training_samples",
                f"is {wanted}, and there are {available} images to train on: give at most {available}, or leave it out",
            )
        training = training[:wanted]
    if hp.mini_batch_size > len(training):
        raise HyperparameterError(
            "mini_batch_size",
            f"is {hp.mini_batch_size}, and there are {len(training)} images to train on: give at most {len(training)}",
        )
    return Split(training, validation)


def select(source: Source, parts: Split) -> tuple[Source, Split]:
    """Reduce a source to the images that are used, so that no others are decoded or kept; training images first."""
    used = torch.cat([parts.training, parts.validation])
    images = source.images[used] if isinstance(source.images, torch.Tensor) else source.images.select(used.tolist())
    renumbered = torch.arange(len(used)).split([len(parts.training), len(parts.validation)])
    return Source(images, source.labels[used], source.classes), Split(*renumbered)


def read_idx(path: Path) -> np.ndarray:
    """Read an IDX file of bytes, compressed with gzip or not.

    Raises:
        ValueError: the file has another format, or is cut short.
        OSError: the file cannot be read.
    """
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    if len(content) < 4 or content[:3] != bytes([0, 0, IDX_UBYTE]):  # noqa: PLR2004 - the magic number's length
        raise ValueError(f"{path.name} is not an IDX file of bytes")
    start = 4 + 4 * content[3]
    shape = np.frombuffer(content[4:start], dtype=">u4").astype(int)
    if len(content) != start + int(shape.prod()):
        raise ValueError(f"{path.name} has {len(content)} bytes, not the {start + int(shape.prod())} of its header")
    return np.frombuffer(content, dtype=np.uint8, offset=start).reshape(shape)


def _idx_file(folder: Path, name: str) -> Path | None:
    return next((path for path in (folder / f"{name}.gz", folder / name) if path.is_file()), None)


def _open_idx(folder: Path) -> Source:
    images, labels = _idx_file(folder, IDX_IMAGES), _idx_file(folder, IDX_LABELS)
    if images is None or labels is None:
        raise ValueError(f"{IDX_LABELS}.gz is missing")
    pixels, classes = read_idx(images), read_idx(labels)
    if pixels.ndim != 3 or classes.shape != pixels.shape[:1]:  # noqa: PLR2004 - images, rows, columns
        raise ValueError(f"{images.name} and {labels.name} do not match")
    return Source(
        torch.from_numpy(pixels.copy()).unsqueeze(1), torch.from_numpy(classes.astype(np.int64)), int(classes.max()) + 1
    )


def _open_folder(folder: Path, hp: Hyperparameters) -> Source:
    # torchvision is loaded for folders only: it takes as long as a small network's epoch.
    from tuning_trainer.image_classification.folder import ImageFolder  # noqa: PLC0415

    images = ImageFolder.open(folder, hp.image_shape)
    return Source(images, torch.tensor(images.labels, dtype=torch.int64), len(images.classes))
