"""The demo on a cluster of the user's: what it installs there, and how it removes it again.

Everything has the demo's own names, so that nothing of the user's is changed or removed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import yaml

from cluster.release import CHART, TRAINER_IMAGE
from cluster.tools import CommandError, call

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RELEASE = "tuning-demo"
NAMESPACE = "tuning-demo"
OPERATOR_NAMESPACE = "tuning-demo-system"
LABEL, OURS = "app.kubernetes.io/managed-by", "tuning-operator-demo"
DEFINITIONS = "tuningjobs.tuning-operator.dev"
TIMEOUT = "180s"


@dataclass(frozen=True)
class UserCluster:
    """A cluster that the user's kubeconfig names, by the user's own kubectl and helm.

    Attributes:
        context: Of the kubeconfig.
        registry: What the images' names begin with, as in `make release`.
        version: The images' tag.
        prometheus: The image of the bundled Prometheus; empty for the chart's own.
    """

    context: str
    registry: str
    version: str
    prometheus: str = ""

    def kubectl(self, *words: str | Path, stdin: str | None = None) -> str:
        """Run kubectl in the context and return its output; raises `CommandError`."""
        return call("kubectl", "--context", self.context, *words, stdin=stdin)

    def helm(self, *words: str | Path) -> str:
        """Run helm in the context and return its output; raises `CommandError`."""
        return call("helm", "--kube-context", self.context, *words)

    def plan(self, example: str) -> Iterator[str]:
        """Yield what the demo of an example's manifests would do, a line each."""
        yield f"the namespaces {NAMESPACE} and {OPERATOR_NAMESPACE}"
        parts = f"the operator ({self._image('operator')}), a Prometheus without storage, roles and admission policies"
        yield f"the Helm release {RELEASE} in {OPERATOR_NAMESPACE}: {parts}"
        if self._installs_definitions():
            yield "the resource definitions tuningjobs and tuningtrials, which stay when the demo is removed"
        for manifest in yaml.safe_load_all(example):
            if manifest["kind"] == "PersistentVolumeClaim":
                storage = manifest["spec"]["resources"]["requests"]["storage"]
                yield f"a claim in {NAMESPACE} for a volume of {storage}, of the default storage class"
        yield f"a job in {NAMESPACE}: 20 trials on CPUs, two at a time ({self._image('trainer')})"

    def install(self) -> None:
        """Install the operator with a bundled Prometheus, or bring it up to date."""
        for name in (NAMESPACE, OPERATOR_NAMESPACE):
            self._create_namespace(name)
        values = {
            "watchNamespaces": f"{{{NAMESPACE}}}",
            "prometheus.bundled": "true",
            "image.repository": f"{self.registry}/operator",
            "image.tag": self.version,
            "crds.install": str(self._installs_definitions()).lower(),
        }
        if self.prometheus:
            values["prometheus.bundledImage"] = self.prometheus
        settings = (word for name, value in values.items() for word in ("--set", f"{name}={value}"))
        where = ("--namespace", OPERATOR_NAMESPACE)
        self.helm("upgrade", "--install", RELEASE, CHART, *where, "--wait", "--timeout", TIMEOUT, *settings)

    def adapted(self, example: str) -> str:
        """Return an example's manifests with the release's image, and without the GPU that the job asks for."""
        *others, job = yaml.safe_load_all(example.replace(TRAINER_IMAGE, self._image("trainer")))
        (container,) = job["spec"]["template"]["spec"]["containers"]
        del container["resources"]["limits"]["nvidia.com/gpu"]
        return yaml.safe_dump_all([*others, job])

    def uninstall(self) -> None:
        """Remove the jobs and the operator; the resource definitions stay, as other jobs may need them."""
        ours = [name for name in (NAMESPACE, OPERATOR_NAMESPACE) if self._owner(name) == OURS]
        if NAMESPACE in ours:  # the jobs first: their Pods go with them, with or without an operator
            self.kubectl("delete", "namespace", NAMESPACE, "--wait")
        if OPERATOR_NAMESPACE in ours:
            self.helm("uninstall", RELEASE, "--namespace", OPERATOR_NAMESPACE, "--ignore-not-found", "--wait")
            self.kubectl("delete", "namespace", OPERATOR_NAMESPACE, "--wait")

    def _image(self, name: str) -> str:
        return f"{self.registry}/{name}:{self.version}"

    def _installs_definitions(self) -> bool:
        """Whether the resource definitions are missing, or an earlier demo's; others are left alone."""
        annotation = "{.metadata.annotations.meta\\.helm\\.sh/release-name}"
        found = self.kubectl("get", "crd", DEFINITIONS, "--ignore-not-found", "-o", f"jsonpath=x{annotation}")
        return found in {"", f"x{RELEASE}"}

    def _owner(self, namespace: str) -> str | None:
        """Return who made a namespace, empty if nobody says so; None if there is no such namespace."""
        label = LABEL.replace(".", "\\.")
        found = self.kubectl(
            "get", "namespace", namespace, "--ignore-not-found", "-o", f"jsonpath=x{{.metadata.labels.{label}}}"
        )
        return found[1:] if found else None

    def _create_namespace(self, name: str) -> None:
        owner = self._owner(name)
        if owner is None:
            labels = {LABEL: OURS, "pod-security.kubernetes.io/enforce": "restricted"}
            body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
            self.kubectl("create", "-f", "-", stdin=yaml.safe_dump(body))
        elif owner != OURS:
            raise CommandError(f"the namespace {name} exists and is not the demo's: delete or rename it first")
