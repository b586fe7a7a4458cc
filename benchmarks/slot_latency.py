"""How long a GPU waits for its next trial: `python -m benchmarks.slot_latency`, on the whole cluster.

Measures, over a job with the Bayesian strategy, the time from the end of a trial's Pod, as the API server shows it,
to the creation of the next Pod. The suggestion is computed in between. Both moments are those at which a watch
delivers them. What a GPU waits for is longer: from a training's last epoch to the first line of the next script. For
that the scripts print the time, since a kubelet states whole seconds.
"""

from __future__ import annotations

import argparse
import statistics
from typing import TYPE_CHECKING

from cluster import release
from cluster.jobs import REPORTING_SCRIPT, Namespace, job_manifest
from cluster.recorder import Recorder
from cluster.tools import Tools

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

NAMESPACE = "slot-latency"
OPERATOR_NAMESPACE = "slot-latency-system"
PARALLEL = 2
_SCRIPT = f"""
import time
print("started", time.time(), flush=True)
{REPORTING_SCRIPT}
print("reported", time.time(), flush=True)
"""


def main() -> None:
    """Run the job and print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=24, help="of the job (%(default)s)")
    trials = parser.parse_args().trials
    tools = Tools.for_test_cluster()
    release.install_prometheus(tools)
    installed = release.Release(tools, OPERATOR_NAMESPACE, (NAMESPACE,), name="tuning-operator-latency")
    try:
        installed.install()
        with Recorder(tools.kubeconfig) as recorder:
            namespace = Namespace(tools, NAMESPACE)
            namespace.apply(_job(trials))
            namespace.wait_for_end(seconds=20.0 * trials)
            pods = recorder.pods(NAMESPACE)
        ends, created = [pod.ended for pod in pods if pod.ended is not None], [pod.created for pod in pods]
        print_report("end of a Pod to creation of the next", waits(ends, created, PARALLEL))
        logs = [tools.kubectl("logs", f"--namespace={NAMESPACE}", pod.name) for pod in pods]
        between = waits(moments("reported", logs), moments("started", logs), PARALLEL)
        print_report("last epoch to the start of the next script", between)
    finally:
        installed.uninstall()
        tools.kubectl("delete", "namespace", NAMESPACE, OPERATOR_NAMESPACE, "--ignore-not-found", "--wait=false")


def _job(trials: int) -> dict[str, object]:
    return job_manifest(
        command=["python", "-c", _SCRIPT],
        epochs=2,
        epoch_seconds=0.7,
        strategy="Bayesian",
        parameters=[
            {"name": "x", "continuous": {"min": 0.00001, "max": 1.0, "scale": "Log"}},
            {"name": "mini_batch_size", "integer": {"min": 16, "max": 64}},
            {"name": "optimizer", "categorical": {"values": ["sgd", "adam", "rmsprop", "nag"]}},
        ],
        limits={"maxTrials": trials, "maxParallelTrials": PARALLEL},
    )


def moments(event: str, logs: Iterable[str]) -> list[float]:
    """Return when trainings say that something happened, in seconds by their node's clock."""
    lines = (line.split() for log in logs for line in log.splitlines())
    return [float(words[1]) for words in lines if words[:1] == [event]]


def waits(ends: Iterable[float], begins: Iterable[float], parallel: int) -> list[float]:
    """Return the seconds from each end to the beginning in the same slot: the first free slot is taken first."""
    return [begin - end for end, begin in zip(sorted(ends), sorted(begins)[parallel:], strict=False)]


def print_report(what: str, seconds: Sequence[float]) -> None:
    """Print median, 90th percentile and maximum."""
    median, p90 = statistics.median(seconds), statistics.quantiles(seconds, n=10, method="inclusive")[-1]
    print(f"{what}: {len(seconds)} times, median {median:.2f} s, p90 {p90:.2f} s, max {max(seconds):.2f} s")
    print("in order:", " ".join(f"{second:.2f}" for second in seconds))


if __name__ == "__main__":
    main()
