"""Command line of the experiment: `python -m experiment --help`, from the root of the checkout.

Works on the test cluster alone (`make cluster images`), as the demo does.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from cluster.kubeconfig import WrongContextError
from cluster.release import install_prometheus
from cluster.tools import CommandError, Tools
from cluster.volumes import claim, volume_on_node
from demo.install import NAMESPACE, delete_job, install
from experiment import plots
from experiment.plan import batches, config_map, remaining
from experiment.records import Kind, load, read_record, save
from experiment.tables import in_full, with_tables
from tuning_client.errors import TuningError, UnavailableError
from tuning_client.session import Session
from tuning_client.story import FINAL_JOB, read_story
from tuning_client.view import closing_lines

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from experiment.plan import Run
    from experiment.records import JobRecord

DOCS = Path(__file__).parents[1] / "docs"
RECORDS = DOCS / "experiment.json"
PAGE = DOCS / "experiment.md"
JOB_SECONDS = 30 * 60.0
POLL_SECONDS = 2.0


class UnfinishedError(RuntimeError):
    """A job did not complete; the message says why and what to do."""


def main() -> int:
    """Run one command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m experiment", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="run the jobs on the test cluster, record and report them")
    run.add_argument("--seeds", type=int, default=5, help="of the reference experiment (%(default)s)")
    run.add_argument("--only", type=Kind, choices=list(Kind), help="one of the experiments")
    run.add_argument("--resume", action="store_true", help=f"keep the jobs that {RECORDS.name} has")
    commands.add_parser("report", help=f"rewrite tables and pictures from {RECORDS.name}, and print each seed")
    arguments = parser.parse_args()
    console = Console()
    try:
        if arguments.command == "run":
            kinds = (arguments.only,) if arguments.only else tuple(Kind)
            _run(Tools.for_test_cluster(), console, kinds, arguments.seeds, resume=arguments.resume)
        _report(load(RECORDS), console)
    except (CommandError, TuningError, WrongContextError, UnfinishedError, OSError) as error:
        console.print(Text(f"{error}", style="red"))
        return 1
    return 0


def _run(tools: Tools, console: Console, kinds: Sequence[Kind], seeds: int, *, resume: bool) -> None:
    records = [record for record in load(RECORDS) if resume or record.kind not in kinds]
    planned = list(batches(kinds, seeds))
    left = remaining(planned, {record.name for record in records})
    console.print(f"{sum(map(len, left))} jobs to run; installing Prometheus and the operator")
    install(tools)
    _delete(tools, planned)  # what an interrupted run has left
    with volume_on_node(tools.kubectl, NAMESPACE):
        _apply(tools, [config_map(), claim()])
        _run_all(tools, console, left, records)


def _run_all(tools: Tools, console: Console, left: Sequence[Sequence[Run]], records: list[JobRecord]) -> None:
    for batch in left:
        console.print(f"Running {', '.join(run.name for run in batch)}")
        install_prometheus(tools, f"{batch[0].scrape_seconds}s")
        _apply(tools, [run.manifest() for run in batch])
        for record in _completed(tools, batch, console):
            records.append(record)
            save(RECORDS, records)
        _delete(tools, [batch])  # it must not weigh on those that follow


def _delete(tools: Tools, planned: Sequence[Sequence[Run]]) -> None:
    for batch in planned:
        for run in batch:
            delete_job(tools.kubectl, run.name)


def _apply(tools: Tools, objects: list[dict[str, Any]]) -> None:
    manifest = {"apiVersion": "v1", "kind": "List", "items": objects}
    tools.kubectl("apply", "--namespace", NAMESPACE, "-f", "-", stdin=json.dumps(manifest))


def _completed(tools: Tools, batch: Sequence[Run], console: Console) -> Iterator[JobRecord]:
    """The record of each job as it completes; raises `UnfinishedError` when one does not."""
    deadline = time.monotonic() + JOB_SECONDS
    session, waiting = Session(NAMESPACE, kubeconfig=tools.kubeconfig), list(batch)
    while waiting:
        for run in tuple(waiting):
            try:
                job = session.job(run.name)
                trials = session.trials(job)
            except UnavailableError:  # the API server is asked again until the time is up
                continue
            story = read_story(job, trials)
            if story.phase in FINAL_JOB:
                if story.phase != "Completed":
                    raise UnfinishedError(
                        f"{run.name} is {story.phase}: {story.message}. `run --resume` continues here"
                    )
                waiting.remove(run)
                lines = "; ".join(closing_lines(story, datetime.now(UTC)))
                console.print(f"  {run.name}: {lines}", highlight=False, soft_wrap=True)
                yield read_record(
                    job,
                    trials,
                    kind=run.kind,
                    epoch_seconds=run.epoch_seconds,
                    scrape_seconds=run.scrape_seconds,
                    cores=len(os.sched_getaffinity(0)),
                )
        if waiting and time.monotonic() > deadline:
            names = ", ".join(run.name for run in waiting)
            raise UnfinishedError(f"not done within {JOB_SECONDS:g} s: {names}. `run --resume` continues")
        time.sleep(POLL_SECONDS)


def _report(records: Sequence[JobRecord], console: Console) -> None:
    PAGE.write_text(with_tables(PAGE.read_text(), records))
    plots.draw(records, DOCS / "images")
    print(in_full(records))  # the console would wrap the rows
    console.print(f"Wrote {PAGE.relative_to(DOCS.parent)} and its pictures, from {len(records)} jobs")


if __name__ == "__main__":
    sys.exit(main())
