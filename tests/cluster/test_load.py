"""Loads small images made here, under their own names, into the running cluster."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import subprocess
import tarfile
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from cluster import images, kubeconfig, layers, layout, paths, runtime, store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.e2e


class Storage:
    """Stands for buildah's storage; its layers are of this run alone, so that the cluster cannot have them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.run = uuid4().hex[:8]
        self.images: dict[str, layers.Image] = {}
        self.made: set[str] = set()

    def put(self, tag: str, *tars: bytes) -> layers.Image:
        name = f"localhost/tuning-operator-test/load-{self.run}:{tag}"
        stored = tuple(map(self._layer, tars))
        rootfs = {"type": "layers", "diff_ids": [layer.digest for layer in stored]}
        config = json.dumps({"architecture": "amd64", "os": "linux", "rootfs": rootfs}).encode()
        image = layers.Image(name, hashlib.sha256(config).hexdigest(), config, stored)
        self.images[name] = image
        self.made.add(image.id)
        return image

    def tar(self, content: str) -> bytes:
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            data = f"{self.run} {content}".encode()
            member = tarfile.TarInfo(content)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
        return archive.getvalue()

    def broken(self) -> bytes:
        """What has the right digest, and yet cannot be unpacked."""
        return self.run.encode() * 200

    def _layer(self, tar: bytes) -> layers.Layer:
        sha256 = hashlib.sha256(tar).hexdigest()
        recipe = self.folder / f"{sha256}.gz"
        recipe.write_bytes(gzip.compress(json.dumps({"type": 2, "payload": base64.b64encode(tar).decode()}).encode()))
        return layers.Layer(f"sha256:{sha256}", len(tar), self.folder, recipe)


@pytest.fixture
def storage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Storage]:
    kubeconfig.require_test_context(paths.kubeconfig())
    made = Storage(tmp_path)
    monkeypatch.setattr(layers, "read", made.images.__getitem__)
    yield made
    for name in made.images:
        runtime.ctr("images", "rm", "--sync", name)
    for image in made.made:
        store.remove_own_reference(image)
    left = set(store.ids().values()) & made.made
    assert not left


def sent(image: layers.Image, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Load an image and give the digests of the layers that travelled."""
    digests: list[str] = []
    tar = layers.Layer.tar

    def noting(layer: layers.Layer) -> Iterator[bytes]:
        digests.append(layer.digest)
        return tar(layer)

    with monkeypatch.context() as patch:
        patch.setattr(layers.Layer, "tar", noting)
        assert images.load(image.name)
    return digests


def is_unpacked(image: layers.Image) -> bool:
    digests = [layer.digest for layer in image.layers]
    return store.count_unpacked(digests, store.unpacked()) == len(digests)


def test_an_image_is_loaded_once(storage: Storage) -> None:
    image = storage.put("1", storage.tar("below"), storage.tar("above"))
    assert images.load(image.name)
    assert not images.load(image.name)
    assert images.image_id(image.name) == image.id
    assert is_unpacked(image)
    assert store.ids().get(images.INCOMING) != image.id


def test_an_image_that_is_there_by_name_alone_is_loaded(storage: Storage) -> None:
    image = storage.put("1", storage.tar("below"), storage.tar("above"))
    pipe = io.BytesIO()
    layout.write(pipe, image, [])
    command = ["ctr", *runtime.ctr_options(), "images", "import", "--no-unpack", "-"]
    subprocess.run(command, input=pipe.getvalue(), check=True, capture_output=True)
    assert images.image_id(image.name) == image.id
    assert not is_unpacked(image)
    assert images.load(image.name)
    assert is_unpacked(image)


def test_a_changed_image_shares_its_lower_layers_and_leaves_nothing_of_the_old_one(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    below = storage.tar("below")
    old = storage.put("1", below, storage.tar("old"))
    assert sent(old, monkeypatch) == [layer.digest for layer in old.layers]
    new = storage.put("1", below, storage.tar("new"))
    assert sent(new, monkeypatch) == [new.layers[1].digest]
    assert images.image_id(new.name) == new.id
    assert is_unpacked(new)
    assert old.id not in store.ids().values()
    assert not is_unpacked(old)


def test_a_replaced_image_stays_while_another_name_leads_to_it(storage: Storage) -> None:
    tars = storage.tar("below"), storage.tar("old")
    first, second = storage.put("1", *tars), storage.put("2", *tars)
    assert images.load(first.name)
    assert images.load(second.name)
    before = {name for name, image in store.ids().items() if image == first.id}
    assert images.load(storage.put("1", storage.tar("new")).name)
    assert {name for name, image in store.ids().items() if image == first.id} == before - {first.name}
    assert is_unpacked(second)


def test_an_image_that_cannot_be_unpacked_leaves_the_old_one_in_place(storage: Storage) -> None:
    below = storage.tar("below")
    old = storage.put("1", below, storage.tar("old"))
    assert images.load(old.name)
    before = store.ids()
    broken = storage.put("1", below, storage.broken())
    for _ in range(2):
        with pytest.raises(RuntimeError, match=f"containerd refused {broken.name}"):
            images.load(broken.name)
        assert images.image_id(old.name) == old.id
        assert is_unpacked(old)
    ours = storage.made
    assert {name for name, image in store.ids().items() if image in ours} == {
        name for name, image in before.items() if image in ours
    }


def test_an_image_that_cannot_be_unpacked_leaves_no_name_without_an_image(storage: Storage) -> None:
    image = storage.put("1", storage.broken())
    with pytest.raises(RuntimeError, match="containerd refused"):
        images.load(image.name)
    assert image.id not in store.ids().values()


def test_an_image_that_changes_on_its_way_is_refused_with_containerds_words(storage: Storage) -> None:
    image = storage.put("1", storage.tar("below"))
    image.layers[0].recipe.write_bytes(storage.put("2", storage.tar("other")).layers[0].recipe.read_bytes())
    with pytest.raises(RuntimeError, match=f"containerd refused {image.name}: .*digest"):
        images.load(image.name)
    assert store.ids().get(images.INCOMING) != image.id
    assert image.id not in store.ids().values()


def test_layers_that_no_image_keeps_do_not_count(storage: Storage) -> None:
    image = storage.put("1", storage.tar("below"))
    assert images.load(image.name)
    assert is_unpacked(image)
    runtime.ctr("snapshots", "prepare", f"keeps-{storage.run}", image.layers[0].digest)  # as a running container does
    try:
        runtime.ctr("images", "rm", "--sync", image.name)
        store.remove_own_reference(image.id)
        assert image.layers[0].digest in runtime.ctr("snapshots", "list")
        assert not is_unpacked(image)
    finally:
        runtime.ctr("snapshots", "rm", f"keeps-{storage.run}")
