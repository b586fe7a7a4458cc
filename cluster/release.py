"""Installs the operator through its chart, and the small Prometheus that the demo and the tests read from."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from cluster.images import image_id

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cluster.tools import Tools

ROOT = Path(__file__).parents[1]
CHART = ROOT / "charts" / "tuning-operator"
PROMETHEUS_MANIFEST = Path(__file__).parent / "manifests" / "prometheus.yaml"
PROMETHEUS_NAMESPACE = "monitoring"
PROMETHEUS_URL = f"http://prometheus.{PROMETHEUS_NAMESPACE}:9090"
OPERATOR_IMAGE = "localhost/tuning-operator/operator"
TRAINER_IMAGE = "localhost/tuning-operator/trainer:dev"
SIDECAR_IMAGE = "localhost/tuning-operator/sidecar:dev"
PROMETHEUS_IMAGE = "localhost/tuning-operator/prometheus:dev"
LIGHTNING_IMAGE = "localhost/tuning-operator/lightning:dev"
TIMEOUT = "120s"


@dataclass(frozen=True)
class Release:
    """The operator as one Helm release.

    Attributes:
        tools: kubectl and helm.
        namespace: where the operator runs; of the restricted Pod security level.
        watched: namespaces whose jobs it runs.
        name: of the release.
        values: of the chart, at each installation.
    """

    tools: Tools
    namespace: str
    watched: tuple[str, ...]
    name: str = "tuning-operator"
    values: Mapping[str, str] = field(default_factory=dict)

    def install(self, values: Mapping[str, str] | None = None) -> None:
        """Install it, or upgrade it to these values as well, and wait until it is ready."""
        create_namespaces(self.tools, self.namespace, enforce="restricted")
        create_namespaces(self.tools, *self.watched)
        added = {**self.values, **(values or {})}
        # The definitions, which all releases of a cluster share, pass to the one that was installed last.
        self.tools.helm(
            "upgrade", "--install", self.name, CHART, "--namespace", self.namespace, "--take-ownership",
            "--wait", "--timeout", TIMEOUT,
            "--set", f"watchNamespaces={{{','.join(self.watched)}}}",
            "--set", f"prometheus.url={PROMETHEUS_URL}",
            "--set", f"image.repository={OPERATOR_IMAGE}",
            "--set", "image.tag=dev",
            "--set", f"settings.sidecarImage={SIDECAR_IMAGE}",
            # The tag stays the same when the image is rebuilt: this restarts the operator then, and only then.
            "--set-string", f"podAnnotations.image={image_id(f'{OPERATOR_IMAGE}:dev')}",
            *(word for name, value in added.items() for word in ("--set", f"{name}={value}")),
        )  # fmt: skip

    def uninstall(self) -> None:
        """Remove it; the definitions of the resources and the jobs stay."""
        self.tools.helm("uninstall", self.name, "--namespace", self.namespace, "--ignore-not-found", "--wait")


def create_namespaces(tools: Tools, *names: str, enforce: str = "") -> None:
    """Create the namespaces that are not there, with a Pod security level if one is named."""
    labels = f"labels: {{pod-security.kubernetes.io/enforce: {enforce}}}" if enforce else ""
    manifests = [f"apiVersion: v1\nkind: Namespace\nmetadata:\n  name: {name}\n  {labels}\n" for name in names]
    tools.kubectl("apply", "--server-side", "-f", "-", stdin="---\n".join(manifests))


def install_prometheus(tools: Tools, scrape_interval: str = "5s") -> None:
    """Start Prometheus in the cluster and wait until it is ready."""
    manifest = PROMETHEUS_MANIFEST.read_text().replace(": 5s", f": {scrape_interval}")
    tools.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=manifest)
    tools.kubectl(
        "rollout", "status", "deployment/prometheus", "--namespace", PROMETHEUS_NAMESPACE, f"--timeout={TIMEOUT}"
    )
