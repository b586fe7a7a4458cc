"""Which admission policies the chart makes of its values, and what its notes say of the operator's namespace."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.api.chart import CHART, PROMETHEUS, helm, of_kind, render, values_flags
from tuning_operator.api import names

pytestmark = pytest.mark.api


@pytest.mark.parametrize(
    ("values", "selector"),
    [
        ({"watchNamespaces": ["team-a", "team-b"]}, {"operator": "In", "values": ["team-a", "team-b"]}),
        ({"clusterWide": True}, {"operator": "NotIn", "values": ["kube-system"]}),
    ],
)
def test_policies_about_everybody_hold_where_the_operator_watches(
    values: dict[str, Any], selector: dict[str, Any]
) -> None:
    """Where it does not, another release may, with another account."""
    policies = of_kind(render(values), "ValidatingAdmissionPolicy")
    named = {policy["metadata"]["name"].partition(".")[0]: policy["spec"]["matchConstraints"] for policy in policies}
    wanted = {"matchExpressions": [{"key": "kubernetes.io/metadata.name", **selector}]}
    assert {name: named[name]["namespaceSelector"] for name in ("identity", "templates")} == dict.fromkeys(
        ("identity", "templates"), wanted
    )


def test_each_policy_can_be_switched_off() -> None:
    def named(**policies: bool) -> set[str]:
        made = of_kind(render({"admissionPolicies": policies}), "ValidatingAdmissionPolicy")
        return {policy["metadata"]["name"].partition(".")[0] for policy in made}

    everything = {"identity", "pods", "services", "templates", "trials", "users"}
    assert named(identity=False) == everything - {"identity"}
    assert named(operator=False) == everything - {"pods", "services", "trials"}
    assert named(users=False) == everything - {"users", "templates"}
    assert named(hostAccess=True) == everything - {"templates"}
    objects = of_kind(render({"admissionPolicies": {"hostAccess": True}}), "ValidatingAdmissionPolicy")
    assert "access to their node" not in json.dumps(objects)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, "WARNING: this release watches its own namespace, here."),
        ({"watchNamespaces": ["team", "here"]}, "WARNING: this release watches its own namespace, here."),
        ({"watchNamespaces": ["team"]}, "Keep users out of the namespace here:"),
        ({"clusterWide": True}, "Keep users out of the namespace here:"),
    ],
)
def test_the_notes_say_who_may_use_the_operators_account(values: dict[str, Any], words: str) -> None:
    flags = values_flags(PROMETHEUS | values)
    notes = helm("install", "release", CHART, "--namespace=here", "--dry-run=client", *flags).partition("NOTES:")[2]
    assert words in notes
    assert "hoever may create Pods there can use the operator" in " ".join(notes.split())


def test_what_is_reserved_is_what_the_operator_sets() -> None:
    own = {
        value
        for name, value in vars(names).items()
        if name.startswith(("LABEL_", "ANNOTATION_")) and value.startswith(f"{names.GROUP}/")
    }
    (policy,) = (
        body
        for body in of_kind(render(), "ValidatingAdmissionPolicy")
        if body["metadata"]["name"].startswith("identity.")
    )
    (reserved,) = (variable["expression"] for variable in policy["spec"]["variables"] if variable["name"] == "reserved")
    assert set(re.findall(r"'([^']+)'", reserved)) == own | {names.LABEL_MANAGED_BY}
