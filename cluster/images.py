"""Puts images from buildah's storage into the cluster's containerd: only the layers that it lacks, uncompressed."""

from __future__ import annotations

import fcntl
import subprocess
import tempfile
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from cluster import disk, layers, layout, node, packages, paths, store
from cluster.commands import run
from cluster.runtime import ctr, ctr_options

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_PAUSE = Path(__file__).parent / "pause"
_CHECK_DISK_FROM_GIB = 0.5

INCOMING = "localhost/tuning-operator-test/incoming:1"
"""The name of an image that is being loaded."""


def load(name: str) -> bool:
    """Put an image into the cluster; says whether it was not there yet.

    Until the new image is unpacked, and also when that fails, its name leads to the image that it led to before: so the
    layers that both share cannot be collected meanwhile, and whatever has a name is complete.

    Args:
        name: full name in buildah's storage, as `localhost/tuning-operator/operator:dev`.
    """
    image = layers.read(name)
    with _lock():
        missing = image.layers[store.count_unpacked([layer.digest for layer in image.layers], store.unpacked()) :]
        present = store.ids()
        if present.get(name) == image.id and not missing:
            return False
        gib = sum(layer.size for layer in missing) / (1 << 30)
        if gib > _CHECK_DISK_FROM_GIB:
            print(f"Loading {name}: {gib:.1f} GiB", flush=True)
            disk.require_room(2 * gib, f"loading {name}")  # as they come and unpacked, for a moment
        try:
            _import(image, missing, name=INCOMING)
            if missing:
                # Containers use the unpacked form, and this halves what an image occupies.
                ctr("content", "delete", *{layer.digest for layer in missing})
            _import(image, [], name=name)
        finally:
            ctr("images", "rm", "--sync", INCOMING)
            # An earlier load may have been killed, and this one may have failed.
            for unused in {image.id} | {present[old] for old in (name, INCOMING) if old in present}:
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


def _import(image: layers.Image, missing: Iterable[layers.Layer], name: str) -> None:
    """Stream an image into containerd, as an OCI layout, and unpack it there under a name."""
    command = [packages.program("ctr") or "ctr", *ctr_options(), "images", "import", "-"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as importing:
        assert importing.stdin is not None
        assert importing.stdout is not None
        with suppress(BrokenPipeError), importing.stdin as pipe:
            layout.write(pipe, replace(image, name=name), missing)
        said = importing.stdout.read().decode()
    if importing.returncode:
        raise RuntimeError(f"containerd refused {image.name}: {said.strip()}")
