"""`list`: the jobs of a namespace, a line each."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from tuning_client.commands.cluster import output, paper, run, write_json
from tuning_client.describe import phase, time_in
from tuning_client.text import age, duration, number, plain

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

    from tuning_client.session import Session

_COLUMNS = ("NAME", "PHASE", "BEST", "TRIAL", "DONE", "RUNNING", "STOPPED", "FAILED", "TRAINING", "SAVED", "AGE")


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser], flags: argparse.ArgumentParser) -> None:
    """Add the command."""
    parser = commands.add_parser("list", parents=[flags], help="show the jobs: phase, best value, trials, cost")
    parser.add_argument("-A", "--all-namespaces", action="store_true", help="jobs of all namespaces")
    output(parser, "json", "name")
    parser.set_defaults(run=partial(run, _list))


def _list(session: Session, parsed: argparse.Namespace) -> int:
    jobs = session.jobs(all_namespaces=parsed.all_namespaces)
    if parsed.output == "json":
        write_json({"apiVersion": "v1", "kind": "List", "items": jobs})
    elif parsed.output == "name":
        for job in jobs:
            print(job["metadata"]["name"])  # noqa: T201 - the command's output
    elif jobs:
        paper().print(table(jobs, datetime.now(UTC), namespaces=parsed.all_namespaces))
    else:
        where = "any namespace" if parsed.all_namespaces else f"namespace {session.namespace}"
        paper().print(f"No jobs in {where}.")
    return 0


def table(jobs: Sequence[Mapping[str, Any]], now: datetime, *, namespaces: bool = False) -> Table:
    """Return a row for each job."""
    drawn = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="")
    for heading in ("NAMESPACE", *_COLUMNS) if namespaces else _COLUMNS:
        drawn.add_column(heading, no_wrap=True)
    for job in jobs:
        cells = [job["metadata"]["namespace"]] if namespaces else []
        drawn.add_row(*(Text(plain(cell)) for cell in (*cells, *_cells(job, now))))
    return drawn


def _cells(job: Mapping[str, Any], now: datetime) -> list[str]:
    status, name = job.get("status") or {}, job["metadata"]["name"]
    counts, best = status.get("trialCounts") or {}, status.get("bestTrial") or {}
    saved = (status.get("earlyStopping") or {}).get("secondsSaved", 0)
    return [
        name,
        phase(job),
        _best(best),
        best.get("name", "-").removeprefix(f"{name}-"),
        status.get("progress", "-"),
        str(counts.get("running", 0)),
        str(counts.get("earlyStopped", 0)),
        str(counts.get("failed", 0)),
        duration(status.get("totalTrainingSeconds", 0)),
        duration(saved) if saved else "-",
        age(time_in(job["metadata"].get("creationTimestamp")), now),
    ]


def _best(best: Mapping[str, Any]) -> str:
    """The objective or, once it is confirmed, the mean and the deviation of the repetitions."""
    if "confirmation" in best:
        return str(best["display"])
    return number(best["objective"]) if "objective" in best else "-"
