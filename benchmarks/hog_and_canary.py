"""Whether one job can slow another: `python -m benchmarks.hog_and_canary`, on a control plane with a real Prometheus.

A canary runs short trials in its own namespace, at first alone, then beside each kind of hog, and
at last beside all of them. Each phase prints the canary's trials in a minute; exit code 1 if it kept less than four
fifths of its pace beside any hog, or if the operator ended.

The hogs, all in another namespace:
    patterns   jobs whose 40 regular expressions backtrack, or repeat themselves a thousand times
    curves     a job whose completed trials have tens of thousands of epochs
    model      a Bayesian job with 64 parameters of 128 values each
    suspended  600 suspended jobs, created at once
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cluster.api import Api
from cluster.controlplane import ControlPlane
from cluster.operators import GROUP, METRIC, Cluster, job_manifest, start_operator
from cluster.played_kubelet import Kubelet, Training
from cluster.prometheus import Prometheus

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

CRDS = Path(__file__).parents[1] / "crds"
QUIET, LOUD = "canary", "hogs"
LEAST = 0.8
"""Share of its pace that the canary is to keep."""
MOST_TRIALS = 1000
LONG_CURVE = 20_000
LONG_TRIALS = 20
_SIDECAR = "--sidecar-image=example.invalid/sidecar"
WARM_UP = 10.0
"""Seconds after the start of a hog that are not counted: a hog has to be at work."""


def main() -> None:
    """Print the canary's pace alone and beside each hog."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=40.0, help="of each phase (%(default)s)")
    parser.add_argument("--hogs", nargs="*", choices=HOGS, default=list(HOGS), help="to try (all)")
    arguments = parser.parse_args()
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        plane = stack.enter_context(ControlPlane(folder / "control-plane", manifests=[CRDS]))
        for namespace in (QUIET, LOUD):
            plane.create_namespace(namespace)
        stack.enter_context(Kubelet(Api(plane.kubeconfig), (QUIET, LOUD), _training))
        prometheus = stack.enter_context(Prometheus(folder / "prometheus", [], scrape_interval=2.0))
        operator = start_operator(plane.kubeconfig, [QUIET, LOUD], prometheus.url, folder / "operator.log", _SIDECAR)
        stack.callback(operator.stop)
        quiet, loud = Cluster(plane.kubeconfig, QUIET), Cluster(plane.kubeconfig, LOUD)
        quiet.apply(_endless("canary", QUIET, 2))
        alone = _pace(quiet, arguments.seconds)
        print(f"{'hog':<12}{'trials/min':>12}{'kept':>8}{'seconds to set up':>20}", flush=True)
        print(f"{'none':<12}{alone:>12.1f}", flush=True)
        kept = [_beside(name, quiet, loud, alone, arguments.seconds) for name in arguments.hogs]
        kept.append(_report("all", _pace(quiet, arguments.seconds), alone, 0.0))
        lives = operator.alive
    print(f"the operator {'ran through' if lives else 'ended'}")
    sys.exit(min(kept) < LEAST or not lives)


def _beside(name: str, quiet: Cluster, loud: Cluster, alone: float, seconds: float) -> float:
    began = time.monotonic()
    HOGS[name](loud)
    took = time.monotonic() - began
    return _report(name, _pace(quiet, seconds), alone, took)


def _report(name: str, pace: float, alone: float, took: float) -> float:
    print(f"{name:<12}{pace:>12.1f}{pace / alone:>8.0%}{took:>20.1f}", flush=True)
    return pace / alone


def _pace(quiet: Cluster, seconds: float) -> float:
    """The canary's trials in a minute, after a while."""
    time.sleep(WARM_UP)
    before, began = _ended(quiet), time.monotonic()
    time.sleep(seconds)
    return (_ended(quiet) - before) / (time.monotonic() - began) * 60


def _ended(quiet: Cluster) -> int:
    return sum("completionTime" in (trial.get("status") or {}) for trial in quiet.trials())


def _endless(name: str, namespace: str, parallel: int, **spec: Any) -> dict[str, Any]:
    """A job that outlasts the benchmark. Its ended Pods go: the played kubelet reads all Pods each time it looks."""
    limits = {"maxTrials": MOST_TRIALS, "maxParallelTrials": parallel}
    return job_manifest(namespace, name, limits=limits, podCleanup="Delete", **spec)


def _training(_parameters: Mapping[str, Any], pod: str) -> Training:
    if pod.startswith("curves-"):
        return Training((0.5,), message=_long_message())
    return Training((0.5, 0.6), epoch_seconds=0.5)


def _long_message() -> str:
    """A termination message holds few epochs: the long curves are written to the trials by `_curves`."""
    return json.dumps({"epochs": [1], "metrics": {METRIC: [0.5]}, "completed": 1, "thinned": False})


def _patterns(loud: Cluster) -> None:
    nasty = [f"(?:(?:a{{0,50}}){{0,50}}){{0,9}}loss{number}=([0-9.]+)" for number in range(40)]
    for number in range(6):
        names = [METRIC, *(f"loss{place}" for place in range(1, len(nasty)))]
        definitions = [{"name": name, "regex": regex} for name, regex in zip(names, nasty, strict=True)]
        source = {
            "type": "File",
            "file": {"path": "/logs/train.log", "format": "Regex", "metricDefinitions": definitions},
        }
        with contextlib.suppress(OSError):  # a definition that refuses them stops the attack, too
            loud.apply(job_manifest(LOUD, f"patterns-{number}", metrics={"source": source}))


def _curves(loud: Cluster) -> None:
    """Let trials complete, and write long curves into their statuses, as earlier versions of the operator did."""
    loud.apply(_endless("curves", LOUD, 1, earlyStopping={"type": "Auto"}))
    deadline = time.monotonic() + 300
    while _completed(loud, "curves") < LONG_TRIALS and time.monotonic() < deadline:
        time.sleep(0.5)
    epochs = list(range(1, LONG_CURVE + 1))
    values = [str(0.5 + epoch / 1e6) for epoch in epochs]
    for trial in loud.trials():
        if trial["metadata"]["name"].startswith("curves-") and (trial.get("status") or {}).get("phase") == "Completed":
            path = f"{GROUP}/namespaces/{LOUD}/tuningtrials/{trial['metadata']['name']}/status"
            status = {"status": {"curve": {"epochs": epochs, "values": values}, "epochs": LONG_CURVE}}
            loud.api.call("PATCH", path, status, kind="application/merge-patch+json")


def _completed(loud: Cluster, job: str) -> int:
    return int((loud.job(job).get("status") or {}).get("trialCounts", {}).get("completed", 0))


def _model(loud: Cluster) -> None:
    values = [f"v{number}" for number in range(128)]
    parameters = [{"name": f"c{number}", "categorical": {"values": values}} for number in range(64)]
    loud.apply(_endless("model", LOUD, 4, strategy="Bayesian", parameters=parameters))


def _suspended(loud: Cluster) -> None:
    with ThreadPoolExecutor(8) as pool:
        manifests = (job_manifest(LOUD, f"suspended-{number}", suspend=True) for number in range(600))
        list(pool.map(loud.apply, manifests))


HOGS: dict[str, Callable[[Cluster], None]] = {
    "patterns": _patterns,
    "suspended": _suspended,
    "model": _model,
    "curves": _curves,
}

if __name__ == "__main__":
    main()
