"""The quick start as a new user runs it: the chart with its bundled Prometheus, and the first job as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from cluster.jobs import Namespace
from cluster.release import PROMETHEUS_IMAGE, ROOT, Release, create_namespaces

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cluster.tools import Tools

pytestmark = pytest.mark.e2e

JOB, TRIALS, EPOCHS = "quickstart", 12, 15


@pytest.fixture(scope="module")
def quickstart(tools: Tools) -> Iterator[tuple[Namespace, dict[str, Any]]]:
    """The first job after its end, and its status; the namespace lets no Pod do more than `restricted` does."""
    release = Release(tools, "quickstart-system", ("quickstart",), name="quickstart")
    namespace = Namespace(tools, "quickstart")
    try:
        create_namespaces(tools, namespace.name, enforce="restricted")
        bundled = {"url": "", "bundled": "true", "bundledImage": PROMETHEUS_IMAGE}
        release.install({f"prometheus.{name}": value for name, value in bundled.items()})
        namespace.kubectl("apply", "-f", str(ROOT / "examples" / "quickstart.yaml"))
        yield namespace, namespace.wait_for_end(JOB)
    finally:
        release.uninstall()
        for name in (release.namespace, namespace.name):
            tools.kubectl("delete", "namespace", name, "--wait=false", "--ignore-not-found")


def test_it_completes_with_a_good_network(quickstart: tuple[Namespace, dict[str, Any]]) -> None:
    _, status = quickstart
    assert (status["phase"], status["progress"]) == ("Completed", f"{TRIALS}/{TRIALS}")
    assert float(status["bestTrial"]["objective"]) > 0.8, "half is what guessing gets"


def test_the_bundled_prometheus_saw_the_curves(quickstart: tuple[Namespace, dict[str, Any]]) -> None:
    namespace, _ = quickstart
    seen = [trial for trial in namespace.trials(JOB) if trial["status"]["phase"] in {"Completed", "EarlyStopped"}]
    assert len(seen) == TRIALS
    curves = [trial["status"]["curve"]["epochs"] for trial in seen if trial["status"]["phase"] == "Completed"]
    assert curves == [list(range(1, EPOCHS + 1))] * len(curves)
    found = namespace.tools.kubectl(
        "get",
        "--raw",
        "/api/v1/namespaces/quickstart-system/services/quickstart-tuning-operator-prometheus:web/proxy"
        "/api/v1/query?query=count(last_over_time(tuning_epochs_completed%5B15m%5D))",
    )
    assert f'"{TRIALS}"' in found


def test_helm_test_passes(quickstart: tuple[Namespace, dict[str, Any]]) -> None:
    namespace, _ = quickstart
    said = namespace.tools.helm("test", "quickstart", "--namespace", "quickstart-system", "--logs", "--timeout", "60s")
    assert "it answers queries" in said
