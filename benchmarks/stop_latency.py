"""How soon a trial is stopped: `python -m benchmarks.stop_latency`, on a control plane with a real Prometheus.

Measures the time from the moment at which a training shows the epoch that decides about it to the moment at which its
Pod's kubelet, which the benchmark plays and which looks every 50 ms, sees the Pod's deletion. Prints the bound that the
documentation names, too: one scrape interval, one poll and a second.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import statistics
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cluster.api import Api
from cluster.controlplane import ControlPlane
from cluster.operators import Cluster, job_manifest, start_operator
from cluster.played_kubelet import Kubelet, Training
from cluster.prometheus import Prometheus

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from cluster.played_kubelet import Run

CRDS = Path(__file__).parents[1] / "crds"
NAMESPACE = "stop-latency"
PARALLEL = 4
EPOCHS = 10
DECIDING = 2  # the first checkpoint of Auto
COMPLETED = (
    PARALLEL  # this many trials reach their end, quickly; those beside whose end the next ones start are left out
)
UNMEASURED = COMPLETED + PARALLEL


def main() -> None:
    """Run a job whose trials are stopped, and print what was measured; exit code 1 if the bound is not kept."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stops", type=int, default=24, help="to measure (%(default)s)")
    parser.add_argument("--scrape-interval", type=float, default=2.0, help="seconds (%(default)s)")
    parser.add_argument("--poll-interval", type=float, default=2.0, help="seconds (%(default)s)")
    arguments = parser.parse_args()
    bound = arguments.scrape_interval + arguments.poll_interval + 1
    seconds = latencies(run_job(arguments.stops, arguments.scrape_interval, arguments.poll_interval))
    print_report(seconds, bound)
    sys.exit(max(seconds) > bound)


def run_job(stops: int, scrape_interval: float, poll_interval: float) -> list[Run]:
    """Run trials that all have to be stopped, but for the first ones, and return their Pods' lives."""
    trials = UNMEASURED + stops
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        plane = stack.enter_context(ControlPlane(folder / "control-plane", manifests=[CRDS]))
        plane.create_namespace(NAMESPACE)
        kubelet = stack.enter_context(Kubelet(Api(plane.kubeconfig), NAMESPACE, _training))
        targets = [kubelet.target(f"job-{number:04d}-1") for number in range(1, trials + 1)]
        prometheus = stack.enter_context(Prometheus(folder / "prometheus", targets, scrape_interval=scrape_interval))
        flag = f"--poll-interval={poll_interval}"
        operator = start_operator(plane.kubeconfig, [NAMESPACE], prometheus.url, folder / "operator.log", flag)
        stack.callback(operator.stop)
        cluster = Cluster(plane.kubeconfig, NAMESPACE)
        limits = {"maxTrials": trials, "maxParallelTrials": PARALLEL}
        cluster.apply(job_manifest(NAMESPACE, earlyStopping={"type": "Auto"}, limits=limits))
        cluster.wait_for_phase("Completed", seconds=60 + 20.0 * trials)
        return list(kubelet.runs.values())


def _training(_parameters: Mapping[str, Any], pod: str) -> Training:
    """The first trials are good and quick; the others have different paces, to report at any moment."""
    number = _number(pod)
    if number <= COMPLETED:
        return Training((0.9,) * EPOCHS)
    return Training((0.1,) * EPOCHS, epoch_seconds=random.Random(number).uniform(2, 3))


def _number(pod: str) -> int:
    return int(pod.split("-")[-2])


def latencies(runs: Iterable[Run]) -> list[float]:
    """Seconds from the deciding epoch of each stopped trial to its Pod's deletion."""
    return [
        run.ended - (run.started + DECIDING * run.training.epoch_seconds)
        for run in sorted(runs, key=lambda run: run.name)
        if _number(run.name) > UNMEASURED and run.deleted and run.started is not None and run.ended is not None
    ]


def print_report(seconds: Sequence[float], bound: float) -> None:
    """Print median, 90th percentile, maximum and bound."""
    median, p90 = statistics.median(seconds), statistics.quantiles(seconds, n=10, method="inclusive")[-1]
    print(f"trials stopped: {len(seconds)}")
    print(
        f"deciding epoch to deletion: median {median:.2f} s, p90 {p90:.2f} s, max {max(seconds):.2f} s"
        f" (bound {bound:.2f} s)"
    )
    print("in order:", " ".join(f"{second:.2f}" for second in seconds))


if __name__ == "__main__":
    main()
