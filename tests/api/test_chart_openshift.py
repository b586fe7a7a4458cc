"""OpenShift gives each namespace its own user ids: the chart names none there, and elsewhere always the same."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.chart import CHART, of_kind, render

pytestmark = pytest.mark.api

IDS = {"runAsUser", "runAsGroup", "fsGroup"}


def security_contexts(*flags: str) -> list[dict[str, Any]]:
    objects = render({"prometheus": {"bundled": True}}, CHART, *flags)
    pods = [body["spec"] for body in of_kind(objects, "Pod")]
    pods += [body["spec"]["template"]["spec"] for body in of_kind(objects, "Deployment")]
    assert len(pods) == 3
    return [pod["securityContext"] for pod in pods]


def test_the_platform_chooses_the_ids_on_openshift() -> None:
    for context in security_contexts("--api-versions=security.openshift.io/v1"):
        assert context == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}


def test_elsewhere_they_are_fixed() -> None:
    assert [{name: context[name] for name in IDS} for context in security_contexts()] == [dict.fromkeys(IDS, 65532)] * 3
