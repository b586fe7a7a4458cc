"""Says which images the cluster's containerd has, and which layers it keeps unpacked for them."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from typing import TYPE_CHECKING

from cluster.runtime import ctr

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

_SHA256 = "sha256:"
# By this label an image's configuration keeps the image's layers, from its topmost one downwards.
_KEEPS = "containerd.io/gc.ref.snapshot."


def ids(*filters: str) -> dict[str, str]:
    """The id, without `sha256:`, of the image behind each reference.

    Args:
        filters: containerd's, as `name==localhost/pause:1`; without them, all references are given.
    """
    rows = [line.split() for line in ctr("images", "list", *filters).splitlines()[1:]]
    images = {digest: _id(digest) for digest in {row[2] for row in rows}}  # most have several references
    return {row[0]: image for row in rows if (image := images[row[2]])}


def unpacked() -> set[str]:
    """The chain ids of the unpacked layers that images keep: any other may be collected at any moment."""
    configs = {_SHA256 + image for image in ids().values()}
    parents = _parents()
    kept: set[str] = set()
    for line in ctr("content", "list").splitlines()[1:]:
        digest, *_, labels = line.split("\t")
        chain = _kept_by(labels) if digest in configs else ""
        while chain in parents and chain not in kept:
            kept.add(chain)
            chain = parents[chain]
    return kept


def count_unpacked(digests: Sequence[str], unpacked: Container[str]) -> int:
    """Return how many of these layers, from the bottom, are among those with these chain ids."""
    chain = ""
    for count, digest in enumerate(digests):
        chain = _SHA256 + hashlib.sha256(f"{chain} {digest}".encode()).hexdigest() if chain else digest
        if chain not in unpacked:
            return count
    return len(digests)


def remove_own_reference(image: str) -> None:
    """Remove the reference that kubelet's side of containerd makes to an image's id, unless another has that id.

    It outlives the image's names, and would keep a replaced image on the disk for good.
    """
    own = _SHA256 + image
    present = ids()
    if own in present and [name for name, other in present.items() if other == image] == [own]:
        ctr("images", "rm", "--sync", own)


def _id(manifest: str) -> str:
    """Empty for an index of several platforms, and for an image that was removed since it was listed."""
    with suppress(RuntimeError):
        config = json.loads(ctr("content", "get", manifest)).get("config", {})
        return str(config.get("digest", "")).removeprefix(_SHA256)
    return ""


def _parents() -> dict[str, str]:
    """The chain id below each unpacked layer; empty below the lowest."""
    # Columns: key, parent (the lowest has none), kind.
    rows = [line.split() for line in ctr("snapshots", "list").splitlines()[1:]]
    return {row[0]: row[1] if len(row) > 2 else "" for row in rows if row[-1] == "Committed"}


def _kept_by(labels: str) -> str:
    for label in labels.strip().split(","):
        name, _, value = label.partition("=")
        if name.startswith(_KEEPS):
            return value
    return ""
