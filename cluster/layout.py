"""Writes images as containerd imports them: an OCI layout in a tar file."""

from __future__ import annotations

import hashlib
import json
import tarfile
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cluster import layers

_TAR_BLOCK = 512


def write(pipe: IO[bytes], image: layers.Image, missing: Iterable[layers.Layer]) -> None:
    """Write an image as an OCI layout in a tar file, with only those of its layers that are missing where it goes."""
    manifest = _manifest(image)
    _write_small(pipe, "oci-layout", {"imageLayoutVersion": "1.0.0"})
    entry = _described("manifest.v1+json", _sha256(manifest), len(manifest))
    entry["annotations"] = {"org.opencontainers.image.ref.name": image.name}
    _write_small(pipe, "index.json", {"schemaVersion": 2, "manifests": [entry]})
    for content in (manifest, image.config):
        _write(pipe, f"blobs/sha256/{_sha256(content)}", len(content), [content])
    for layer in missing:
        _write(pipe, f"blobs/{layer.digest.replace(':', '/')}", layer.size, layer.tar())
    pipe.write(bytes(2 * _TAR_BLOCK))


def _manifest(image: layers.Image) -> bytes:
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": _described("config.v1+json", image.id, len(image.config)),
        "layers": [
            _described("layer.v1.tar", layer.digest.removeprefix("sha256:"), layer.size) for layer in image.layers
        ],
    }
    return json.dumps(manifest).encode()


def _described(kind: str, sha256: str, size: int) -> dict[str, Any]:
    return {"mediaType": f"application/vnd.oci.image.{kind}", "digest": f"sha256:{sha256}", "size": size}


def _write_small(pipe: IO[bytes], name: str, content: dict[str, Any]) -> None:
    data = json.dumps(content).encode()
    _write(pipe, name, len(data), [data])


def _write(pipe: IO[bytes], name: str, size: int, pieces: Iterable[bytes]) -> None:
    """Write one file of a tar archive."""
    header = tarfile.TarInfo(name)
    header.size = size
    pipe.write(header.tobuf())
    for piece in pieces:
        pipe.write(piece)
    pipe.write(bytes(-size % _TAR_BLOCK))


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
