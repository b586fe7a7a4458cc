"""Users and trainers who mean harm: what they do stays with their own jobs."""

from __future__ import annotations

import json
import re
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest

from cluster.operators import GROUP, job_manifest
from cluster.played_kubelet import Training
from cluster.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cluster.api import Api
    from tests.api.operator.conftest import Lab

pytestmark = pytest.mark.api

# The API server takes 10,000 levels in all; the others are too much for Python in one place or another.
DEPTHS = {
    "deepest": ("[", "]", 9_990),
    "deep": ('{"a":', "}", 1_500),
    "half": ('{"a":', "}", 500),
    "third": ("[", "]", 350),
}


def short(_parameters: Mapping[str, Any], _pod: str) -> Training:
    return Training((0.5, 0.6))


def raw(api: Api, path: str, body: str | None = None) -> str:
    """Send, or read, what neither `json` nor kubectl takes."""
    headers = {"Authorization": f"Bearer {api._token}", "Content-Type": "application/json"}
    request = urllib.request.Request(api.url + path, data=body.encode() if body else None, headers=headers)
    with api._opener.open(request, timeout=20) as answer:
        return str(answer.read().decode())


def test_jobs_that_are_nested_too_deeply_to_be_read_harm_themselves_alone(start_lab: Callable[..., Lab]) -> None:
    lab = start_lab(short, "--resync-interval=1", trials=2)
    jobs = f"{GROUP}/namespaces/{lab.namespace}/tuningjobs"
    for name, (before, after, depth) in DEPTHS.items():
        deep = job_manifest(lab.namespace, name)
        deep["spec"]["template"]["spec"]["affinity"] = "here"
        body = json.dumps(deep).replace('"here"', before * depth + "1" + after * depth)
        raw(lab.cluster.api, jobs, body)
    lab.cluster.apply(job_manifest(lab.namespace, limits={"maxTrials": 2}))
    lab.cluster.wait_for_phase("Completed", seconds=30)
    lab.operator.restart()

    def reasons() -> dict[str, list[str]]:
        found = {name: raw(lab.cluster.api, f"{jobs}/{name}") for name in DEPTHS}
        return {name: re.findall(r'"completionReason":"(\w+)"', text) for name, text in found.items()}

    expected = {name: ["InvalidTemplate"] for name in DEPTHS}
    wait_until(lambda: reasons() == expected, "they have failed for what they are", 30, reasons)
    assert lab.operator.alive
