"""What the tests of the running operator share: the operator as a process, a job's manifest, waiting."""

from __future__ import annotations

import sys
import urllib.request
from typing import TYPE_CHECKING, Any

from cluster.api import Api, answers
from cluster.ports import free_ports
from cluster.process import Process, start_on_free_ports
from cluster.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from cluster.zygote import Child, Zygote

GROUP = "/apis/tuning-operator.dev/v1alpha1"
METRIC = "validation:accuracy"


def operator_process(
    kubeconfig: Path,
    namespaces: Sequence[str],
    prometheus_url: str,
    log: Path,
    *flags: str,
    zygote: Zygote | None = None,
    checkout: Path | None = None,
) -> Process:
    """The operator as a separate process; the caller starts and stops it.

    With a zygote it starts at once. With a checkout of the project, it is that checkout's operator, in that checkout's
    environment if there is one.
    """
    metrics, health = free_ports(2)
    arguments = [
        f"--namespaces={','.join(namespaces)}",
        f"--prometheus-url={prometheus_url}",
        f"--metrics-port={metrics}",
        f"--health-port={health}",
        "--poll-interval=0.5",
        "--log-format=plain",
        *flags,
    ]

    def ready() -> bool:
        return answers(f"http://127.0.0.1:{health}/healthz")

    if zygote is not None:
        return _Forked(zygote, arguments, kubeconfig, log, ready)
    python, variables = sys.executable, [f"KUBECONFIG={kubeconfig}"]
    if checkout is not None:
        own = checkout / ".venv" / "bin" / "python"
        python = str(own) if own.exists() else python
        variables.append(f"PYTHONPATH={checkout / 'operator' / 'src'}")
    command = ["/usr/bin/env", *variables, python, "-m", "tuning_operator", *arguments]
    return Process("operator", command, log, ready)


def start_operator(
    kubeconfig: Path,
    namespaces: Sequence[str],
    prometheus_url: str,
    log: Path,
    *flags: str,
    zygote: Zygote | None = None,
    checkout: Path | None = None,
) -> Process:
    """The operator as `operator_process` describes it, started; the caller stops it."""
    return start_on_free_ports(
        lambda: operator_process(kubeconfig, namespaces, prometheus_url, log, *flags, zygote=zygote, checkout=checkout)
    )


class _Forked(Process):
    def __init__(
        self, zygote: Zygote, arguments: Sequence[str], kubeconfig: Path, log: Path, ready: Callable[[], bool]
    ) -> None:
        super().__init__("operator", arguments, log, ready)
        self._zygote, self._kubeconfig = zygote, kubeconfig

    def _launch(self) -> Child:
        return self._zygote.fork(self.command, self._kubeconfig, self.log)


def metrics_page(operator: Process) -> str:
    """What the operator tells of itself."""
    return _get(operator, "metrics", "/metrics")


def metrics_url(operator: Process) -> str:
    """Where it tells it."""
    return _url(operator, "metrics", "/metrics")


def is_healthy(operator: Process) -> bool:
    """Whether its probe says so."""
    return answers(_url(operator, "health", "/healthz"))


def _get(operator: Process, port: str, path: str) -> str:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(_url(operator, port, path), timeout=10) as answer:
        text: str = answer.read().decode()
    return text


def _url(operator: Process, port: str, path: str) -> str:
    flag = f"--{port}-port="
    (number,) = (word.removeprefix(flag) for word in operator.command if word.startswith(flag))
    return f"http://127.0.0.1:{number}{path}"


def job_manifest(namespace: str, name: str = "job", **spec: Any) -> dict[str, Any]:
    """A job whose Pods are played by the tests; `spec` replaces fields of its specification."""
    return {
        "apiVersion": "tuning-operator.dev/v1alpha1",
        "kind": "HyperparameterTuningJob",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "strategy": "Random",
            "seed": 7,
            "objective": {"metric": METRIC, "goal": "Maximize"},
            "parameters": [{"name": "x", "continuous": {"min": 0.0, "max": 1.0}}],
            "limits": {"maxTrials": 6, "maxParallelTrials": 2},
            "template": {"spec": {"containers": [{"name": "training", "image": "example.invalid/training"}]}},
            **spec,
        },
    }


class Cluster:
    """Shorthand for what tests ask the API server."""

    def __init__(self, kubeconfig: Path, namespace: str) -> None:
        self.api = Api(kubeconfig)
        self.kubeconfig = kubeconfig
        self.namespace = namespace

    def apply(self, manifest: dict[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = self.api.call("POST", f"{GROUP}/namespaces/{self.namespace}/tuningjobs", manifest)
        return answer

    def job(self, name: str = "job") -> dict[str, Any]:
        answer: dict[str, Any] = self.api.call("GET", f"{GROUP}/namespaces/{self.namespace}/tuningjobs/{name}")
        return answer

    def jobs(self) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = self.api.call("GET", f"{GROUP}/namespaces/{self.namespace}/tuningjobs")["items"]
        return items

    def patch_job(self, patch: dict[str, Any], name: str = "job") -> None:
        path = f"{GROUP}/namespaces/{self.namespace}/tuningjobs/{name}"
        self.api.call("PATCH", path, patch, kind="application/merge-patch+json")

    def delete_job(self, name: str = "job") -> None:
        self.api.call("DELETE", f"{GROUP}/namespaces/{self.namespace}/tuningjobs/{name}")

    def trials(self) -> list[dict[str, Any]]:
        answer = self.api.call("GET", f"{GROUP}/namespaces/{self.namespace}/tuningtrials")
        return sorted(answer["items"], key=lambda item: str(item["metadata"]["name"]))

    def pods(self) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = self.api.call("GET", f"/api/v1/namespaces/{self.namespace}/pods")["items"]
        return items

    def events(self) -> list[dict[str, Any]]:
        path = f"/apis/events.k8s.io/v1/namespaces/{self.namespace}/events"
        items: list[dict[str, Any]] = self.api.call("GET", path)["items"]
        return items

    def condition(self, kind: str, name: str = "job") -> dict[str, Any]:
        conditions = self.job(name).get("status", {}).get("conditions", ())
        return next((item for item in conditions if item["type"] == kind), {})

    def wait_for_phase(self, *phases: str, name: str = "job", seconds: float = 90) -> dict[str, Any]:
        def reached() -> dict[str, Any] | None:
            job = self.job(name)
            return job if job.get("status", {}).get("phase") in phases else None

        return wait_until(
            reached, f"job {name} is {' or '.join(phases)}", seconds, lambda: self.job(name).get("status")
        )
