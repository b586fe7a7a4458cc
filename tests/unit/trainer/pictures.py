"""Small data sets whose classes a tiny network can tell apart: each class has its own bright corner."""

from __future__ import annotations

import gzip
import struct
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    Pixels = npt.NDArray[np.uint8]


def pictures(count: int, classes: int = 4, side: int = 8, seed: int = 0) -> tuple[Pixels, Pixels]:
    """Grey images (count, side, side) and labels (count)."""
    random = np.random.default_rng(seed)
    labels = random.integers(classes, size=count, dtype=np.uint8)
    images = random.integers(0, 120, size=(count, side, side), dtype=np.uint8)
    half = side // 2
    for image, label in zip(images, labels, strict=True):
        row, column = divmod(int(label) % 4, 2)
        image[row * half : (row + 1) * half, column * half : (column + 1) * half] += 120
    return images, labels


def idx(array: Pixels) -> bytes:
    return bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def write_idx(folder: Path, count: int = 200, *, compressed: bool = True) -> Path:
    images, labels = pictures(count)
    folder.mkdir(exist_ok=True)
    for name, array in (("train-images-idx3-ubyte", images), ("train-labels-idx1-ubyte", labels)):
        if compressed:
            (folder / f"{name}.gz").write_bytes(gzip.compress(idx(array), 1))
        else:
            (folder / name).write_bytes(idx(array))
    return folder


def write_folder(folder: Path, count: int = 40) -> Path:
    """Colour images of several sizes and formats, one folder a class."""
    images, labels = pictures(count, classes=3, side=16)
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        place = folder / f"{label + 1:03}.class-{label}"
        place.mkdir(parents=True, exist_ok=True)
        colours = np.stack([image, image // 2, 255 - image], axis=2)
        size = (16 + number % 5, 16 + number % 3)
        Image.fromarray(colours).resize(size).save(place / f"{number:04}.{'png' if number % 2 else 'jpg'}", quality=95)
    return folder
