from __future__ import annotations

import colorsys

import pytest
import torch

from tuning_trainer.image_classification.augmentation import (
    HUE,
    LIGHTNESS,
    SATURATION,
    Preparation,
    channel_statistics,
    from_hsl,
    shift_colors,
    to_hsl,
    with_margin,
)

KINDS = ["none", "crop", "crop_color", "crop_color_transform"]


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def preparation(shape: tuple[int, int, int], kind: str) -> Preparation:
    """Without normalisation, so that pixels stay what they are."""
    stored_channels = shape[0]
    return Preparation(shape, kind, torch.zeros(stored_channels), torch.ones(stored_channels))


def numbered(count: int, channels: int, height: int, width: int) -> torch.Tensor:
    """Images in which every pixel has another value."""
    pixels = torch.arange(height * width, dtype=torch.uint8).view(1, 1, height, width)
    return pixels.expand(count, channels, -1, -1).contiguous()


def windows(image: torch.Tensor, height: int, width: int) -> list[torch.Tensor]:
    """All crops of an image and their mirror images."""
    views = image.unfold(1, height, 1).unfold(2, width, 1).flatten(1, 2).transpose(0, 1)
    return [*views, *views.flip(3)]


def test_the_margin_is_256_for_224() -> None:
    assert with_margin((224, 224)) == (256, 256)


def test_validation_takes_the_middle() -> None:
    images = numbered(2, 3, 16, 8)
    views = preparation((3, 14, 7), "crop_color_transform").validation(images)
    assert torch.allclose(views, images[:, :, 1:15, 0:7] / 255)


def test_images_of_another_size_are_scaled() -> None:
    images = torch.full((2, 1, 28, 28), 51, dtype=torch.uint8)
    views = preparation((1, 32, 16), "none").training(images, generator())
    assert views.shape == (2, 1, 32, 16)
    assert torch.allclose(views, torch.tensor(0.2))


def test_a_crop_is_a_window_of_its_image_perhaps_mirrored() -> None:
    images = numbered(64, 3, 16, 8)
    views = preparation((3, 14, 7), "crop").training(images, generator())
    possible = windows(images[0].float() / 255, 14, 7)
    found = {next(i for i, window in enumerate(possible) if torch.allclose(view, window, atol=1e-5)) for view in views}
    assert len(found) > 6, "64 images must show more than a few of the 12 windows"


def test_a_crop_of_an_image_without_margin_is_a_shift() -> None:
    images = torch.zeros(64, 1, 16, 16, dtype=torch.uint8)
    images[:, :, 8, 4] = 255
    views = preparation((1, 16, 16), "crop").training(images, generator())
    places = [tuple((view[0] > 0.5).nonzero()[0].tolist()) for view in views]
    assert len(set(places)) > 20
    assert all(6 <= row <= 10 and (2 <= column <= 6 or 9 <= column <= 13) for row, column in places)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("channels", [1, 3])
def test_views_depend_on_the_generator_alone(kind: str, channels: int) -> None:
    images = torch.randint(256, (8, channels, 16, 16), dtype=torch.uint8, generator=generator(1))
    prepare = preparation((channels, 14, 14), kind)
    views = prepare.training(images, generator(2))
    assert views.shape == (8, channels, 14, 14)
    assert views.isfinite().all()
    assert torch.equal(views, prepare.training(images, generator(2)))
    assert torch.equal(views, prepare.training(images, generator(3))) == (kind == "none")


def test_every_image_of_a_batch_has_a_view_of_its_own() -> None:
    image = torch.randint(256, (1, 3, 16, 16), dtype=torch.uint8, generator=generator(1)).expand(8, -1, -1, -1)
    views = preparation((3, 14, 14), "crop_color_transform").training(image, generator())
    assert len({tuple(view.flatten().tolist()) for view in views}) == 8


def test_a_grey_image_is_repeated_for_a_network_of_colours() -> None:
    grey = Preparation((3, 8, 8), "none", torch.zeros(1), torch.ones(1))
    views = grey.validation(numbered(2, 1, 8, 8))
    assert views.shape == (2, 3, 8, 8)
    assert torch.equal(views[:, 0], views[:, 2])


def test_normalisation() -> None:
    images = torch.randint(256, (64, 3, 8, 8), dtype=torch.uint8, generator=generator())
    images[:, 2] = 7  # a channel without any variation
    views = Preparation((3, 8, 8), "none", *channel_statistics(images)).validation(images)
    assert torch.allclose(views.mean((0, 2, 3)), torch.zeros(3), atol=1e-5)
    assert torch.allclose(views.std((0, 2, 3)), torch.tensor([1.0, 1.0, 0.0]), atol=1e-5)


def test_hsl_agrees_with_the_standard_library() -> None:
    pixels = torch.rand(4, 3, 5, 5, generator=generator())
    pixels[0, :, 0, 0] = 0.5  # grey has no hue
    hue, saturation, lightness = to_hsl(pixels)
    for image, row, column in [(0, 0, 0), (0, 1, 2), (1, 3, 4), (3, 2, 2)]:
        expected = colorsys.rgb_to_hls(*pixels[image, :, row, column].tolist())
        got = hue[image, row, column], lightness[image, row, column], saturation[image, row, column]
        assert [value.item() for value in got] == pytest.approx(expected, abs=1e-5)
    assert torch.allclose(from_hsl(hue, saturation, lightness), pixels, atol=1e-5)


def test_colours_are_shifted_within_bounds_and_differently_for_each_image() -> None:
    pixels = torch.tensor([0.6, 0.4, 0.45]).view(1, 3, 1, 1).expand(200, -1, 4, 4)
    shifted = shift_colors(pixels, generator())
    assert torch.equal(shifted.amin((2, 3)), shifted.amax((2, 3))), "one amount for all pixels of an image"
    before, after = to_hsl(pixels), to_hsl(shifted)
    for old, new, bound in zip(before, after, (HUE, SATURATION, LIGHTNESS), strict=True):
        change = (new - old)[:, 0, 0]
        change = torch.where(change.abs() > 0.5, change - change.sign(), change) if bound == HUE else change
        assert bound * 0.8 < change.abs().max() <= bound + 1e-4
        assert change.min() < 0 < change.max()
