"""How the console does with 1,000 trials of 1,000 epochs; run it as `make console-benchmark`.

It prints a table and ends with 1 when a bound is missed. `--trials` and `--epochs` make it smaller.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from playwright.sync_api import expect

from cluster.api import Api
from cluster.controlplane import ControlPlane
from tests.console import seed
from tests.console.browser import Visitor, chromium, start_console, token_of
from tests.console.made import Plan
from tuning_console.replays import SECONDS

if TYPE_CHECKING:
    from playwright.sync_api import Page

NAMESPACE = "research"
RUNNING = 10
LIVE_SECONDS = 20
REPLAYED: list[dict[str, Any]] = [
    {"type": "Auto"},
    {"type": "Median"},
    {"type": "Hyperband", "minResource": 10, "maxResource": 1000},
]
_PAINTED = """() => {
  const canvas = document.querySelector('.u-wrap canvas');
  if (!canvas || !canvas.width) return 0;
  const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
  let found = 0;
  for (let index = 0; index < data.length; index += 4) {
    const [red, green, blue, alpha] = [data[index], data[index + 1], data[index + 2], data[index + 3]];
    if (alpha > 60 && Math.max(red, green, blue) - Math.min(red, green, blue) > 40) found++;
  }
  return found;
}"""
_FIRST_PAINT = f"""address => new Promise(resolve => {{
  const painted = {_PAINTED};
  const began = performance.now();
  let first = 0;
  location.hash = address;
  const look = () => {{
    const trials = Number(document.querySelector('.tabs .count')?.textContent ?? 0);
    if (!first && painted() > 200) first = performance.now() - began;
    if (first && trials >= window.wanted && document.querySelector('.link-state.live')) {{
      resolve([first, performance.now() - began]);
    }} else requestAnimationFrame(look);
  }};
  requestAnimationFrame(look);
}})"""
_HOVER = """() => new Promise(resolve => {
  const over = document.querySelector('.u-over');
  const box = over.getBoundingClientRect();
  const times = [];
  let number = 0;
  const next = () => {
    if (number === 30) { resolve(times); return; }
    const began = performance.now();
    const x = box.left + box.width * (0.1 + 0.8 * (number / 30));
    const y = box.top + box.height * (0.15 + 0.5 * ((number * 7 % 30) / 30));
    over.dispatchEvent(new MouseEvent('mousemove', { clientX: x, clientY: y, bubbles: true }));
    number++;
    requestAnimationFrame(() => setTimeout(() => { times.push(performance.now() - began); next(); }, 0));
  };
  next();
})"""


@dataclass(frozen=True)
class Result:
    """A measurement and its bound, if it has one."""

    what: str
    value: float
    bound: float | None
    unit: str

    @property
    def good(self) -> bool:
        """Whether it is within its bound."""
        return self.bound is None or self.value <= self.bound


def measure(trials: int, epochs: int, folder: Path) -> list[Result]:
    """Seed a job of that size, open it in a browser, and measure."""
    plan = Plan(
        "large", trials=trials, epochs=epochs, parallel=RUNNING, running=RUNNING, early_stopped=trials // 3, failed=(8,)
    )
    with ControlPlane(folder / "state", manifests=[Path(__file__).parents[2] / "crds"]) as server:
        server.create_namespace(NAMESPACE)
        api, made = Api(server.kubeconfig), seed.make(plan)
        seed.put(api, NAMESPACE, made)
        console, url = start_console(server.kubeconfig, folder)
        try:
            with chromium() as browser:
                visitor = Visitor(browser, url)
                visitor.sign_in(token_of(server.kubeconfig))
                wire = Wire(visitor.page)
                results = [*_page(visitor, wire, trials), *_live(visitor.page, wire, api, made)]
                visitor.close()
            assert console.pid is not None
            results += [_replay(url, token_of(server.kubeconfig), rule) for rule in REPLAYED]
            return [*results, Result("memory of the back end, at most", _peak_megabytes(console.pid), 250, "MB")]
        finally:
            console.stop()


def _replay(url: str, token: str, rule: dict[str, Any]) -> Result:
    """From the question to the answer, the API server's list and the start of a process included.

    The console ends a replay that takes three times the bound.
    """
    query = urllib.parse.urlencode({"rule": json.dumps(rule)})
    asked = urllib.request.Request(f"{url}/api/namespaces/{NAMESPACE}/jobs/large/what-if?{query}")
    asked.add_header("Authorization", f"Bearer {token}")
    opener, began = urllib.request.build_opener(urllib.request.ProxyHandler({})), time.monotonic()
    try:
        with opener.open(asked, timeout=2 * SECONDS) as answer:
            assert json.load(answer)["trials"]
    except urllib.error.HTTPError as error:  # it was ended; what else was measured is shown all the same
        sys.stderr.write(f"{rule['type']}: {error.read().decode()}\n")
    return Result(f"what if, {rule['type']}", time.monotonic() - began, 20, "s")


class Wire:
    """The bytes that a page receives, as they come over the wire."""

    def __init__(self, page: Page) -> None:
        self.received = 0
        session = page.context.new_cdp_session(page)
        session.send("Network.enable")
        session.on("Network.dataReceived", self._count)

    def _count(self, event: dict[str, Any]) -> None:
        self.received += event["encodedDataLength"]


def _page(visitor: Visitor, wire: Wire, trials: int) -> list[Result]:
    page = visitor.page
    page.evaluate(f"window.wanted = {trials}")
    first, whole = page.evaluate(_FIRST_PAINT, "#/ns/research/jobs/large/curves")
    page.wait_for_timeout(500)
    megabytes = wire.received / 1e6
    hovers = sorted(page.evaluate(_HOVER))
    return [
        Result("first paint of curves", first / 1000, 2, "s"),
        Result("all trials drawn", whole / 1000, None, "s"),
        Result("over the wire", megabytes, 1.5, "MB"),
        Result("hover, 95th percentile", hovers[int(len(hovers) * 0.95)], 100, "ms"),
        Result("hover, median", statistics.median(hovers), 100, "ms"),
    ]


def _live(page: Page, wire: Wire, api: Api, made: seed.Made) -> list[Result]:
    """An epoch a second of each running trial, and the job's status with it."""
    running = [trial for trial in made.trials if trial["status"]["phase"] == "Running"]
    done = threading.Event()

    def train() -> None:
        for second in range(LIVE_SECONDS):
            began = time.monotonic()
            for trial in running:
                curve = trial["status"]["curve"]
                curve["epochs"].append(curve["epochs"][-1] + 1)
                curve["values"].append(f"{0.8 + second / 1000:.6f}")
                seed.set_status(
                    api,
                    NAMESPACE,
                    "tuningtrials",
                    trial["metadata"]["name"],
                    {"curve": curve, "epochs": len(curve["epochs"])},
                )
            seed.set_status(api, NAMESPACE, "tuningjobs", "large", {"totalTrainingSeconds": 1000 + second})
            time.sleep(max(0.0, 1 - (time.monotonic() - began)))
        done.set()

    thread = threading.Thread(target=train)
    began, before = time.monotonic(), wire.received
    thread.start()
    while not done.is_set():
        page.wait_for_timeout(200)
    thread.join()
    page.wait_for_timeout(1000)
    rate = (wire.received - before) / 1000 / (time.monotonic() - began)
    # All of it has arrived: the page of the job shows the last epoch's value.
    page.evaluate("location.hash = '#/ns/research/jobs/large'")
    expect(page.locator(".slots")).to_contain_text(f"{0.8 + (LIVE_SECONDS - 1) / 1000:.4f}", timeout=60_000)
    return [Result("live, 10 trials at an epoch a second", rate, 20, "kB/s")]


def _peak_megabytes(pid: int) -> float:
    text = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", text)
    assert found is not None
    return int(found[1]) / 1000


def main() -> int:
    """Measure and print; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--epochs", type=int, default=1000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        results = measure(given.trials, given.epochs, Path(folder))
    sys.stdout.write(f"| {given.trials:,} trials of {given.epochs:,} epochs | measured | bound |\n|---|---:|---:|\n")
    for result in results:
        mark = "" if result.good else " **missed**"
        bound = "" if result.bound is None else f"{result.bound:g} {result.unit}"
        sys.stdout.write(f"| {result.what} | {result.value:.3g} {result.unit}{mark} | {bound} |\n")
    return 0 if all(result.good for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
