"""Jobs that wait for quota: whoever was refused first is first, within seconds of its return."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from cluster.operators import job_manifest, metrics_page
from cluster.played_kubelet import Training
from cluster.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.api.operator.conftest import Lab

pytestmark = pytest.mark.api

ONE = {"maxTrials": 1, "maxParallelTrials": 1}
REFUSALS = 6
"""By then the pauses have grown to the longest here; by default they would grow to a minute."""
SECONDS = 8
"""The longest pause of the first in line, and time for a busy machine."""


def short(_parameters: Mapping[str, Any], _pod: str) -> Training:
    return Training((0.5, 0.6))


def refusals(lab: Lab) -> float:
    families = text_string_to_metric_families(metrics_page(lab.operator))
    samples = [sample for family in families for sample in family.samples if sample.name.endswith("api_errors_total")]
    return sum(sample.value for sample in samples if sample.labels["kind"] == "QuotaExceeded")


def made(lab: Lab) -> dict[str, str]:
    """When the trials' Pods were made."""
    return {
        pod["metadata"]["name"]: pod["metadata"]["creationTimestamp"]
        for pod in lab.cluster.pods()
        if "ownerReferences" in pod["metadata"]
    }


def waits(lab: Lab, job: str) -> bool:
    return bool(lab.cluster.condition("QuotaExceeded", job).get("status") == "True")


def has_pod(lab: Lab, job: str) -> bool:
    return f"{job}-0001-1" in made(lab)


def test_quota_that_becomes_free_is_used_within_seconds_and_in_order(start_lab: Callable[..., Lab]) -> None:
    lab = start_lab(short, trials=1, attempts=1)
    cluster, path = lab.cluster, f"/api/v1/namespaces/{lab.namespace}"
    hard = {"hard": {"pods": "1"}}
    cluster.api.call(
        "POST",
        f"{path}/resourcequotas",
        {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "one"}, "spec": hard},
    )
    container = {"name": "x", "image": "example.invalid/x", "env": [{"name": "HYPERPARAMETERS", "value": "{}"}]}
    other = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "other"}}
    other["spec"] = {"containers": [container], "schedulingGates": [{"name": "example.invalid/wait"}]}
    wait_until(lambda: cluster.api.call("GET", f"{path}/resourcequotas/one").get("status", {}).get("hard"), "it counts")
    cluster.api.call("POST", f"{path}/pods", other)
    for name in ("b", "c", "a"):
        cluster.apply(job_manifest(lab.namespace, name, limits=ONE))
        wait_until(partial(waits, lab, name), "it waits")
    wait_until(lambda: refusals(lab) >= 3 * REFUSALS, "their pauses have grown", 60, lambda: refusals(lab))
    assert made(lab) == {}
    cluster.api.call("DELETE", f"{path}/pods/other", {"gracePeriodSeconds": 0})
    wait_until(lambda: "b-0001-1" in made(lab), "the quota is used", SECONDS, lambda: made(lab))
    for name in ("b", "c", "a"):
        wait_until(partial(has_pod, lab, name), "the next one follows", SECONDS, lambda: made(lab))
        cluster.wait_for_phase("Completed", name=name)
    order = sorted(made(lab), key=lambda name: (made(lab)[name], "bca".index(name[0])))
    assert order == ["b-0001-1", "c-0001-1", "a-0001-1"]
