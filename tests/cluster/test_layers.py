from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import tarfile
from typing import TYPE_CHECKING

import pytest

from cluster import layers, layout

if TYPE_CHECKING:
    from pathlib import Path

FILES = {"etc/greeting": b"hello\n" * 500, "etc/empty": b"", "ätsch": b"x" * 512}


def packed() -> bytes:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, content in FILES.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return archive.getvalue()


@pytest.fixture
def layer(tmp_path: Path) -> layers.Layer:
    """As buildah's storage keeps a layer: files in a folder, and all of the tar file but their content in a list."""
    tar = packed()
    entries: list[dict[str, object]] = []
    position = 0
    with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
        members = archive.getmembers()
    for member in members:
        entries.append({"type": 2, "payload": base64.b64encode(tar[position : member.offset_data]).decode()})
        name = f"/{member.name}" if member.name.isascii() else ""
        raw = base64.b64encode(member.name.encode()).decode()
        entries.append({"type": 1, "name": name, "size": member.size} | ({} if name else {"name_raw": raw}))
        position = member.offset_data + member.size
        path = tmp_path / "diff" / member.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(FILES[member.name])
    entries.append({"type": 2, "payload": base64.b64encode(tar[position:]).decode()})
    with gzip.open(tmp_path / "recipe.gz", "wt") as recipe:
        recipe.writelines(json.dumps(entry) + "\n" for entry in entries)
    return layers.Layer(
        digest=f"sha256:{hashlib.sha256(tar).hexdigest()}",
        size=len(tar),
        files=tmp_path / "diff",
        recipe=tmp_path / "recipe.gz",
    )


def test_a_layers_tar_file_comes_back_to_the_byte(layer: layers.Layer) -> None:
    assert b"".join(layer.tar()) == packed()


def test_an_image_travels_as_a_layout_whose_parts_have_the_digests_that_name_them(layer: layers.Layer) -> None:
    config = b'{"architecture": "amd64"}'
    image = layers.Image("localhost/some/image:1", hashlib.sha256(config).hexdigest(), config, (layer,))
    pipe = io.BytesIO()
    layout.write(pipe, image, [layer])
    pipe.seek(0)
    with tarfile.open(fileobj=pipe) as archive:
        parts = {member.name: _read(archive, member) for member in archive}
    for name, content in parts.items():
        if name.startswith("blobs/"):
            assert name == f"blobs/sha256/{hashlib.sha256(content).hexdigest()}"
    (entry,) = json.loads(parts["index.json"])["manifests"]
    assert entry["annotations"]["org.opencontainers.image.ref.name"] == image.name
    manifest = json.loads(parts["blobs/" + entry["digest"].replace(":", "/")])
    assert [part["digest"] for part in manifest["layers"]] == [layer.digest]
    assert manifest["config"]["digest"] == f"sha256:{image.id}"
    assert "oci-layout" in parts


def test_a_layer_that_the_cluster_has_stays_behind_but_is_named(layer: layers.Layer) -> None:
    image = layers.Image("localhost/some/image:1", hashlib.sha256(b"{}").hexdigest(), b"{}", (layer,))
    pipe = io.BytesIO()
    layout.write(pipe, image, [])
    assert layer.digest.encode() in pipe.getvalue()
    assert b"hello" not in pipe.getvalue()


def _read(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = archive.extractfile(member)
    assert file is not None
    return file.read()
