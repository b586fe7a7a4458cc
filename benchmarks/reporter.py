"""What reporting costs a training: `python -m benchmarks.reporter`.

Runs a training of 20 epochs that does nothing else, with three ways to serve the metrics page:

- `report`: what the package does, a process without `site` and libraries;
- `thread`: prometheus-client's server in a thread of the training;
- `library`: a process with http.server and prometheus-client, whose first report waits until it serves.

For each it prints, as medians: how long the first report takes; from the last report to the end of the training, with a
termination message that holds all epochs; processor time and memory (proportional, so that what processes share is
counted once) beyond the same training without a report; and whether a scrape is answered while the training holds the
interpreter's lock for two seconds.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import NamedTuple

from cluster.ports import free_ports

EPOCHS = 20
HELD_SECONDS = 2.0
TRAINING = """
import ctypes, json, os, pathlib, resource, sys, time
{setup}
first = None
for epoch in range(1, EPOCHS + 1):
    began = time.monotonic()
    report(epoch, {{"validation:accuracy": epoch / 7}})
    first = first or time.monotonic() - began
time.sleep(1)
def memory(pid):
    lines = pathlib.Path(f"/proc/{{pid}}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
me = os.getpid()
kilobytes = sum(map(memory, [me, *pathlib.Path(f"/proc/self/task/{{me}}/children").read_text().split()]))
print("holding", flush=True)
ctypes.PyDLL(None).usleep(int(HELD * 1_000_000))
report(EPOCHS + 1, {{"validation:accuracy": 1.0}})
print(json.dumps({{"first": first, "kilobytes": kilobytes, "over": time.monotonic()}}), flush=True)
"""
SETUPS = {
    "nothing": "def report(epoch, metrics): pass",
    "report": """
from tuning_trainer import reporting
reporting.DEFAULT_TERMINATION_LOG = pathlib.Path(os.environ["LOG"])
report = reporting.report
""",
    "thread": """
def report(epoch, metrics, gauges=[]):
    from prometheus_client import Gauge, start_http_server
    if not gauges:
        gauges.append(Gauge("tuning_epoch_value", "Values.", ["metric", "epoch"]))
        start_http_server(int(os.environ["TUNING_METRICS_PORT"]))
    for name, value in metrics.items():
        gauges[0].labels(name, str(epoch)).set(value)
""",
    "library": """
import atexit, subprocess
PAGE = '''
import json, os, sys, time
from prometheus_client import Gauge, start_http_server
gauge = Gauge("tuning_epoch_value", "Values.", ["metric", "epoch"])
start_http_server(int(os.environ["TUNING_METRICS_PORT"]))
print("serving", flush=True)
for line in sys.stdin:
    for name, value in json.loads(line)["metrics"].items():
        gauge.labels(name, "1").set(value)
'''
page = None
def report(epoch, metrics):
    global page
    if page is None:
        page = subprocess.Popen([sys.executable, "-c", PAGE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        atexit.register(lambda: (page.kill(), page.wait()))
        page.stdout.readline()
    page.stdin.write(json.dumps({"epoch": epoch, "metrics": metrics}) + "\\n")
    page.stdin.flush()
""",
}


class Cost(NamedTuple):
    """What a training took: seconds, seconds of processor time, kilobytes, and whether its page was answered."""

    first: float
    end: float
    processor: float
    kilobytes: float
    answered: bool


def main() -> None:
    """Run the trainings and print what they cost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5, help="of each kind (%(default)s)")
    runs = parser.parse_args().runs
    bare = [cost("nothing") for _ in range(runs)]
    processor = statistics.median(run.processor for run in bare)
    kilobytes = statistics.median(run.kilobytes for run in bare)
    print(f"a training without a report: {processor:.2f} s of processor time, {kilobytes / 1024:.1f} MiB")
    print(f"{'':10}{'first report':>14}{'end':>10}{'processor':>12}{'memory':>12}  answers while the lock is held")
    for kind in ("report", "thread", "library"):
        costs = [cost(kind) for _ in range(runs)]
        first, end = (statistics.median(run[index] for run in costs) for index in (0, 1))
        more = statistics.median(run.processor for run in costs) - processor
        memory = (statistics.median(run.kilobytes for run in costs) - kilobytes) / 1024
        answered = "yes" if all(run.answered for run in costs) else "no"
        print(f"{kind:10}{first:12.3f} s{end:8.2f} s{more:10.2f} s{memory:8.1f} MiB  {answered}")


def cost(kind: str) -> Cost:
    """Run one training and measure it."""
    script = TRAINING.format(setup=SETUPS[kind]).replace("EPOCHS", str(EPOCHS)).replace("HELD", str(HELD_SECONDS))
    (port,) = free_ports(1)
    with tempfile.NamedTemporaryFile() as log:
        environment = os.environ | {"TUNING_METRICS_PORT": str(port), "TUNING_TRIAL": "a-0001", "LOG": log.name}
        before = os.times()
        process = subprocess.Popen([sys.executable, "-c", script], env=environment, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        process.stdout.readline()
        answered = kind != "nothing" and _is_answered(port)
        said = json.loads(process.stdout.readline())
        process.wait()
        end = time.monotonic() - said["over"]
        process.stdout.close()
        if kind == "report" and not json.loads(Path(log.name).read_text())["epochs"]:
            raise RuntimeError("nothing was reported")
    after = os.times()
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return Cost(said["first"] or 0.0, end, used, said["kilobytes"], answered)


def _is_answered(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=HELD_SECONDS / 2) as page:
            return bool(page.read())
    except OSError:
        return False


if __name__ == "__main__":
    main()
