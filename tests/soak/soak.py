"""Whether the operator's memory and open files stay what they are: `python -m tests.soak.soak --minutes 30`.

Small jobs run without a pause, each under a name that was used before: some to their end, some with trainings that
fail and are tried again, some are deleted in mid-flight. A real API server, a real Prometheus, a played kubelet. The
operator's process and those of its suggestions are sampled; what they hold in the last minute is compared with what
they held after a sixth of the time.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import random
import statistics
import sys
import tempfile
import threading
import time
import urllib.error
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from cluster.api import Api
from cluster.controlplane import ControlPlane
from cluster.operators import Cluster, job_manifest, start_operator
from cluster.played_kubelet import Kubelet, Training
from cluster.prometheus import Prometheus

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

CRDS = Path(__file__).parents[2] / "crds"
NAMESPACE = "soak"
JOBS, TRIALS, PARALLEL, ATTEMPTS = 4, 6, 2, 4
ALLOWED = 1.1
"""As much may memory and open files be of what they were."""
SAMPLE_SECONDS = 5.0
PATIENCE_SECONDS = 300.0
FINAL = {"Completed", "Failed", "Stopped"}


@dataclass(frozen=True)
class Sample:
    """What the operator holds: MiB of its process and of its suggestion processes, and its open files."""

    second: float
    operator: float
    suggestions: float
    files: int


def main() -> None:
    """Run the jobs, print what was measured, exit with 1 when something grew."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0, help="how long (%(default)s)")
    minutes = parser.parse_args().minutes
    with tempfile.TemporaryDirectory(prefix="soak-") as folder, contextlib.ExitStack() as stack:
        control_plane = stack.enter_context(ControlPlane(Path(folder) / "control-plane", manifests=[CRDS]))
        control_plane.create_namespace(NAMESPACE)
        api = Api(control_plane.kubeconfig)
        kubelet = stack.enter_context(Kubelet(api, NAMESPACE, train, poll_seconds=0.25))
        names = itertools.product(range(JOBS), range(1, TRIALS + 1), range(1, ATTEMPTS + 1))
        targets = [kubelet.target(f"soak-{job}-{trial:04d}-{attempt}") for job, trial, attempt in names]
        prometheus = stack.enter_context(Prometheus(Path(folder) / "prometheus", targets, scrape_interval=1))
        log = Path(folder) / "operator.log"
        operator = start_operator(control_plane.kubeconfig, [NAMESPACE], prometheus.url, log, "--resync-interval=10")
        stack.callback(operator.stop)
        load = Load(Cluster(control_plane.kubeconfig, NAMESPACE))
        stack.enter_context(load)
        samples = watch(operator.pid, minutes * 60, load)
        errors = [line for line in log.read_text().splitlines() if "internal error" in line or "Traceback" in line]
    sys.exit(report(samples, minutes * 60, load, errors))


def train(parameters: Mapping[str, Any], pod: str) -> Training:
    """Ten epochs in a few seconds; every fifth training fails halfway."""
    x = float(parameters["x"])
    fails = random.Random(pod + str(x)).random() < 0.2
    values = tuple(round(x * epoch / 10, 6) for epoch in range(1, 6 if fails else 11))
    return Training(values, epoch_seconds=0.3, exit_code=1 if fails else 0)


class Load:
    """Keeps some jobs alive inside a `with` block: whatever ends is deleted, and its name used again."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(number,), daemon=True) for number in range(JOBS)]
        self.ended = 0
        self.deleted = 0
        self.late: list[str] = []

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self, number: int) -> None:
        chance, name = random.Random(number), f"soak-{number}"
        while not self._stop.is_set():
            with contextlib.suppress(OSError):
                self._one(name, chance)

    def _one(self, name: str, chance: random.Random) -> None:
        self._cluster.apply(
            job_manifest(
                NAMESPACE,
                name,
                seed=chance.randrange(1000),
                strategy=chance.choice(["Bayesian", "Random"]),
                earlyStopping={"type": chance.choice(["Auto", "Median"])},
                retry={"maxAttempts": 2},
                metrics={"startDeadline": "1m"},
                limits={"maxTrials": TRIALS, "maxParallelTrials": PARALLEL},
            )
        )
        patience = chance.uniform(1, 15) if chance.random() < 0.2 else PATIENCE_SECONDS
        until = time.monotonic() + patience
        while not self._has_ended(name) and time.monotonic() < until and not self._stop.wait(0.5):
            pass
        if self._has_ended(name):
            self.ended += 1
        elif patience == PATIENCE_SECONDS and not self._stop.is_set():
            self.late.append(f"{name}: {self._cluster.job(name).get('status')}")
        else:
            self.deleted += 1
        self._cluster.delete_job(name)
        while self._exists(name) and not self._stop.wait(0.1):
            pass

    def _has_ended(self, name: str) -> bool:
        return self._cluster.job(name).get("status", {}).get("phase") in FINAL

    def _exists(self, name: str) -> bool:
        try:
            self._cluster.job(name)
        except urllib.error.HTTPError:
            return False
        return True


def watch(pid: int, seconds: float, load: Load) -> list[Sample]:
    """Sample until the time is over; tell once a minute how it stands."""
    began, samples, answer = time.monotonic(), list[Sample](), 0
    while (second := time.monotonic() - began) < seconds:
        children = _children(pid)
        samples.append(
            Sample(second, _memory(pid), sum(map(_memory, children)), len(list(Path(f"/proc/{pid}/fd").iterdir())))
        )
        if second // 60 >= answer:
            answer += 1
            last = samples[-1]
            print(
                f"{second / 60:4.0f} min: operator {last.operator:.0f} MiB, suggestions {last.suggestions:.0f} MiB,"
                f" {last.files} files; jobs: {load.ended} ended, {load.deleted} deleted, {len(load.late)} late",
                flush=True,
            )
        time.sleep(SAMPLE_SECONDS)
    return samples


def _memory(pid: int) -> float:
    """Resident memory in MiB; nothing when the process has just ended."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
    return 0.0


def _children(pid: int) -> list[int]:
    with contextlib.suppress(OSError):
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def report(samples: Sequence[Sample], seconds: float, load: Load, errors: Sequence[str]) -> int:
    """Print the verdict; 1 when something grew, or did not work."""
    minute = min(60.0, seconds / 6)
    early = [sample for sample in samples if seconds / 6 <= sample.second < seconds / 6 + minute]
    last = [sample for sample in samples if sample.second >= seconds - minute]
    grew = False
    print(f"\njobs: {load.ended} ended, {load.deleted} deleted in mid-flight; medians over {minute:.0f} s")
    begin, end = f"{seconds / 360:.0f} min", f"{seconds / 60:.0f} min"
    for what in ("operator", "suggestions", "files"):
        before, after = (statistics.median(getattr(sample, what) for sample in part) for part in (early, last))
        grew |= after > before * ALLOWED
        unit = "" if what == "files" else " MiB"
        growth = after / before - 1 if before else 0
        print(f"{what:12} after {begin} {before:.1f}{unit}, after {end} {after:.1f}{unit}: {growth:+.1%}")
    for line in (*load.late, *errors):
        print(line[:300])
    wrong = grew or load.late or errors or not load.ended
    print("FAILED" if wrong else f"passed: nothing grew by more than {ALLOWED - 1:.0%}")
    return int(bool(wrong))


if __name__ == "__main__":
    main()
