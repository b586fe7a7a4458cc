"""Two Pods train one network over gloo: examples/nodes.yaml, shortened."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import yaml

from cluster.release import ROOT

if TYPE_CHECKING:
    from cluster.jobs import Namespace

pytestmark = pytest.mark.e2e

JOB, EPOCHS = "together", 2


def test_two_pods_find_each_other_and_train_one_network(namespace: Namespace) -> None:
    manifest = yaml.safe_load((ROOT / "examples" / "nodes.yaml").read_text())
    manifest["metadata"]["name"] = JOB
    manifest["spec"]["limits"] = {"maxTrials": 1}
    manifest["spec"]["staticParameters"] |= {"epochs": str(EPOCHS), "num_training_samples": "2000"}
    (container,) = manifest["spec"]["template"]["spec"]["containers"]
    container["resources"]["requests"]["cpu"] = "100m"  # both fit beside whatever else runs on a node of two cores
    namespace.apply(manifest)
    namespace.wait_for_end(JOB)
    (trial,) = (each["status"] for each in namespace.trials(JOB))
    assert (trial["phase"], trial["attempt"]) == ("Completed", 1)
    assert trial["curve"]["epochs"] == list(range(1, EPOCHS + 1))
    pods = sorted(pod["metadata"]["name"] for pod in namespace.pods())
    assert [name.removeprefix(f"{JOB}-0001-1-")[0] for name in pods] == ["0", "1"]
    logs = [namespace.kubectl("logs", name).splitlines() for name in pods]
    for rank, log in enumerate(logs, start=1):
        assert log[0].endswith(f"process {rank} of 2"), "they have met: until then neither says a word"
    first, second = ([line.split(" (")[0] for line in log if f" of {EPOCHS}:" in line] for log in logs)
    assert first == second, "sums over both are the same in both"
    assert len(first) == EPOCHS
