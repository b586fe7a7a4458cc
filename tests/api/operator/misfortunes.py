"""An operator to whose jobs everything happens at once, and the trainings that go wrong."""

from __future__ import annotations

import contextlib
import itertools
import threading
import urllib.error
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest

from cluster.api import Api
from cluster.operators import GROUP, METRIC, Cluster, job_manifest, start_operator
from cluster.played_kubelet import NEVER, Kubelet, Training
from cluster.prometheus import Prometheus
from cluster.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cluster.controlplane import ControlPlane
    from cluster.process import Process
    from cluster.zygote import Zygote

SCHEMA_UPGRADED, POLICY_MADE, QUOTA_SEEN = (threading.Event() for _ in range(3))
GRACE_SECONDS = 2
EPOCHS = 12
NORMAL = Training(tuple(epoch / 100 for epoch in range(1, EPOCHS + 1)), epoch_seconds=0.1)
ENDLESS = replace(NORMAL, until=NEVER)
SILENT = replace(ENDLESS, page="", message="")
OOM = replace(NORMAL, values=NORMAL.values[:3], exit_code=137, reason="OOMKilled")
CRASH = replace(NORMAL, values=(), exit_code=1, message="Traceback (most recent call last):\nValueError: no data")
OTHER_METRIC = '{"epochs": [1], "metrics": {"accuracy": [0.5]}, "completed": 1}'


def page(*pairs: tuple[int, float], metric: str = METRIC) -> str:
    return "".join(f'tuning_epoch_value{{metric="{metric}",epoch="{epoch}"}} {value}\n' for epoch, value in pairs)


# The trainings of a job's Pods, in the order of their creation; the last one is that of all that follow.
TRAININGS: dict[str, list[Training]] = {
    "evicted": [ENDLESS, NORMAL],
    "pressure": [ENDLESS, NORMAL],
    "preempted": [ENDLESS, NORMAL],
    "lost": [ENDLESS, NORMAL],
    "oom": [OOM, NORMAL],
    "hopeless": [CRASH],
    "broken": [CRASH],
    "unpullable": [replace(NORMAL, obstacle="ImagePullBackOff")],
    "no-gpu": [replace(NORMAL, obstacle="Unschedulable")],
    "silent": [SILENT],
    "diverged": [replace(NORMAL, values=(0.5, float("nan"), float("nan")))],
    "unordered": [replace(NORMAL, page=page((3, 0.3), (1, 0.1), (2, 0.2)), message="", waits_for_scrape=True)],
    "garbage": [replace(NORMAL, page="\x00\xff{}{]\n# nonsense", message="\x7f{'epochs': [" * 50)],
    "renamed": [replace(NORMAL, page=page((1, 0.5), metric="accuracy"), message=OTHER_METRIC)],
    "mute": [replace(NORMAL, values=())],
    "stubborn": [replace(ENDLESS, lingers_seconds=4)],
    "fast-clock": [replace(NORMAL, clock_ahead=600)],
    "slow-clock": [replace(ENDLESS, clock_ahead=-600), replace(NORMAL, clock_ahead=-600)],
    "again": [replace(ENDLESS, lingers_seconds=2), NORMAL],
    "upgraded": [replace(NORMAL, until=SCHEMA_UPGRADED)],
    "calm": [NORMAL],
    "policed": [replace(NORMAL, until=POLICY_MADE), NORMAL],
    "waiting": [replace(NORMAL, values=(0.5,) * 50, until=QUOTA_SEEN), NORMAL],
    "doomed": [ENDLESS],
}
SPECS: dict[str, dict[str, Any]] = {
    "oom": {"retry": {"maxAttempts": 2}},
    "hopeless": {"retry": {"maxAttempts": 2}, "limits": {"maxTrials": 3, "maxFailedTrials": 1}},
    "broken": {"limits": {"maxTrials": 20, "maxParallelTrials": 2}},
    "unpullable": {"retry": {"maxAttempts": 2}},
    "silent": {"metrics": {"startDeadline": "2s"}},
    "calm": {"metrics": {"startDeadline": "1m"}, "retry": {"maxAttempts": 3}},
    "policed": {"limits": {"maxTrials": 2}},
    "waiting": {"limits": {"maxTrials": 2, "maxParallelTrials": 2}},
}
NAMESPACES = {"policed": "policed", "waiting": "full", "doomed": "doomed", "forbidden": "restricted"}
RESTRICTED = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}}


@dataclass
class Lab:
    """The operator with its namespaces, and what tests ask about their jobs."""

    api: Api
    clusters: dict[str, Cluster]
    kubelet: Kubelet
    prometheus: Prometheus
    operator: Process

    def cluster(self, job: str) -> Cluster:
        return self.clusters[NAMESPACES.get(job, "jobs")]

    def apply(self, job: str) -> None:
        cluster = self.cluster(job)
        cluster.apply(job_manifest(cluster.namespace, job, **({"limits": {"maxTrials": 1}} | SPECS.get(job, {}))))

    def trial(self, job: str, number: int = 1) -> dict[str, Any]:
        """The status of one of its trials; empty before there is one."""
        path = f"{GROUP}/namespaces/{self.cluster(job).namespace}/tuningtrials/{job}-{number:04d}"
        with contextlib.suppress(urllib.error.HTTPError):
            status: dict[str, Any] = self.api.call("GET", path).get("status", {})
            return status
        return {}

    def end(self, job: str) -> dict[str, Any]:
        """The status of its first trial, once the job has ended."""
        self.cluster(job).wait_for_phase("Completed", "Failed", name=job, seconds=120)
        return self.trial(job)

    def pod(self, job: str, attempt: int = 1) -> str:
        return f"/api/v1/namespaces/{self.cluster(job).namespace}/pods/{job}-0001-{attempt}"

    def runs(self, job: str) -> list[str]:
        return sorted(run.name for run in self.kubelet.runs.values() if run.name.rsplit("-", 2)[0] == job)


@pytest.fixture(scope="module")
def lab(control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory, zygote: Zygote) -> Iterator[Lab]:
    folder, api = tmp_path_factory.mktemp("failures"), Api(control_plane.kubeconfig)
    names = {name: control_plane.create_namespace(f"failures-{name}") for name in ("jobs", *NAMESPACES.values())}
    api.call("PATCH", f"/api/v1/namespaces/{names['restricted']}", RESTRICTED, kind="application/merge-patch+json")
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "one"}, "spec": {"hard": {"pods": "1"}}}
    api.call("POST", f"/api/v1/namespaces/{names['full']}/resourcequotas", quota)
    started: Counter[str] = Counter()

    def train(_parameters: Mapping[str, Any], pod: str) -> Training:
        job = pod.rsplit("-", 2)[0]
        trainings = TRAININGS[job]
        started[job] += 1
        return trainings[min(started[job], len(trainings)) - 1]

    with contextlib.ExitStack() as stack:
        kubelet = stack.enter_context(Kubelet(api, list(names.values()), train, poll_seconds=0.1))
        targets = [
            kubelet.target(f"{job}-{trial:04d}-{attempt}", names[NAMESPACES.get(job, "jobs")])
            for job, trial, attempt in itertools.product(TRAININGS, (1, 2), (1, 2))
        ]
        prometheus = stack.enter_context(Prometheus(folder / "prometheus", targets, scrape_interval=0.5))
        flags = (f"--image-pull-grace={GRACE_SECONDS}", "--resync-interval=5")
        operator = start_operator(
            control_plane.kubeconfig,
            list(names.values()),
            prometheus.url,
            folder / "operator.log",
            *flags,
            zygote=zygote,
        )
        stack.callback(operator.stop)
        clusters = {short: Cluster(control_plane.kubeconfig, name) for short, name in names.items()}
        here = Lab(api, clusters, kubelet, prometheus, operator)
        wait_until(
            lambda: api.call("GET", f"/api/v1/namespaces/{names['full']}/resourcequotas/one").get("status"), "a quota"
        )
        for job in (*TRAININGS, "forbidden"):
            here.apply(job)
        yield here
