"""What the demo and the experiment do to the test cluster: install everything, and clear away an earlier job."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cluster import release

if TYPE_CHECKING:
    from cluster.tools import Tools

NAMESPACE = "demo"
OPERATOR_NAMESPACE = "tuning-system"


def install(tools: Tools) -> None:
    """Install Prometheus and the operator, or bring them up to date."""
    release.install_prometheus(tools)
    release.Release(tools, OPERATOR_NAMESPACE, (NAMESPACE,)).install()


def delete_job(tools: Tools, name: str) -> None:
    """Delete the job of an earlier run and wait until garbage collection has taken its trials and Pods away."""
    tools.kubectl("delete", "tuningjob", name, "--namespace", NAMESPACE, "--ignore-not-found")
    dependents = ("tuningtrials,pods", "--namespace", NAMESPACE, "--selector", f"tuning-operator.dev/job={name}")
    tools.kubectl("wait", "--for=delete", "--timeout=120s", *dependents)


def uninstall(tools: Tools) -> None:
    """Remove all of it, and the jobs; the definitions of the resources stay."""
    # The jobs first: their Pods go with them, with or without an operator.
    tools.kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait")
    release.Release(tools, OPERATOR_NAMESPACE, (NAMESPACE,)).uninstall()
    tools.kubectl("delete", "namespace", OPERATOR_NAMESPACE, "--ignore-not-found", "--wait")
    tools.kubectl("delete", "-f", release.PROMETHEUS_MANIFEST, "--ignore-not-found", "--wait")
