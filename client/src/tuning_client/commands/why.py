"""`why`: what a job or a trial does, in the operator's own sentences, and the numbers that decided."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from tuning_client.commands.cluster import job_and_trial, output, paper, run, write_json
from tuning_client.describe import phase
from tuning_client.errors import NotFoundError
from tuning_client.story import STATES
from tuning_client.text import duration, number, plain

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping, Sequence

    from tuning_client.session import Session

    Body = Mapping[str, Any]

_CONTROLLER = "tuning-operator.dev/tuning-operator"
_SOURCE = "tuning-operator.dev/suggestion-source"
_SOURCE_MESSAGE = "tuning-operator.dev/suggestion-message"


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser], flags: argparse.ArgumentParser) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "why",
        parents=[flags],
        help="explain the state of a job or a trial",
        description="Show a job's phase, its conditions and the results of its trials, or the decision "
        "about a trial with its epoch, value and threshold.",
    )
    parser.add_argument("job", metavar="JOB[/TRIAL]", help="a job, or one of its trials by name or number")
    output(parser, "json")
    parser.set_defaults(run=partial(run, _why))


def _why(session: Session, parsed: argparse.Namespace) -> int:
    name, trial_name = job_and_trial(parsed.job)
    job = session.job(name)
    trials = session.trials(job)
    if trial_name is None:
        lines, value = about_job(job, trials), {"job": job, "trials": trials}
    else:
        trial = next((item for item in trials if item["metadata"]["name"] == trial_name), None)
        if trial is None:
            raise NotFoundError(f"{name} has no trial {trial_name} in namespace {session.namespace}")
        lines, value = about_trial(job, trial), trial
    if parsed.output == "json":
        write_json(value)
        return 0
    console = paper()
    for line in lines:
        console.print(plain(line))
    return 0


def about_job(job: Body, trials: Sequence[Body]) -> Iterator[str]:
    """Say what a job does, a sentence a line."""
    status = job.get("status") or {}
    reason = f" ({status['completionReason']})" if "completionReason" in status else ""
    message = f": {status['message']}" if status.get("message") else ""
    yield f"{job['metadata']['name']} is {phase(job)}{reason}{message}"
    if job["spec"].get("managedBy", _CONTROLLER) != _CONTROLLER:
        yield f"spec.managedBy: {job['spec']['managedBy']} manages it, and this operator leaves it alone"
    elif not status:
        yield "The operator has not looked at it yet: does it run, and does it watch this namespace?"
    best = status.get("bestTrial")
    if best:
        yield f"best so far: {best['name']} with {number(best['objective'])} at epoch {best['epoch']}"
    yield from _confirmation(status.get("confirmation") or {})
    if status.get("cost"):
        cost = status["cost"]
        price = f", {cost['spent']} {cost.get('currency', '')}".rstrip() if "spent" in cost else ""
        yield f"cost: {cost['gpuHours']} GPU hours{price}"
    if status.get("suggestion"):
        newest = status["suggestion"]
        yield f"newest suggestion: trial {newest['trial']}, {newest['source']}: {newest.get('message', '')}"
    savings = status.get("earlyStopping")
    if savings:
        saved = f"{savings['epochsSaved']} epochs, {duration(savings['secondsSaved'])}"
        yield f"early stopping: {savings['stopped']} trials stopped, about {saved} saved"
        if savings.get("message"):
            yield savings["message"]
    yield from _conditions(status.get("conditions") or ())
    others = [trial for trial in trials if phase(trial) != "Completed"]
    if others:
        yield ""
        yield "trials that run, wait or did not complete:"
    for trial in others:
        yield f"  {_in_a_line(trial)}"


def _confirmation(confirmation: Body) -> Iterator[str]:
    if confirmation:
        yield f"confirmation: {confirmation['message']}"
    for setting in confirmation.get("settings") or ():
        mean = f"mean {number(setting['mean'])}" if "mean" in setting else "no value yet"
        spread = f" ± {number(setting['standardDeviation'])}" if "standardDeviation" in setting else ""
        with_seeds = f"{mean}{spread} with {setting['repetitions']} other seeds"
        yield f"  {setting['trial']}: {number(setting['objective'])} in the search, {with_seeds}"


def _conditions(conditions: Sequence[Body]) -> Iterator[str]:
    if conditions:
        yield ""
        yield "conditions:"
    width = max((len(item["type"]) for item in conditions), default=0)
    for item in conditions:
        since = f", since {item['lastTransitionTime']}" if "lastTransitionTime" in item else ""
        message = f": {item['message']}" if item.get("message") else ""
        yield f"  {item['type']:<{width}}  {item['status']:<7} {item['reason']}{message}{since}"


def _in_a_line(trial: Body) -> str:
    status = trial.get("status") or {}
    cause = status.get("message") or status.get("reason") or ""
    return f"{trial['metadata']['name']} {STATES.get(phase(trial), phase(trial))}{f': {cause}' if cause else ''}"


_DECISIONS = (
    ("stopped", "stopDecision"),
    ("paused", "pauseDecision"),
    ("would have been stopped (dry run)", "wouldStop"),
)


def about_trial(job: Body, trial: Body) -> Iterator[str]:
    """Explain a trial's state, one sentence per line."""
    status, annotations = trial.get("status") or {}, trial["metadata"].get("annotations") or {}
    reason = f" ({status['reason']})" if status.get("reason") else ""
    message = f": {status['message']}" if status.get("message") else ""
    yield f"{trial['metadata']['name']} is {phase(trial)}{reason}{message}"
    for kind, field in _DECISIONS:
        if field in status:
            yield f"{kind}: {_decision(status[field])}"
    if "confirms" in trial["spec"]:
        yield f"trains trial {trial['spec']['confirms']} again, with seed {trial['spec']['seed']}"
    yield "parameters: " + ", ".join(f"{name}={value}" for name, value in trial["spec"]["parameters"].items())
    if _SOURCE in annotations:
        said = annotations.get(_SOURCE_MESSAGE, "")
        yield f"chosen by: {annotations[_SOURCE]}{f': {said}' if said else ''}"
    if "objectiveEpoch" in status:
        metric = job["spec"]["objective"]["metric"]
        yield f"{metric}: {number(status['objective'])} at epoch {status['objectiveEpoch']} of {status['epochs']} known"
    others = [item for item in status.get("metrics") or () if item["name"] != job["spec"]["objective"]["metric"]]
    if others:
        yield "other metrics: " + ", ".join(f"{item['name']} {number(item['value'])}" for item in others)
    yield (
        f"attempt {status.get('attempt', 1)}; {status.get('disruptions', 0)} disruptions, "
        f"{status.get('failures', 0)} failures; {duration(status.get('trainingSeconds', 0))} of training"
    )
    for kind, field in (("started", "startTime"), ("ended", "completionTime")):
        if field in status:
            yield f"{kind}: {status[field]}"


def _decision(decision: Body) -> str:
    numbers = ", ".join(f"{name} {decision[name]}" for name in ("epoch", "value", "threshold") if name in decision)
    said = decision.get("message", "")
    return f"{decision['reason']}{f': {said}' if said else ''}{f' ({numbers})' if numbers else ''}"
