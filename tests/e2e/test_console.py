"""The console in the cluster: its image by the chart, a real job moving in a real browser, seen with the role view."""

from __future__ import annotations

import re
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from cluster.jobs import OPERATOR_NAMESPACE, job_manifest
from cluster.release import ROOT
from tests.console.browser import Visitor, chromium

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cluster.jobs import Namespace, Operator

pytestmark = pytest.mark.e2e

CONSOLE = {
    "console.enabled": "true",
    "console.image.repository": "localhost/tuning-operator/console",
    "console.image.tag": "dev",
}
SCRIPT = """
import os, time
from tuning_trainer import report
for epoch in range(1, 11):
    time.sleep(1)
    print(f"<b>epoch {epoch}</b>", flush=True)
    report(epoch, {"validation:accuracy": float(os.environ["HP_x"]) * epoch / 10})
"""


@pytest.fixture(scope="module")
def console(operator: Operator) -> Iterator[str]:
    """The console's address, by way of a forwarded port."""
    name = f"{operator.release.name}-console"
    operator.release.install(CONSOLE)
    tools = operator.release.tools
    tools.kubectl("rollout", "status", f"--namespace={OPERATOR_NAMESPACE}", f"deployment/{name}", "--timeout=120s")
    with forwarded(name) as address:
        yield address
    operator.release.install()


@contextmanager
def forwarded(service: str) -> Iterator[str]:
    command = [
        str(ROOT / "cluster" / "kubectl"),
        f"--namespace={OPERATOR_NAMESPACE}",
        "port-forward",
        f"service/{service}",
        ":80",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            found = re.search(r"127\.0\.0\.1:\d+", process.stdout.readline())
            assert found is not None
            yield f"http://{found[0]}"
        finally:
            process.terminate()


def test_a_job_is_followed_to_its_end_with_the_role_view(console: str, namespace: Namespace) -> None:
    namespace.kubectl("create", "serviceaccount", "viewer")
    namespace.kubectl(
        "create", "rolebinding", "viewer", "--clusterrole=view", f"--serviceaccount={namespace.name}:viewer"
    )
    token = namespace.kubectl("create", "token", "viewer").strip()
    limits = {"maxTrials": 3, "maxParallelTrials": 2}
    namespace.apply(job_manifest(command=["python", "-c", SCRIPT], limits=limits, strategy="Bayesian"))
    with chromium() as browser:
        visitor = Visitor(browser, console)
        page = visitor.page
        visitor.sign_in(token)
        expect(page.get_by_text('cannot list resource "tuningjobs"')).to_be_visible()
        visitor.go(f"#/ns/{namespace.name}/jobs/job")
        expect(page.locator(".slots")).to_contain_text("job-0001", timeout=90_000)
        expect(page.locator(".slots")).to_contain_text(re.compile(r"epoch [2-9]"), timeout=60_000)
        expect(page.locator(".page-head")).to_contain_text("Completed", timeout=120_000)
        expect(page.locator(".stats")).to_contain_text("3 / 3")
        visitor.go(f"#/ns/{namespace.name}/jobs/job/timeline")
        expect(page.get_by_text("TrialCompleted").first).to_be_visible()
        visitor.go(f"#/ns/{namespace.name}/trials/job-0001?view=log")
        expect(page.locator("pre")).to_contain_text("<b>epoch 10</b>")
        visitor.go(f"#/ns/{namespace.name}/trials/job-0001?view=pods")
        expect(page.get_by_text("ended with exit code 0")).to_be_visible()
        visitor.close()
