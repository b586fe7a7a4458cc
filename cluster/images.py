"""Puts images from buildah's storage into the cluster's containerd: only the layers that it lacks, uncompressed."""

from __future__ import annotations

import fcntl
import hashlib
import json
import subprocess
import tarfile
import tempfile
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from cluster import disk, layers, node, packages, paths, store
from cluster.commands import run
from cluster.runtime import ctr, ctr_options

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Sequence

_PAUSE = Path(__file__).parent / "pause"
_INCOMING = "localhost/tuning-operator-test/incoming:1"  # an image that is being loaded
_CHECK_DISK_FROM_GIB = 0.5
_TAR_BLOCK = 512


def load(name: str) -> bool:
    """Put an image into the cluster; says whether it was not there yet.

    Until the new image is unpacked, and also when that fails, its name leads to the image that it led to before: so the
    layers that both share cannot be collected meanwhile, and whatever has a name is complete.

    Args:
        name: full name in buildah's storage, as `localhost/tuning-operator/operator:dev`.
    """
    image = layers.read(name)
    with _lock():
        missing = image.layers[_count_unpacked([layer.digest for layer in image.layers], store.unpacked()) :]
        present = store.ids()
        if present.get(name) == image.id and not missing:
            return False
        gib = sum(layer.size for layer in missing) / (1 << 30)
        if gib > _CHECK_DISK_FROM_GIB:
            print(f"Loading {name}: {gib:.1f} GiB", flush=True)
            disk.require_room(2 * gib, f"loading {name}")  # as they come and unpacked, for a moment
        try:
            _import(image, missing, name=_INCOMING)
            if missing:
                # Containers use the unpacked form, and this halves what an image occupies.
                ctr("content", "delete", *{layer.digest for layer in missing})
            _import(image, [], name=name)
        finally:
            ctr("images", "rm", "--sync", _INCOMING)
            # An earlier load may have been killed, and this one may have failed.
            for unused in {image.id} | {present[old] for old in (name, _INCOMING) if old in present}:
                store.remove_own_reference(unused)
    return True


def load_pause() -> None:
    """Build the image that holds a Pod's namespaces and put it into the cluster, unless it is there."""
    if image_id(node.PAUSE_IMAGE):
        return
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "pause"
        run("gcc", "-static", "-Os", "-s", "-Wall", "-Werror", "-o", str(program), str(_PAUSE / "pause.c"))
        file = str(_PAUSE / "Dockerfile")
        run("buildah", "build", "--quiet", "--tag", node.PAUSE_IMAGE, "--file", file, folder)
    load(node.PAUSE_IMAGE)
    run("buildah", "rmi", node.PAUSE_IMAGE)


def image_id(name: str) -> str:
    """The id, without `sha256:`, of the cluster's image with this name; empty when there is none."""
    return store.ids(f"name=={name}").get(name, "")


@contextmanager
def _lock() -> Iterator[None]:
    """One load at a time: what one finds unpacked, another must not have removed."""
    with (paths.state() / "load.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _count_unpacked(digests: Sequence[str], unpacked: Container[str]) -> int:
    """How many of these layers, from the bottom, are among those with these chain ids."""
    chain = ""
    for count, digest in enumerate(digests):
        chain = f"sha256:{_sha256(f'{chain} {digest}'.encode())}" if chain else digest
        if chain not in unpacked:
            return count
    return len(digests)


def _import(image: layers.Image, missing: Iterable[layers.Layer], name: str) -> None:
    """Stream an image into containerd, as an OCI layout, and unpack it there under a name."""
    command = [packages.program("ctr") or "ctr", *ctr_options(), "images", "import", "-"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as importing:
        assert importing.stdin is not None
        assert importing.stdout is not None
        with suppress(BrokenPipeError), importing.stdin as pipe:
            _write_layout(pipe, replace(image, name=name), missing)
        said = importing.stdout.read().decode()
    if importing.returncode:
        raise RuntimeError(f"containerd refused {image.name}: {said.strip()}")


def _write_layout(pipe: IO[bytes], image: layers.Image, missing: Iterable[layers.Layer]) -> None:
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
