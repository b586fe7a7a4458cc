"""How long a GPU waits for its next trial: `python -m benchmarks.slot_latency`, on the whole cluster.

Measures, over a job with the Bayesian strategy, the time from the end of a trial's Pod, as the API server shows it,
to the creation of the next Pod. The suggestion is computed in between. Both moments are those at which a watch
delivers them.
"""

from __future__ import annotations

import argparse
import statistics
from typing import TYPE_CHECKING

from cluster import release
from cluster.jobs import Namespace, job_manifest
from cluster.recorder import Recorder
from cluster.tools import Tools

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cluster.recorder import PodHistory

NAMESPACE = "slot-latency"
OPERATOR_NAMESPACE = "slot-latency-system"
PARALLEL = 2


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
            print_report(latencies(recorder.pods(NAMESPACE), PARALLEL))
    finally:
        installed.uninstall()
        tools.kubectl("delete", "namespace", NAMESPACE, OPERATOR_NAMESPACE, "--ignore-not-found", "--wait=false")


def _job(trials: int) -> dict[str, object]:
    return job_manifest(
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


def latencies(pods: Sequence[PodHistory], parallel: int) -> list[float]:
    """Seconds from each Pod's end to the creation of the Pod that took its slot: the first free slot is taken first."""
    ends = sorted(pod.ended for pod in pods if pod.ended is not None)
    created = sorted(pod.created for pod in pods)[parallel:]
    return [begin - end for end, begin in zip(ends, created, strict=False)]


def print_report(seconds: Sequence[float]) -> None:
    """Print median, 90th percentile and maximum."""
    median, p90 = statistics.median(seconds), statistics.quantiles(seconds, n=10, method="inclusive")[-1]
    print(f"slots refilled: {len(seconds)}")
    print(f"end of a Pod to creation of the next: median {median:.2f} s, p90 {p90:.2f} s, max {max(seconds):.2f} s")
    print("in order:", " ".join(f"{second:.2f}" for second in seconds))


if __name__ == "__main__":
    main()
