"""Every rule that a manifest can break is kept by the API server, in words that help."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from cluster.controlplane import KubectlError
from tests.api.crd_cases import good_job, load

if TYPE_CHECKING:
    from cluster.controlplane import ControlPlane

pytestmark = pytest.mark.api

TRIAL: dict[str, Any] = {
    "apiVersion": "tuning-operator.dev/v1alpha1",
    "kind": "TuningTrial",
    "metadata": {"name": "fashion-0001"},
    "spec": {"number": 1, "parameters": {"learning_rate": "0.01"}, "seed": 7},
}


@pytest.mark.parametrize("case", load("bad_jobs.yaml"), ids=lambda case: case["wrong"].replace(" ", "-"))
def test_a_bad_job_is_refused_in_words_that_name_field_and_remedy(
    control_plane: ControlPlane, case: dict[str, Any]
) -> None:
    with pytest.raises(KubectlError) as refusal:
        control_plane.kubectl("apply", "-f=-", stdin=json.dumps(good_job(case["patch"])))
    said = str(refusal.value)
    assert [words for words in case["says"] if words not in said] == [], said


def test_a_trial_that_is_recorded_cannot_be_rewritten(control_plane: ControlPlane, namespace: str) -> None:
    control_plane.kubectl("create", "-n", namespace, "-f=-", stdin=json.dumps(TRIAL))
    for patch in ({"parameters": {"learning_rate": "0.02"}}, {"parameters": {"more": "1"}}, {"seed": 8}, {"number": 2}):
        with pytest.raises(KubectlError, match=r"spec: Invalid value: .*is immutable.*create a new"):
            control_plane.kubectl(
                "patch", "tt", "fashion-0001", "-n", namespace, "--type=merge", "-p", json.dumps({"spec": patch})
            )


@pytest.mark.parametrize("spec", [{"number": 0}, {"parameters": {}}, {"parameters": {"lr": 0.1}}, {"seed": -1}])
def test_a_trial_that_says_nothing_is_refused(control_plane: ControlPlane, spec: dict[str, Any]) -> None:
    trial = {**TRIAL, "spec": TRIAL["spec"] | spec}
    with pytest.raises(KubectlError, match=rf"spec\.{next(iter(spec))}"):
        control_plane.kubectl("create", "-f=-", stdin=json.dumps(trial))
