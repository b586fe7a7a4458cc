"""What the tests on the whole cluster share: the installed operator, a namespace with jobs, waiting."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from cluster.release import TRAINER_IMAGE
from cluster.waiting import wait_until

if TYPE_CHECKING:
    from cluster.release import Release
    from cluster.tools import Tools

GROUP = "/apis/tuning-operator.dev/v1alpha1"
OPERATOR_NAMESPACE = "e2e-system"
NAMESPACES = tuple(f"e2e-{number}" for number in range(1, 29))
METRIC = "validation:accuracy"

REPORTING_SCRIPT = """
import os, time
from tuning_trainer import report
for epoch in range(1, int(os.environ["HP_epochs"]) + 1):
    time.sleep(float(os.environ["HP_epoch_seconds"]))
    report(epoch, {"validation:accuracy": float(os.environ["HP_x"]) * epoch / 100})
"""
"""A training without a network: with three lines to report, as the trainer's documentation says."""


@dataclass(frozen=True)
class Operator:
    """The operator that the chart installed."""

    release: Release

    @property
    def selector(self) -> str:
        return f"app.kubernetes.io/name=tuning-operator,app.kubernetes.io/instance={self.release.name}"

    def pods(self) -> list[dict[str, Any]]:
        """Its Pods, none or one."""
        return items(self.release.tools, f"/api/v1/namespaces/{OPERATOR_NAMESPACE}/pods", self.selector)

    def kill(self) -> None:
        """End it at once, as the loss of its node would."""
        self._kubectl("delete", "pod", "-l", self.selector, "--grace-period=0", "--force")

    def scale(self, replicas: int) -> None:
        """Stop it for good, or start it again; waits until that is done."""
        self._kubectl("scale", f"deployment/{self.release.name}", f"--replicas={replicas}")
        if replicas == 0:
            wait_until(lambda: not self.pods(), "the operator has stopped")
        else:
            self.wait_until_ready()

    def wait_until_ready(self) -> None:
        self._kubectl("rollout", "status", f"deployment/{self.release.name}", "--timeout=120s")

    def logs(self) -> str:
        return "".join(
            self._kubectl("logs", pod["metadata"]["name"])
            for pod in self.pods()
            if pod["status"].get("phase") == "Running"
        )

    def metrics(self) -> str:
        """The page of its metrics."""
        path = f"/api/v1/namespaces/{OPERATOR_NAMESPACE}/services/{self.release.name}:metrics/proxy/metrics"
        return self.release.tools.kubectl("get", "--raw", path)

    def _kubectl(self, *words: str) -> str:
        return self.release.tools.kubectl("--namespace", OPERATOR_NAMESPACE, *words)


@dataclass(frozen=True)
class Namespace:
    """A namespace that the operator looks after, and its jobs."""

    tools: Tools
    name: str

    def apply(self, manifest: dict[str, Any]) -> None:
        self.kubectl("apply", "-f", "-", stdin=json.dumps(manifest))

    def job(self, name: str = "job") -> dict[str, Any]:
        found: dict[str, Any] = self.tools.api.call("GET", f"{GROUP}/namespaces/{self.name}/tuningjobs/{name}")
        return found

    def trials(self, job: str = "job") -> list[dict[str, Any]]:
        path = f"{GROUP}/namespaces/{self.name}/tuningtrials"
        found = items(self.tools, path, f"tuning-operator.dev/job={job}")
        return sorted(found, key=lambda trial: int(trial["spec"]["number"]))

    def pods(self) -> list[dict[str, Any]]:
        return items(self.tools, f"/api/v1/namespaces/{self.name}/pods")

    def phase(self, job: str = "job") -> str:
        return str((self.job(job).get("status") or {}).get("phase", ""))

    def wait_for_end(self, job: str = "job", seconds: float = 300) -> dict[str, Any]:
        """The job's status once it has ended."""
        wait_until(
            lambda: self.phase(job) in {"Completed", "Stopped", "Failed"},
            f"job {job} has ended",
            seconds,
            lambda: self.kubectl("get", "tuningjobs,tuningtrials,pods,events", "-o", "wide"),
        )
        status: dict[str, Any] = self.job(job)["status"]
        return status

    def kubectl(self, *words: str, stdin: str | None = None) -> str:
        return self.tools.kubectl("--namespace", self.name, *words, stdin=stdin)


def job_manifest(
    *,
    name: str = "job",
    command: list[str] | None = None,
    epochs: int = 4,
    epoch_seconds: float = 0.5,
    **spec: Any,
) -> dict[str, Any]:
    """A job of cheap trainings in the trainer's image; `spec` replaces fields of its specification."""
    container: dict[str, Any] = {
        "name": "training",
        "image": TRAINER_IMAGE,
        "command": command or ["python", "-c", REPORTING_SCRIPT],
        # Without a request a container gets what the rest of the machine leaves, which may be nothing for a while.
        "resources": {"requests": {"cpu": "100m"}},
    }
    return {
        "apiVersion": "tuning-operator.dev/v1alpha1",
        "kind": "HyperparameterTuningJob",
        "metadata": {"name": name},
        "spec": {
            "strategy": "Random",
            "seed": 7,
            "objective": {"metric": METRIC, "goal": "Maximize"},
            "parameters": [{"name": "x", "continuous": {"min": 0.0, "max": 1.0}}],
            "staticParameters": {"epochs": str(epochs), "epoch_seconds": str(epoch_seconds)},
            "limits": {"maxTrials": 2, "maxParallelTrials": 2},
            "template": {"spec": {"terminationGracePeriodSeconds": 5, "containers": [container]}},
            **spec,
        },
    }


def items(tools: Tools, path: str, selector: str = "") -> list[dict[str, Any]]:
    """The objects of a list; without kubectl, whose many starts would take the processor from the trainings."""
    query = f"?{urlencode({'labelSelector': selector})}" if selector else ""
    found: list[dict[str, Any]] = tools.api.call("GET", path + query)["items"]
    return found
