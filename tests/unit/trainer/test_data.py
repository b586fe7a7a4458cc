from __future__ import annotations

import gzip
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from PIL import Image

from tests.unit.trainer.pictures import idx, pictures, write_folder, write_idx
from tuning_trainer.image_classification.data import Source, open_source, read_idx, select, split
from tuning_trainer.image_classification.folder import ImageFolder
from tuning_trainer.image_classification.hyperparameters import HyperparameterError, Hyperparameters

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("compressed", [True, False])
def test_idx_files_are_read(tmp_path: Path, compressed: bool) -> None:
    source = open_source(Hyperparameters(data=str(write_idx(tmp_path, 200, compressed=compressed))))
    images, labels = pictures(200)
    assert isinstance(source.images, torch.Tensor)
    assert np.array_equal(source.images.squeeze(1).numpy(), images)
    assert source.labels.tolist() == labels.tolist()
    assert source.classes == 4


def test_a_folder_has_its_folders_as_classes(tmp_path: Path) -> None:
    source = open_source(Hyperparameters(data=str(write_folder(tmp_path, 40)), image_shape=(3, 14, 14)))
    assert isinstance(source.images, ImageFolder)
    assert list(source.images.classes) == ["001.class-0", "002.class-1", "003.class-2"]
    assert len(source.labels) == len(source.images) == 40
    assert source.classes == 3


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (3, "RGB")])
def test_files_are_scaled_and_cut_to_one_size(tmp_path: Path, channels: int, mode: str) -> None:
    (tmp_path / "a").mkdir()
    # Left third red, the middle green, the right third blue: the middle is what is left of it.
    image = Image.new("RGB", (96, 32), "lime")
    image.paste("red", (0, 0, 32, 32))
    image.paste("blue", (64, 0, 96, 32))
    image.save(tmp_path / "a" / "wide.png")
    folder = ImageFolder.open(tmp_path, (channels, 14, 14))
    pixels = folder[0]
    assert pixels.dtype == torch.uint8
    assert tuple(pixels.shape) == folder.stored_shape == (channels, 16, 16)
    expected = np.array(Image.new("RGB", (1, 1), "lime").convert(mode)).reshape(channels, 1, 1)
    inner = pixels[:, :, 1:-1].numpy()  # the outermost columns are blended with what was cut off
    assert np.array_equal(inner, np.broadcast_to(expected, inner.shape))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not an IDX file of bytes"),
        (b"\0\0\x0d\x01\0\0\0\x01\0\0\0\0", "not an IDX file of bytes"),
        (idx(pictures(3)[0])[:-1], "has 207 bytes, not the 208 of its header"),
        (idx(pictures(3)[0]) + b"\0", "has 209 bytes"),
    ],
)
def test_a_broken_idx_file_is_refused(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=words):
        read_idx(path)


def test_idx_arrays_may_have_any_rank(tmp_path: Path) -> None:
    array = np.arange(24, dtype=np.uint8).reshape(2, 3, 2, 2)
    (tmp_path / "a.gz").write_bytes(gzip.compress(idx(array)))
    assert np.array_equal(read_idx(tmp_path / "a.gz"), array)


def broken(tmp_path: Path, kind: str) -> Path:
    folder = tmp_path / kind
    folder.mkdir()
    if kind == "empty folder":
        return folder
    write_idx(folder, compressed=False)
    if kind == "no labels":
        (folder / "train-labels-idx1-ubyte").unlink()
    elif kind == "other labels":
        (folder / "train-labels-idx1-ubyte").write_bytes(idx(pictures(7)[1]))
    elif kind == "cut short":
        (folder / "train-images-idx3-ubyte").write_bytes(idx(pictures(200)[0])[:500])
    return folder


@pytest.mark.parametrize("kind", ["empty folder", "no labels", "other labels", "cut short"])
def test_data_that_cannot_be_read_is_named(tmp_path: Path, kind: str) -> None:
    folder = broken(tmp_path, kind)
    with pytest.raises(HyperparameterError) as caught:
        open_source(Hyperparameters(data=str(folder)))
    assert str(caught.value).startswith(f"data is {str(folder)!r}, which ")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"num_classes": 3}, "num_classes is 3, and the data has 4: give at least 4"),
        ({"top_k": 5}, "top_k is 5, and there are 4 classes: give at most 4"),
        ({"num_training_samples": 161}, "num_training_samples is 161, and there are 160 images to train on"),
        ({"mini_batch_size": 161}, "mini_batch_size is 161, and there are 160 images to train on: give at most 160"),
        ({"num_training_samples": 20, "mini_batch_size": 32}, "mini_batch_size is 32, and there are 20 images"),
    ],
)
def test_values_that_do_not_go_with_the_data(tmp_path: Path, values: dict[str, Any], words: str) -> None:
    hp = Hyperparameters(data=str(write_idx(tmp_path, 200)), **values)
    with pytest.raises(HyperparameterError) as caught:
        split(len(open_source(hp).labels), hp)
    assert words in str(caught.value)


def test_more_classes_than_the_data_has_are_fine(tmp_path: Path) -> None:
    assert open_source(Hyperparameters(data=str(write_idx(tmp_path)), num_classes=257)).classes == 257


def test_the_split_depends_on_its_own_seed_alone() -> None:
    hp = Hyperparameters(split_seed=5)
    parts = split(100, hp)
    assert sorted([*parts.training.tolist(), *parts.validation.tolist()]) == list(range(100))
    assert len(parts.validation) == 20
    other = split(100, replace(hp, seed=9, learning_rate=1, mini_batch_size=16, num_training_samples=30))
    assert torch.equal(other.validation, parts.validation)
    assert torch.equal(other.training, parts.training[:30])
    assert not torch.equal(split(100, replace(hp, split_seed=6)).validation, parts.validation)


def test_only_the_images_in_use_are_kept() -> None:
    images = torch.arange(10, dtype=torch.uint8).view(10, 1, 1, 1)
    hp = Hyperparameters(num_training_samples=3, mini_batch_size=2)
    parts = split(10, hp)
    used, renumbered = select(Source(images, torch.arange(10), 10), parts)
    assert len(used.labels) == 5
    assert used.labels[renumbered.training].tolist() == parts.training.tolist()
    assert used.labels[renumbered.validation].tolist() == parts.validation.tolist()
    assert isinstance(used.images, torch.Tensor)
    assert used.images.flatten().tolist() == used.labels.tolist()
