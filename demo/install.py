"""What the demo and the experiment do to the test cluster: install everything, and clear away an earlier job."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from cluster import paths, release, volumes

if TYPE_CHECKING:
    from collections.abc import Callable

    from cluster.tools import Tools

    Kubectl = Callable[..., str]

EXAMPLES = Path(__file__).parents[1] / "examples"
EXAMPLE = EXAMPLES / "fashion-mnist.yaml"
PAUSING = EXAMPLES / "checkpoints.yaml"
"""The same job with checkpoints, whose trials are paused instead of stopped."""
NAMESPACE = "demo"
OPERATOR_NAMESPACE = "tuning-system"


def install(tools: Tools) -> None:
    """Install Prometheus and the operator, or bring them up to date."""
    release.install_prometheus(tools)
    release.Release(tools, OPERATOR_NAMESPACE, (NAMESPACE,)).install()


def provide_volume(tools: Tools) -> None:
    """Give the job's claim a folder of the only node, since the test cluster has no provisioner."""
    _checkpoints().mkdir(exist_ok=True)
    volumes.create_volume(tools.kubectl, NAMESPACE, _checkpoints())


def delete_job(kubectl: Kubectl, name: str, namespace: str = NAMESPACE) -> None:
    """Delete the job of an earlier run and wait until garbage collection has taken its trials and Pods away."""
    kubectl("delete", "tuningjob", name, "--namespace", namespace, "--ignore-not-found")
    dependents = ("tuningtrials,pods", "--namespace", namespace, "--selector", f"tuning-operator.dev/job={name}")
    kubectl("wait", "--for=delete", "--timeout=120s", *dependents)


def uninstall(tools: Tools) -> None:
    """Remove all of it, and the jobs; the definitions of the resources stay."""
    # The jobs first: their Pods go with them, with or without an operator.
    tools.kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait")
    volumes.remove_volume(tools.kubectl, NAMESPACE)
    shutil.rmtree(_checkpoints(), ignore_errors=True)
    release.Release(tools, OPERATOR_NAMESPACE, (NAMESPACE,)).uninstall()
    tools.kubectl("delete", "namespace", OPERATOR_NAMESPACE, "--ignore-not-found", "--wait")
    tools.kubectl("delete", "-f", release.PROMETHEUS_MANIFEST, "--ignore-not-found", "--wait")


def _checkpoints() -> Path:
    return paths.state() / "demo-checkpoints"
