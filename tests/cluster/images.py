"""Moves images from buildah's storage into the cluster's containerd: only the layers that it lacks, uncompressed."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import tarfile
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.cluster import disk, node, packages, paths
from tests.cluster.commands import run, succeeds
from tests.cluster.runtime import ctr, ctr_options

_PAUSE = Path(__file__).parent / "pause"
_CHECK_BUDGET_FROM_GIB = 0.5


def load(name: str) -> bool:
    """Put an image into the cluster; says whether it was not there yet.

    Args:
        name: full name in buildah's storage, as `localhost/tuning-operator/operator:dev`.
    """
    described = _inspect(name)
    if _image_id(name) == described["FromImageID"]:
        return False
    layers = [str(digest) for digest in described["OCIv1"]["rootfs"]["diff_ids"]]
    present = _unpacked(layers)
    fresh = [digest for digest in layers if digest not in present]
    with tempfile.TemporaryDirectory(dir=paths.state(), prefix="load-") as name_of_folder:
        folder = Path(name_of_folder)
        for digest, size in present.items():
            _pretend(folder / _hex(digest), size)
        run("buildah", "push", "--quiet", "--disable-compression", name, f"dir:{folder}")
        gib = sum((folder / _hex(digest)).stat().st_size for digest in fresh) / (1 << 30)
        if gib > _CHECK_BUDGET_FROM_GIB:
            disk.require(gib, f"loading {name}")  # the layers are here a second time, unpacked, for a moment
        _import(name, folder, skip={_hex(digest) for digest in present})
    ctr("content", "delete", *fresh)  # containers use the unpacked form; this halves what an image occupies
    return True


def load_pause() -> None:
    """Build the image that holds a Pod's namespaces and put it into the cluster, unless it is there."""
    if _image_id(node.PAUSE_IMAGE):
        return
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "pause"
        run("gcc", "-static", "-Os", "-s", "-Wall", "-Werror", "-o", str(program), str(_PAUSE / "pause.c"))
        file = str(_PAUSE / "Dockerfile")
        run("buildah", "build", "--quiet", "--tag", node.PAUSE_IMAGE, "--file", file, folder)
    load(node.PAUSE_IMAGE)


def _inspect(name: str) -> dict[str, Any]:
    if not succeeds("buildah", "inspect", "--type=image", name):
        raise SystemExit(f"there is no image {name} in buildah's storage: `buildah images` lists those that are")
    described: dict[str, Any] = json.loads(run("buildah", "inspect", "--type=image", name))
    return described


def _image_id(name: str) -> str:
    """The id, without `sha256:`, of the cluster's image with this name; empty when there is none."""
    manifest = _manifests().get(name)
    return manifest["config"]["digest"].removeprefix("sha256:") if manifest else ""


def _manifests() -> dict[str, dict[str, Any]]:
    """The manifests of the cluster's images by their names."""
    found = {}
    for line in ctr("images", "list").splitlines()[1:]:
        name, _, digest = line.split()[:3]
        with suppress(RuntimeError):  # its image was removed just now
            found[name] = json.loads(ctr("content", "get", digest))
    return found


def _unpacked(layers: list[str]) -> dict[str, int]:
    """Of an image's layers, bottom first, those that the cluster has unpacked; with their sizes in bytes."""
    sizes = {layer["digest"]: layer["size"] for manifest in _manifests().values() for layer in manifest["layers"]}
    present: dict[str, int] = {}
    chain = ""
    for digest in layers:
        chain = "sha256:" + hashlib.sha256(f"{chain} {digest}".encode()).hexdigest() if chain else digest
        if digest not in sizes or not succeeds("ctr", *ctr_options(), "snapshots", "info", chain):
            break
        present[digest] = sizes[digest]
    return present


def _hex(digest: str) -> str:
    return digest.removeprefix("sha256:")


def _pretend(blob: Path, size: int) -> None:
    """Make a file of this size without content: buildah writes no layer that is there, and notes its size."""
    with blob.open("wb") as file:
        file.truncate(size)


def _import(name: str, folder: Path, skip: set[str]) -> None:
    """Stream what buildah wrote into containerd as an OCI layout, removing each file once it is sent."""
    command = [packages.program("ctr") or "ctr", *ctr_options(), "images", "import", "-"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as importing:
        assert importing.stdin is not None
        assert importing.stdout is not None
        with suppress(BrokenPipeError), importing.stdin, tarfile.open(fileobj=importing.stdin, mode="w|") as archive:
            manifest = (folder / "manifest.json").read_bytes()
            _add(archive, "oci-layout", b'{"imageLayoutVersion": "1.0.0"}')
            _add(archive, "index.json", _index(name, manifest))
            _add(archive, f"blobs/sha256/{hashlib.sha256(manifest).hexdigest()}", manifest)
            for blob in sorted(folder.glob("[0-9a-f]" * 64)):
                if blob.name not in skip:
                    archive.add(blob, arcname=f"blobs/sha256/{blob.name}")
                    blob.unlink()
        said = importing.stdout.read().decode()
    if importing.returncode:
        raise RuntimeError(f"containerd refused {name}: {said.strip()}")


def _index(name: str, manifest: bytes) -> bytes:
    entry = {
        "mediaType": json.loads(manifest)["mediaType"],
        "digest": f"sha256:{hashlib.sha256(manifest).hexdigest()}",
        "size": len(manifest),
        "annotations": {"org.opencontainers.image.ref.name": name},
    }
    return json.dumps({"schemaVersion": 2, "manifests": [entry]}).encode()


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))
