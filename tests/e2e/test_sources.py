"""Trainings that are not changed: examples/log-file.yaml and those that bring the package, with the real images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import yaml

from cluster.release import OPERATOR_IMAGE, ROOT

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


def test_an_image_that_knows_nothing_of_us_reports_every_epoch(namespace: Namespace) -> None:
    """The operator's image stands for it: it has Python, and no trainer."""
    script, manifest = yaml.safe_load_all((ROOT / "examples" / "unmodified-image.yaml").read_text())
    script["data"]["train.py"] = script["data"]["train.py"].replace("time.sleep(1)", "time.sleep(0.2)")
    manifest["metadata"]["name"] = "job"
    manifest["spec"]["limits"] = {"maxTrials": 2, "maxParallelTrials": 2}
    manifest["spec"].pop("earlyStopping")
    (training,) = manifest["spec"]["template"]["spec"]["containers"]
    training["image"] = f"{OPERATOR_IMAGE}:dev"
    namespace.apply(script)
    namespace.apply(manifest)
    assert namespace.wait_for_end()["trialCounts"]["completed"] == 2
    for trial in namespace.trials():
        assert trial["status"]["curve"]["epochs"] == list(range(1, 11))
