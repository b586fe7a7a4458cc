"""Starts containerd and asks it things; images outlive the cluster, containers do not."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from cluster import cgroups, daemons, node
from cluster.commands import run, succeeds

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_START_SECONDS = 30.0
_NAMESPACE = "k8s.io"  # kubelet's, within containerd


def start(command: Sequence[str | Path]) -> None:
    """Start containerd with no containers but those that kubelet will ask for."""
    # What these say of an earlier run is void, since all its processes and mounts are gone.
    for part in (node.containerd_state(), *node.containerd_root().glob("io.containerd.runtime.*")):
        shutil.rmtree(part, ignore_errors=True)
    shutil.rmtree(node.containerd_root() / "io.containerd.grpc.v1.cri", ignore_errors=True)
    _start(command)
    if left := ctr("containers", "list", "--quiet").split():
        ctr("containers", "delete", *left)
        cgroups.kill("containerd")  # it has read them already
        _start(command)


def ctr(*arguments: str) -> str:
    """Run containerd's own client and give its output; raises `RuntimeError` when it fails."""
    return run("ctr", *ctr_options(), *arguments)


def ctr_options() -> list[str]:
    """What every call of `ctr` for this cluster begins with."""
    return [f"--address={node.socket()}", f"--namespace={_NAMESPACE}"]


def _start(command: Sequence[str | Path]) -> None:
    node.socket().unlink(missing_ok=True)
    daemons.start_enclosed("containerd", command)
    daemons.wait("containerd", lambda: succeeds("ctr", *ctr_options(), "version"), _START_SECONDS)
