"""What is documented to be allowed is accepted, with the documented defaults, and understood by the operator."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from cluster.controlplane import KubectlError
from tests.api.crd_cases import good_job, load
from tuning_operator.api.job import parse_job

if TYPE_CHECKING:
    from cluster.controlplane import ControlPlane

pytestmark = pytest.mark.api

GOOD = load("good_jobs.yaml")


@pytest.mark.parametrize("case", GOOD, ids=lambda case: case["tries"].replace(" ", "-"))
def test_a_good_job_is_accepted_completed_with_defaults_and_understood(
    control_plane: ControlPlane, namespace: str, case: dict[str, Any]
) -> None:
    created = control_plane.kubectl(
        "create", "-n", namespace, "-o=json", "-f=-", stdin=json.dumps(good_job(case["patch"]))
    )
    job = json.loads(created)
    assert {field: job["spec"].get(field) for field in case["becomes"]} == case["becomes"]
    assert parse_job(job).job.name == job["metadata"]["name"]


@pytest.fixture(scope="module")
def edited_namespace(control_plane: ControlPlane) -> str:
    """Has the job with everything in it; edits are tried on it without being kept."""
    name = control_plane.create_namespace("edits")
    everything = next(case["patch"] for case in GOOD if case["tries"] == "everything")
    control_plane.kubectl("create", "-n", name, "-f=-", stdin=json.dumps(good_job(everything)))
    return name


@pytest.mark.parametrize("case", load("edits.yaml"), ids=lambda case: case["edit"].replace(" ", "-"))
def test_a_live_job_can_be_edited_where_it_is_documented_and_nowhere_else(
    control_plane: ControlPlane, edited_namespace: str, case: dict[str, Any]
) -> None:
    command = ["patch", "htj", "fashion", "-n", edited_namespace, "--dry-run=server", "--type=merge", "-o=json", "-p"]
    if "says" not in case:
        job = json.loads(control_plane.kubectl(*command, json.dumps(case["patch"])))
        assert parse_job(job).job.name == "fashion"
        return
    with pytest.raises(KubectlError) as refusal:
        control_plane.kubectl(*command, json.dumps(case["patch"]))
    assert [words for words in case["says"] if words not in str(refusal.value)] == [], str(refusal.value)


def test_what_was_left_out_cannot_be_added_later(control_plane: ControlPlane, namespace: str) -> None:
    control_plane.kubectl("create", "-n", namespace, "-f=-", stdin=json.dumps(good_job()))
    for field, value in {"seed": 7, "staticParameters": {"epochs": "10"}}.items():
        with pytest.raises(KubectlError, match=rf"spec\.{field}: Invalid value: .*is immutable"):
            control_plane.kubectl(
                "patch", "htj", "fashion", "-n", namespace, "--type=merge", "-p", json.dumps({"spec": {field: value}})
            )
