"""What one operator carries: `python -m benchmarks.scale LOAD`, on a control plane without nodes.

A real etcd, API server and Prometheus; the Pods are played. Prints the time from the end of a Pod to the creation of
the next one, which is what a GPU stands idle, and what the processes have used. Exit code 1 if a name was created
twice. Everything runs on this machine: compare columns, not machines.

{loads}
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.scale import report
from benchmarks.scale.lab import Lab
from benchmarks.scale.loads import LOADS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.scale.lab import Run
    from benchmarks.scale.loads import Load

CHECKOUT = Path(__file__).parents[2]


def main() -> None:
    """Run a load against each state of the operator, one after the other, and print both tables."""
    given = _arguments()
    load, checkouts = _load(given), given.operator or [CHECKOUT]
    print(f"{given.load}: {load.about}\n{load}", flush=True)
    runs: dict[str, Run] = {}
    for checkout, by_hand in [(CHECKOUT, True)] * given.by_hand + [(each, False) for each in checkouts]:
        name = f"{len(runs) + 1}: {'by hand' if by_hand else checkout.name}"
        runs[name] = asyncio.run(_run(load, checkout, given.out / f"{len(runs) + 1}", by_hand=by_hand))
        print(f"\n{name}: from the end of a Pod to the creation of the next")
        print(report.table({name: report.by_finished(runs[name]) or {"there was none": ""}}), flush=True)
    print()
    print(report.table({name: report.overall(run) for name, run in runs.items()}))
    sys.exit(any(map(report.created_twice, runs.values())))


def _arguments() -> argparse.Namespace:
    loads = "\n".join(f"    {name:<20} {load.about}" for name, load in LOADS.items())
    parser = argparse.ArgumentParser(
        description=(__doc__ or "").format(loads=f"Loads:\n{loads}"),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("load", choices=LOADS)
    add(
        "--operator",
        type=lambda text: Path(text).resolve(),
        action="append",
        metavar="CHECKOUT",
        help="of the project, whose operator is measured; may be repeated (this one)",
    )
    add("--by-hand", action="store_true", help="first create the same Pods without an operator: what they cost anyway")
    add("--flag", action="append", default=[], help="of the operator, such as --flag=--workers=8; may be repeated")
    for name in ("jobs", "trials", "parallel", "epochs", "finished-jobs", "finished-trials", "finished-epochs"):
        add(f"--{name}", type=int, help="instead of the load's")
    add("--seconds", type=float, nargs=2, metavar=("LEAST", "MOST"), help="of a training, instead of the load's")
    add("--minutes", type=float, help="after which the rest is not waited for, instead of the load's")
    add(
        "--out", type=Path, default=Path(tempfile.gettempdir()) / "tuning-operator-scale", help="for logs (%(default)s)"
    )
    given = parser.parse_args()
    if given.by_hand and _load(given).finished_trials:
        parser.error("argument --by-hand: the load begins with trials that have ended, and there are none by hand")
    return given


def _load(given: argparse.Namespace) -> Load:
    fields: Sequence[str] = (
        "jobs",
        "trials",
        "parallel",
        "epochs",
        "minutes",
        "finished_jobs",
        "finished_trials",
        "finished_epochs",
    )
    load = LOADS[given.load]
    changes = {name: value for name in fields if (value := getattr(given, name)) is not None}
    if given.seconds:
        changes["seconds"] = tuple(given.seconds)
    return replace(load, **changes, flags=(*load.flags, *given.flag))


async def _run(load: Load, checkout: Path, folder: Path, *, by_hand: bool) -> Run:
    async with Lab(load, checkout, folder, by_hand=by_hand) as lab:
        return await lab.measure()


if __name__ == "__main__":
    main()
