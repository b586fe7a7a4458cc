"""Checkpoints outlive the Pod, and stay those of their trial."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.unit.api.templates import SPACE, TRIAL, environment, template
from tests.unit.builders import job
from tuning_operator.api.pods import build_pod


def with_volume(volume: dict[str, Any], **mount: Any) -> dict[str, Any]:
    made = template(volumeMounts=[{"name": "kept", "mountPath": "/checkpoints"} | mount])
    made["spec"]["volumes"] = [{"name": "kept"} | volume]
    return made


CLAIM = {"persistentVolumeClaim": {"claimName": "kept"}}


@pytest.mark.parametrize(
    "given",
    [
        with_volume(CLAIM),
        with_volume(CLAIM, subPathExpr="$(TUNING_TRIAL)-$(TUNING_SEED)"),
        with_volume(CLAIM, mountPath="/"),
        with_volume({"nfs": {"server": "files", "path": "/"}}, mountPath="/checkpoints/"),
    ],
)
def test_a_training_learns_where_its_checkpoints_stay(given: dict[str, Any]) -> None:
    pod = build_pod(job(space=SPACE, checkpoint_dir="/checkpoints"), given, TRIAL)
    assert environment(pod)["TUNING_CHECKPOINT_DIR"] == f"/checkpoints/job-0003-{TRIAL.uid[:8]}"


def test_a_trial_does_not_find_the_checkpoints_of_its_namesake() -> None:
    """A job that is deleted and created again has the same names, and with a seed of its own the same seeds."""
    again = replace(TRIAL, uid="7d1cbb3e-0000-4000-8000-000000000000")
    pods = [
        build_pod(job(space=SPACE, checkpoint_dir="/checkpoints"), with_volume(CLAIM), each) for each in (TRIAL, again)
    ]
    assert len({environment(pod)["TUNING_CHECKPOINT_DIR"] for pod in pods}) == 2


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (template(), "is not on a volume"),
        (with_volume(CLAIM, mountPath="/check"), "is not on a volume"),
        (with_volume(CLAIM, mountPath="/checkpoints/deeper"), "is not on a volume"),
        (with_volume({"emptyDir": {}}), "is on volume kept, whose emptyDir is deleted with the Pod"),
        (with_volume({"ephemeral": {"volumeClaimTemplate": {}}}), "whose ephemeral is deleted with the Pod"),
        (with_volume({"configMap": {"name": "x"}}), "is on volume kept, which is read-only"),
        (with_volume(CLAIM, readOnly=True), "is on volume kept, which is read-only"),
    ],
)
def test_checkpoints_that_would_be_lost_are_refused(given: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=r"spec\.checkpointDir: /checkpoints of container train .*") as caught:
        build_pod(job(space=SPACE, checkpoint_dir="/checkpoints"), given, TRIAL)
    assert words in str(caught.value)
    assert "mount a volume there that outlives the Pod" in str(caught.value)


def test_the_volume_that_counts_is_the_one_mounted_closest() -> None:
    given = with_volume(CLAIM)
    given["spec"]["containers"][0]["volumeMounts"].insert(0, {"name": "tmp", "mountPath": "/"})
    given["spec"]["volumes"].append({"name": "tmp", "emptyDir": {}})
    assert build_pod(job(space=SPACE, checkpoint_dir="/checkpoints"), given, TRIAL)
