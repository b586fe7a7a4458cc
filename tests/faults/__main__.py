"""The whole sweep, some runs at a time: progress while it runs, and a report at its end.

Ends with 1 when a promise was broken; the logs of such runs are kept in the folder that the report names.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import sys
import tempfile
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

from cluster.controlplane import ControlPlane
from tests.faults.lab import RECOVERY_SECONDS, Lab, Result, failed
from tests.faults.scenarios import reference, subset, sweep

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from tests.faults.lab import Scenario

CRDS = Path(__file__).parents[2] / "crds"


async def play_all(
    lab: Lab,
    choose: Callable[[Result], Iterable[Scenario]],
    parallel: int,
    tell: Callable[[Result, int, int], None] = lambda *_: None,
) -> list[Result]:
    """Play a run without faults, and then all scenarios against it.

    Args:
        lab: Where.
        choose: The scenarios, in the light of the run without faults.
        parallel: How many runs at once.
        tell: Called with each result, its number and the number of all.
    """
    first = await lab.play(reference())
    scenarios = list(choose(first))
    results = [first]
    free = asyncio.Semaphore(parallel)
    tell(first, 1, len(scenarios) + 1)

    async def play(scenario: Scenario) -> None:
        async with free:
            try:
                result = await lab.play(scenario, first.end_state)
            except Exception as error:  # noqa: BLE001 - one run that goes wrong must not end an hour of others
                result = failed(scenario, error)
        results.append(result)
        tell(result, len(results), len(scenarios) + 1)

    async with asyncio.TaskGroup() as group:
        for scenario in scenarios:
            group.create_task(play(scenario))
    return results


def report(results: Sequence[Result]) -> str:
    """Sum up: by kind of fault, then each run that broke a promise."""
    by_kind: defaultdict[str, list[Result]] = defaultdict(list)
    for result in results:
        by_kind[result.scenario.kind].append(result)
    rows = [f"{'fault':<36} {'runs':>5} {'injected':>9} {'broken':>7} {'recovery s: median':>19} {'worst':>6}"]
    for kind, runs in sorted(by_kind.items()):
        recoveries = sorted(run.recovery for run in runs)
        injected = sum(run.injected.total() for run in runs)
        broken = sum(bool(run.violations) for run in runs)
        median = recoveries[len(runs) // 2]
        rows.append(f"{kind:<36} {len(runs):>5} {injected:>9} {broken:>7} {median:>19.1f} {recoveries[-1]:>6.1f}")
    total = sum((result.injected for result in results), Counter())
    rows += ["", "injected faults:", *(f"  {count:>6}  {kind}" for kind, count in sorted(total.items()))]
    ends = sum(result.ends for result in results)
    bad = [result for result in results if result.violations]
    rows += [
        "",
        (
            f"{len(results)} runs, {total.total()} injected faults, the operator ended by itself {ends} times,"
            f" {len(bad)} runs broke a promise"
        ),
    ]
    for result in bad:
        rows += [f"  {result.scenario.name}", *(f"    {words}" for words in result.violations)]
    return "\n".join(rows)


async def _run(arguments: argparse.Namespace, directory: Path) -> int:
    began = time.monotonic()

    def tell(result: Result, number: int, count: int) -> None:
        verdict = "BROKEN" if result.violations else "ok"
        print(
            f"{time.monotonic() - began:6.0f} s  {number}/{count}  {verdict:<6}  {result.scenario.name}"
            f"  ({result.seconds:.1f} s, {result.injected.total()} faults, recovery {result.recovery:.1f} s)",
            flush=True,
        )
        for words in result.violations:
            print(f"          {words}", flush=True)

    def choose(first: Result) -> Iterable[Scenario]:
        every = subset() if arguments.subset else sweep(first.writes)
        return [item for item in every if re.search(arguments.only, item.name)][:: arguments.every]

    with ControlPlane(directory / "control-plane", manifests=[CRDS]) as control_plane:
        async with Lab(control_plane, directory / "runs", arguments.recovery) as lab:
            results = await play_all(lab, choose, arguments.parallel, tell)
    print(f"\n{report(results)}\n{time.monotonic() - began:.0f} s; logs of broken runs: {directory / 'runs'}")
    return int(any(result.violations for result in results))


def main() -> None:
    """Parse the flags and run the sweep."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--parallel", type=int, default=6, help="runs at once (default 6)")
    parser.add_argument("--subset", action="store_true", help="only the subset that is part of `make test`")
    parser.add_argument("--only", default="", help="only scenarios whose names match this expression")
    parser.add_argument("--every", type=int, default=1, help="only every n-th of them")
    parser.add_argument(
        "--recovery", type=float, default=RECOVERY_SECONDS, help="seconds that a recovery may take (default 10)"
    )
    parser.add_argument("--directory", type=Path, help="folder for logs; default: a new temporary one")
    arguments = parser.parse_args()
    directory = arguments.directory or Path(tempfile.mkdtemp(prefix="faults-"))
    sys.exit(asyncio.run(_run(arguments, directory)))


if __name__ == "__main__":
    main()
