"""`what-if`: what another early stopping rule would have done with a job."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import yaml
from rich.table import Table
from rich.text import Text

from tuning_client.commands.cluster import output, paper, run, write_json
from tuning_client.errors import TuningError
from tuning_client.text import duration, number, plain

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping, Sequence

    from tuning_client.session import Session

RULES = ("Auto", "Median", "Hyperband", "Off")


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser], flags: argparse.ArgumentParser) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "what-if",
        parents=[flags],
        help="replay a job's curves under another early stopping rule",
        description="Show which trials of a job another rule would have stopped, when and why, what that would have "
        "saved, and whether it would have lost the winner. Needs tuning-client[what-if].",
    )
    parser.add_argument("job")
    parser.add_argument("--rule", choices=RULES, required=True, help="the rule")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="FIELD=VALUE",
        help="a field of spec.earlyStopping.median or spec.hyperband, such as quantile=0.4; repeatable",
    )
    output(parser, "json")
    parser.set_defaults(run=partial(run, _what_if))


def _what_if(session: Session, parsed: argparse.Namespace) -> int:
    try:
        from tuning_operator.api.what_if import render, what_if  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise TuningError(
            f"what-if needs the operator's rules ({error}): pip install 'tuning-client[what-if]'"
        ) from None
    rule = parse_rule(parsed.rule, parsed.set)
    job = session.job(parsed.job)
    trials = session.trials(job)
    try:
        result = render(what_if(job, trials, rule))
    except ValueError as error:
        raise TuningError(str(error)) from error
    if parsed.output == "json":
        write_json({"job": parsed.job, "rule": rule, **result})
        return 0
    console = paper()
    console.print(table(result["trials"], parsed.job))
    for line in summary(result, len(trials)):
        console.print(plain(line))
    return 0


def parse_rule(kind: str, fields: Sequence[str]) -> dict[str, Any]:
    """Return the rule as in a job's specification.

    Raises:
        TuningError: a field is not FIELD=VALUE, or the rule has none.
    """
    knobs = {}
    for text in fields:
        name, equals, value = text.partition("=")
        if not (name and equals and value):
            raise TuningError(f"--set {text}: write FIELD=VALUE, such as quantile=0.4")
        knobs[name] = yaml.safe_load(value)
    if kind == "Hyperband":
        return {"type": kind, **knobs}
    if knobs and kind != "Median":
        raise TuningError(f"the rule {kind} has no fields to set")
    return {"type": kind, **({"median": knobs} if knobs else {})}


def table(trials: Sequence[Mapping[str, Any]], job: str) -> Table:
    """Return a row for each trial that the rule or the record stops."""
    drawn = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="")
    for heading in ("TRIAL", "RECORD", "STOPPED", "SAVED"):
        drawn.add_column(heading, no_wrap=True)
    drawn.add_column("WHY", overflow="fold")
    for trial in trials:
        stop, before = trial["stop"], trial["recordedStop"]
        if not (stop or before):
            continue
        cells = (
            trial["name"].removeprefix(f"{job}-"),
            f"stopped at {before['epoch']}" if before else trial["phase"],
            f"at {stop['epoch']}" if stop else "no",
            f"{trial['epochsSaved']:g} epochs" if stop else "-",
            stop["message"] if stop else "its further curve is not known",
        )
        drawn.add_row(*(Text(plain(cell)) for cell in cells))
    return drawn


def summary(result: Mapping[str, Any], trials: int) -> Iterator[str]:
    """Summarise the replay, and what it cannot know."""
    share = result["secondsSaved"] / result["trainingSeconds"] if result["trainingSeconds"] else 0
    yield ""
    yield (
        f"stopped: {result['stopped']} of {trials} trials; saved: {result['epochsSaved']:g} epochs, "
        f"{duration(result['secondsSaved'])} of {duration(result['trainingSeconds'])} ({share:.0%})"
    )
    best, after = result["best"], result["bestAfter"]
    if best is None:
        yield "winner: no trial has ended with an objective yet"
    elif result["winnerLost"]:
        instead = f"{after['name']} with {number(after['objective'])}" if after else "none"
        yield f"winner: {best['name']} with {number(best['objective'])} would have been lost; instead {instead}"
    else:
        yield f"winner: {best['name']} with {number(best['objective'])} would have been kept"
    yield "not known:"
    for sentence in result["unknown"]:
        yield f"- {sentence}"
