"""Reads images out of buildah's storage as they are, without a copy on the disk.

The storage keeps each layer unpacked, and beside it the tar file's headers and the order of its files (the format of
github.com/vbatts/tar-split): both together give the layer's tar file again, to the byte.
"""

from __future__ import annotations

import base64
import gzip
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cluster.commands import run, succeeds

if TYPE_CHECKING:
    from collections.abc import Iterator

_CHUNK_BYTES = 1 << 20
_FILE, _RAW = 1, 2  # kinds of entries


@dataclass(frozen=True)
class Layer:
    """One layer.

    Attributes:
        digest: of the uncompressed tar file, with `sha256:`.
        size: of the uncompressed tar file, bytes.
        files: folder with its files.
        recipe: compressed list of what the tar file consists of.
    """

    digest: str
    size: int
    files: Path
    recipe: Path

    def tar(self) -> Iterator[bytes]:
        """The uncompressed tar file, in pieces."""
        with gzip.open(self.recipe, "rt") as lines:
            for line in lines:
                entry = json.loads(line)
                if entry["type"] == _RAW:
                    yield base64.b64decode(entry["payload"])
                elif entry["type"] == _FILE and entry.get("size"):
                    yield from _content(self.files / _name(entry))


@dataclass(frozen=True)
class Image:
    """An image in buildah's storage.

    Attributes:
        name: full name, with tag.
        id: digest of `config`, without `sha256:`.
        config: the image's configuration, JSON.
        layers: bottom first.
    """

    name: str
    id: str
    config: bytes
    layers: tuple[Layer, ...]


def read(name: str) -> Image:
    """Look an image up; ends with one line when there is none of this name."""
    if not succeeds("buildah", "inspect", "--type=image", name):
        raise SystemExit(f"there is no image {name} in buildah's storage: `buildah images` lists those that are")
    found = json.loads(run("buildah", "inspect", "--type=image", name))
    store = json.loads(run("buildah", "info"))["store"]
    if store["GraphDriverName"] != "overlay":
        raise SystemExit(f"buildah's storage driver is {store['GraphDriverName']}; the test cluster reads only overlay")
    root = Path(store["GraphRoot"])
    stored = json.loads((root / "overlay-layers/layers.json").read_text())
    known = {layer["diff-digest"]: layer for layer in stored if "diff-digest" in layer}  # others are in the making
    return Image(
        name=name,
        id=found["FromImageID"],
        config=found["Config"].encode(),
        layers=tuple(_layer(root, known[digest]) for digest in found["OCIv1"]["rootfs"]["diff_ids"]),
    )


def _layer(root: Path, stored: dict[str, Any]) -> Layer:
    return Layer(
        digest=stored["diff-digest"],
        size=stored["diff-size"],
        files=root / "overlay" / stored["id"] / "diff",
        recipe=root / "overlay-layers" / f"{stored['id']}.tar-split.gz",
    )


def _content(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            yield chunk


def _name(entry: dict[str, str]) -> str:
    if raw := entry.get("name_raw"):  # not UTF-8
        return base64.b64decode(raw).decode(errors="surrogateescape").lstrip("/")
    return entry["name"].lstrip("/")
