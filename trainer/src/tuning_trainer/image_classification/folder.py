"""A folder of image files, one folder a class (the layout of Caltech-256), decoded to bytes of one size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import numpy as np
import torch
from PIL import Image
from torch.utils.data import Dataset
from torchvision.datasets import ImageFolder as Listing

from tuning_trainer.image_classification.augmentation import with_margin

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from torch import Tensor


class ImageFolder(Dataset):  # type: ignore[type-arg] # generic for the type checker only
    """Images of one size: the shorter side is scaled to the stored size, the longer one cut evenly on both ends."""

    def __init__(
        self, files: Sequence[str], labels: Sequence[int], classes: Sequence[str], image_shape: tuple[int, int, int]
    ) -> None:
        """Take files and their labels as given.

        Args:
            files: paths of the images.
            labels: the class of each, an index into `classes`.
            classes: names of the classes.
            image_shape: channels, height and width of the network's input.
        """
        self.files, self.labels, self.classes = files, labels, classes
        self._image_shape = image_shape
        channels, height, width = image_shape
        self._mode = "L" if channels == 1 else "RGB"
        self.stored_shape = channels, *with_margin((height, width))

    @classmethod
    def open(cls, folder: Path, image_shape: tuple[int, int, int]) -> Self:
        """List the image files of a folder; the names of its folders are the classes.

        Raises:
            FileNotFoundError: there are no folders, or one has no images.
        """
        listing = Listing(str(folder))
        return cls([path for path, _ in listing.samples], listing.targets, listing.classes, image_shape)

    def select(self, indices: Sequence[int]) -> Self:
        """Return the same folder with these images only, in this order."""
        return type(self)(
            [self.files[index] for index in indices],
            [self.labels[index] for index in indices],
            self.classes,
            self._image_shape,
        )

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> Tensor:
        """Decode an image: uint8 (channels, height, width)."""
        _, height, width = self.stored_shape
        with Image.open(self.files[index]) as file:
            # A JPEG decodes at half or a quarter of its size for a fraction of the time.
            file.draft(self._mode, (width, height))
            image = file.convert(self._mode)
        scale = max(width / image.width, height / image.height)
        left, top = (image.width - width / scale) / 2, (image.height - height / scale) / 2
        image = image.resize(
            (width, height), Image.Resampling.BILINEAR, box=(left, top, image.width - left, image.height - top)
        )
        pixels = torch.from_numpy(np.array(image))
        return pixels.unsqueeze(0) if pixels.ndim == 2 else pixels.permute(2, 0, 1).contiguous()  # noqa: PLR2004
