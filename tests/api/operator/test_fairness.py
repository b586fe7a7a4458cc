"""Many jobs in one namespace, and a canary in another."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from cluster.operators import Cluster, job_manifest, metrics_page
from cluster.played_kubelet import NEVER, Training
from cluster.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cluster.controlplane import ControlPlane
    from tests.api.operator.conftest import Lab

pytestmark = pytest.mark.api

HOGS = 120
RESYNCS = 5


def trains(_parameters: Mapping[str, Any], pod: str) -> Training:
    return Training((0.5, 0.6), until=NEVER if pod.startswith("clock") else None)


def passes(lab: Lab) -> float:
    families = text_string_to_metric_families(metrics_page(lab.operator))
    samples = [sample for family in families for sample in family.samples]
    return sum(sample.value for sample in samples if sample.name == "tuning_operator_reconcile_seconds_count")


def test_a_flood_of_suspended_jobs_delays_no_other_namespace_and_then_costs_nothing(
    start_lab: Callable[..., Lab], control_plane: ControlPlane, namespace: str
) -> None:
    """At twelve requests a second the flood takes the operator most of a minute, and the canary a few seconds."""
    hogs = control_plane.create_namespace(f"{namespace}-hogs")
    flags = (f"--namespaces={namespace},{hogs}", "--api-qps=12", "--api-burst=12", "--resync-interval=1")
    lab = start_lab(trains, *flags, trials=2, attempts=1)
    flood = Cluster(control_plane.kubeconfig, hogs)
    manifests = [job_manifest(hogs, f"hog-{number}", suspend=True) for number in range(HOGS)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(flood.apply, manifests))
    lab.cluster.apply(job_manifest(namespace, "job", limits={"maxTrials": 2, "maxParallelTrials": 2}))

    def settled() -> int:
        return sum(job.get("status", {}).get("phase") == "Suspended" for job in flood.jobs())

    lab.cluster.wait_for_phase("Completed", seconds=40)
    assert settled() < HOGS, "the flood was through before the canary: this test shows nothing"
    wait_until(lambda: settled() == HOGS, "all are suspended", 120, settled)

    lab.cluster.apply(job_manifest(namespace, "clock"))
    wait_until(lambda: running("clock", lab), "a job that each resync looks at", 60)
    before = passes(lab)
    wait_until(lambda: passes(lab) - before >= RESYNCS, "some resyncs are over", 60)
    assert passes(lab) - before < HOGS, "not one of them looked at the flood"


def running(job: str, lab: Lab) -> bool:
    return bool(lab.cluster.job(job).get("status", {}).get("trialCounts", {}).get("running") == 2)
