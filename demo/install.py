"""What the demo and the experiment do to the test cluster: install everything, and clear away an earlier job."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cluster import release

if TYPE_CHECKING:
    from collections.abc import Callable

    from cluster.tools import Tools

    Kubectl = Callable[..., str]

EXAMPLE = Path(__file__).parents[1] / "examples" / "fashion-mnist.yaml"
NAMESPACE = "demo"
OPERATOR_NAMESPACE = "tuning-system"


def install(tools: Tools) -> None:
    """Install Prometheus and the operator, or bring them up to date."""
    release.install_prometheus(tools)
    release.Release(tools, OPERATOR_NAMESPACE, (NAMESPACE,)).install()


def delete_job(kubectl: Kubectl, name: str, namespace: str = NAMESPACE) -> None:
    """Delete the job of an earlier run and wait until garbage collection has taken its trials and Pods away."""
    kubectl("delete", "tuningjob", name, "--namespace", namespace, "--ignore-not-found")
    dependents = ("tuningtrials,pods", "--namespace", namespace, "--selector", f"tuning-operator.dev/job={name}")
    kubectl("wait", "--for=delete", "--timeout=120s", *dependents)


def uninstall(tools: Tools) -> None:
    """Remove all of it, and the jobs; the definitions of the resources stay."""
    # The jobs first: their Pods go with them, with or without an operator.
    tools.kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait")
    release.Release(tools, OPERATOR_NAMESPACE, (NAMESPACE,)).uninstall()
    tools.kubectl("delete", "namespace", OPERATOR_NAMESPACE, "--ignore-not-found", "--wait")
    tools.kubectl("delete", "-f", release.PROMETHEUS_MANIFEST, "--ignore-not-found", "--wait")
