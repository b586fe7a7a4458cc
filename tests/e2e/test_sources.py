"""A training that only writes a log: examples/log-file.yaml, shortened, with the sidecar's real image."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import yaml

from cluster.release import ROOT

if TYPE_CHECKING:
    from cluster.jobs import Namespace

pytestmark = pytest.mark.e2e


def test_the_sidecar_reports_what_the_log_says(namespace: Namespace) -> None:
    manifest = yaml.safe_load((ROOT / "examples" / "log-file.yaml").read_text())
    manifest["metadata"]["name"] = "job"
    manifest["spec"]["limits"] = {"maxTrials": 2, "maxParallelTrials": 2}
    (script,) = manifest["spec"]["template"]["spec"]["containers"][0]["env"]
    script["value"] = script["value"].replace("time.sleep(1)", "time.sleep(0.2)")
    namespace.apply(manifest)
    assert namespace.wait_for_end()["trialCounts"]["completed"] == 2
    for trial in namespace.trials():
        status = trial["status"]
        assert status["curve"]["epochs"] == list(range(10)), "as the log states them"
        last = {metric["name"]: float(metric["value"]) for metric in status["metrics"]}
        assert last["validation:accuracy"] == float(status["objective"])
        assert last["train:accuracy"] == pytest.approx(float(status["objective"]) / 0.9, abs=1e-5)
