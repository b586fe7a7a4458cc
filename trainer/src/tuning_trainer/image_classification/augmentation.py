"""From stored bytes to the network's input, with random views of the training images, computed on the device.

The kinds are those of SageMaker's image classification: `crop` also flips, `crop_color` also shifts hue (by up to
36 of 180), saturation and lightness (by up to 50 of 255), `crop_color_transform` also rotates (10 degrees), shears
(0.1) and stretches (0.25). Every image of a batch gets its own view.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

if TYPE_CHECKING:
    from torch import Generator, Tensor

HUE, SATURATION, LIGHTNESS = 36 / 180, 50 / 255, 50 / 255
ROTATION, SHEAR, STRETCH = math.radians(10), 0.1, 0.25
# Image files are kept larger than the network's input, so that a crop has a choice: 256 for 224.
MARGIN = 8 / 7
# Images of the network's very size are shifted instead, by up to this share.
SHIFT = 1 / 8


class Preparation:
    """Makes the network's input of a batch of stored images: uint8 (batch, channels, height, width) in, float32 out."""

    def __init__(self, image_shape: tuple[int, int, int], augmentation: str, mean: Tensor, deviation: Tensor) -> None:
        """Fix what the network takes.

        Args:
            image_shape: channels, height and width of the network's input.
            augmentation: one of `AUGMENTATIONS`.
            mean: of the channels of the stored images, with values from 0 to 1.
            deviation: standard deviation of the same.
        """
        self._channels, self._height, self._width = image_shape
        self._augmentation = augmentation
        self._mean, self._deviation = mean.view(1, -1, 1, 1), deviation.view(1, -1, 1, 1)

    def validation(self, images: Tensor) -> Tensor:
        """Return the middle of each image."""
        pixels = self._pixels(images)
        top, left = (pixels.shape[2] - self._height) // 2, (pixels.shape[3] - self._width) // 2
        return self._normalised(pixels[:, :, top : top + self._height, left : left + self._width])

    def training(self, images: Tensor, generator: Generator) -> Tensor:
        """Return a random view of each image; the generator belongs to the images' device."""
        if self._augmentation == "none":
            return self.validation(images)
        pixels = self._pixels(images)
        views = random_views(
            len(pixels),
            stored=(pixels.shape[2], pixels.shape[3]),
            wanted=(self._height, self._width),
            generator=generator,
            transform=self._augmentation == "crop_color_transform",
        )
        grid = functional.affine_grid(views, [len(pixels), 1, self._height, self._width], align_corners=False)
        pixels = functional.grid_sample(pixels, grid, padding_mode="reflection", align_corners=False)
        if self._augmentation != "crop":
            pixels = shift_colors(pixels, generator)
        return self._normalised(pixels)

    def _pixels(self, images: Tensor) -> Tensor:
        """Values from 0 to 1; stored images of another size than files are given are scaled to the network's."""
        pixels = images.float() / 255
        stored, wanted = tuple(pixels.shape[2:]), (self._height, self._width)
        if stored not in {wanted, with_margin(wanted)}:
            pixels = functional.interpolate(pixels, wanted, mode="bilinear", antialias=True)
        return pixels

    def _normalised(self, pixels: Tensor) -> Tensor:
        """Mean 0, deviation 1; a grey image is repeated where the network takes colours."""
        normalised = (pixels - self._mean) / self._deviation
        return normalised.expand(-1, self._channels, -1, -1).contiguous(memory_format=torch.channels_last)


def with_margin(size: tuple[int, int]) -> tuple[int, int]:
    """Return height and width at which image files are kept for a network that takes `size`."""
    return round(size[0] * MARGIN), round(size[1] * MARGIN)


def channel_statistics(images: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and standard deviation of the channels of stored images, float32 (channels), values from 0 to 1."""
    pixels = images.float() / 255
    return pixels.mean((0, 2, 3)), pixels.std((0, 2, 3)).clamp_min(1 / 255)


def random_views(
    count: int, stored: tuple[int, int], wanted: tuple[int, int], generator: Generator, *, transform: bool
) -> Tensor:
    """Return affine maps from a view's coordinates to an image's, as `affine_grid` takes them: float32 (count, 2, 3).

    Args:
        count: how many.
        stored: height and width of the images.
        wanted: height and width of the views.
        generator: its device is the maps'.
        transform: also rotate, shear and stretch.
    """
    device = generator.device

    def uniform(low: float, high: float) -> Tensor:
        return torch.rand(count, generator=generator, device=device) * (high - low) + low

    linear = torch.eye(2, device=device).repeat(count, 1, 1)
    # Sign of x: half of the images are mirrored.
    linear[:, 0, 0] = 1 - 2 * torch.randint(2, (count,), generator=generator, device=device).float()
    if transform:
        angle, shear, stretch = uniform(-ROTATION, ROTATION), uniform(-SHEAR, SHEAR), uniform(1 - STRETCH, 1 + STRETCH)
        cos, sin, one, zero = angle.cos(), angle.sin(), torch.ones_like(angle), torch.zeros_like(angle)
        rotations = torch.stack([torch.stack([cos, -sin], 1), torch.stack([sin, cos], 1)], 1)
        shears = torch.stack([torch.stack([one, shear], 1), torch.stack([zero, one], 1)], 1)
        linear = rotations @ shears @ torch.diag_embed(torch.stack([stretch.sqrt(), stretch.rsqrt()], 1)) @ linear
    # Coordinates run from -1 to 1 over a side, x first.
    sides = torch.tensor([stored[1], stored[0]], device=device), torch.tensor([wanted[1], wanted[0]], device=device)
    linear = linear * sides[1][None, None, :] / sides[0][None, :, None]
    centers = []
    for side, view in ((stored[1], wanted[1]), (stored[0], wanted[0])):
        low, high = (0, side - view) if side > view else (-round(view * SHIFT), round(view * SHIFT))
        # Whole pixels: a view that is not turned is not blurred either.
        corner = torch.randint(low, high + 1, (count,), generator=generator, device=device)
        centers.append((2 * corner + view) / side - 1)
    return torch.cat([linear, torch.stack(centers, 1)[:, :, None]], 2)


def shift_colors(pixels: Tensor, generator: Generator) -> Tensor:
    """Add a random amount, one for each image, to hue, saturation and lightness; grey images have only the last.

    Args:
        pixels: float32 (batch, 1 or 3 channels, height, width), values from 0 to 1.
        generator: its device is the pixels'.
    """

    def uniform(bound: float) -> Tensor:
        return (torch.rand(len(pixels), 1, 1, generator=generator, device=pixels.device) * 2 - 1) * bound

    hue_shift, saturation_shift, lightness_shift = uniform(HUE), uniform(SATURATION), uniform(LIGHTNESS)
    if pixels.shape[1] == 1:
        return (pixels + lightness_shift[:, None]).clamp(0, 1)
    hue, saturation, lightness = to_hsl(pixels)
    return from_hsl(
        (hue + hue_shift) % 1, (saturation + saturation_shift).clamp(0, 1), (lightness + lightness_shift).clamp(0, 1)
    )


def to_hsl(pixels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Hue, saturation and lightness, each (batch, height, width) with values from 0 to 1, of RGB pixels."""
    red, green, blue = pixels.unbind(1)
    high, low = pixels.amax(1), pixels.amin(1)
    chroma, lightness = high - low, (high + low) / 2
    divisor = chroma.clamp_min(1e-6)
    hue = torch.where(
        high == red,
        (green - blue) / divisor % 6,
        torch.where(high == green, (blue - red) / divisor + 2, (red - green) / divisor + 4),
    )
    return hue / 6, chroma / (1 - (2 * lightness - 1).abs()).clamp_min(1e-6), lightness


def from_hsl(hue: Tensor, saturation: Tensor, lightness: Tensor) -> Tensor:
    """Return the inverse of `to_hsl`."""
    amplitude = saturation * torch.minimum(lightness, 1 - lightness)
    channels = []
    for offset in (0, 8, 4):
        position = (offset + hue * 12) % 12
        channels.append(lightness - amplitude * torch.minimum(position - 3, 9 - position).clamp(-1, 1))
    return torch.stack(channels, 1)
