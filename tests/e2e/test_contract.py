"""Any container that follows the documented metrics contract can be tuned, whatever it is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cluster.jobs import job_manifest

if TYPE_CHECKING:
    from cluster.jobs import Namespace

pytestmark = pytest.mark.e2e

PYTHON = """
import os, time
from prometheus_client import Gauge, start_http_server
value = Gauge("tuning_epoch_value", "Value of a metric at the end of an epoch.", ["metric", "epoch"])
start_http_server(int(os.environ["TUNING_METRICS_PORT"]))
for epoch in range(6):
    time.sleep(1)
    value.labels(os.environ["TUNING_OBJECTIVE_METRIC"], epoch).set(float(os.environ["HP_x"]) + epoch)
time.sleep(6)  # Prometheus takes up to 5 s to hear of a Pod
"""

# It knows that it has been scraped from the access log of its web server.
SHELL = r"""
mkdir /tmp/page && cd /tmp/page && touch metrics
python3 -m http.server "$TUNING_METRICS_PORT" 2>/tmp/access.log &
scrapes() { grep -c 'GET /metrics' /tmp/access.log || true; }  # grep fails on none
for epoch in 1 2 3 4 5; do
  sleep 0.5
  cp metrics next
  echo "tuning_epoch_value{metric=\"$TUNING_OBJECTIVE_METRIC\",epoch=\"$epoch\"} $epoch.$HP_units" >> next
  mv next metrics
done
before=$(scrapes)
until [ "$(scrapes)" -gt "$before" ]; do sleep 0.2; done
"""


def test_a_few_lines_of_python_and_a_shell_script_are_tuned(namespace: Namespace) -> None:
    """Neither writes a termination message: Prometheus is all that the operator has."""
    namespace.apply(job_manifest(name="python", command=["python", "-c", PYTHON]))
    namespace.apply(
        job_manifest(
            name="shell",
            command=["sh", "-euc", SHELL],
            parameters=[{"name": "units", "integer": {"min": 1, "max": 9}}],
        )
    )
    for job, first in (("python", 0), ("shell", 1)):
        status = namespace.wait_for_end(job)
        assert status["trialCounts"]["completed"] == 2, namespace.kubectl("get", "tuningtrials", "-o", "wide")
        for trial in namespace.trials(job):
            curve = trial["status"]["curve"]
            assert curve["epochs"] == list(range(first, 6))
            parameters = trial["spec"]["parameters"]
            expected = (
                [float(parameters["x"]) + epoch for epoch in range(6)]
                if job == "python"
                else [float(f"{epoch}.{parameters['units']}") for epoch in range(1, 6)]
            )
            assert [float(value) for value in curve["values"]] == pytest.approx(expected)
    messages = [
        state["terminated"].get("message")
        for pod in namespace.pods()
        for state in (pod["status"]["containerStatuses"][0]["state"],)
    ]
    assert messages == [None] * 4
