"""`best`: the setting that won, as a manifest that trains it again without the tuner, or as variables for a shell."""

from __future__ import annotations

import json
import re
import shlex
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

from tuning_client.commands.cluster import run, write_json
from tuning_client.convert.files import write
from tuning_client.errors import TuningError
from tuning_client.estimator import training_container
from tuning_client.exports.trials import typed
from tuning_client.session import GROUP

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

    from tuning_client.session import Session

    Body = Mapping[str, Any]

MODEL_DIR = "TUNING_MODEL_DIR"
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
"""Static values that a training gets as numbers."""


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser], flags: argparse.ArgumentParser) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "best",
        parents=[flags],
        help="write the best hyperparameters as a manifest or as environment variables",
        description="Write a Pod or a batch Job that trains with the best hyperparameters again, without the tuner, "
        'or the environment of that training for a shell: `set -a; eval "$(kubectl tuning best JOB -o env)"`.',
    )
    parser.add_argument("job")
    parser.add_argument("-o", "--output", choices=("yaml", "json", "env"), default="yaml", help="default: yaml")
    parser.add_argument("--kind", choices=("Pod", "Job"), default="Pod", help="kind of the manifest; default: Pod")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="another value for a hyperparameter, such as epochs=100; repeatable",
    )
    parser.set_defaults(run=partial(run, _best))


def _best(session: Session, parsed: argparse.Namespace) -> int:
    job: Body = session.job(parsed.job)
    best = (job.get("status") or {}).get("bestTrial")
    if not best:
        raise TuningError(
            f"no trial of {parsed.job} has ended with an objective: wait for one, or see `why {parsed.job}`"
        )
    job, trial = with_values(job, session.trial(best["name"]), parsed.set)
    if parsed.output == "env":
        sys.stdout.write("".join(f"{name}={shlex.quote(value)}\n" for name, value in environment(job, trial).items()))
        return 0
    made = manifest(job, trial, parsed.kind)
    if parsed.output == "json":
        write_json(made)
    else:
        sys.stdout.write(write([made]))
    return 0


def with_values(job: Body, trial: Body, given: Sequence[str]) -> tuple[Body, Body]:
    """Return the job and the trial with other values of hyperparameters.

    Raises:
        TuningError: one is not NAME=VALUE, or not a hyperparameter of the job.
    """
    static, tuned = dict(job["spec"].get("staticParameters") or {}), dict(trial["spec"]["parameters"])
    for item in given:
        name, equals, value = item.partition("=")
        if not equals or (name not in tuned and name not in static):
            known = ", ".join(sorted({*tuned, *static}))
            raise TuningError(f"--set {item}: write NAME=VALUE, where NAME is one of {known}")
        if name in tuned:
            _check(item, next((each for each in job["spec"]["parameters"] if each["name"] == name), {}), value)
        (tuned if name in tuned else static)[name] = value
    return (
        {**job, "spec": {**job["spec"], "staticParameters": static}},
        {**trial, "spec": {**trial["spec"], "parameters": tuned}},
    )


def _check(item: str, parameter: Body, value: str) -> None:
    try:
        typed(parameter, value)
    except ValueError:
        raise TuningError(f"--set {item}: {parameter['name']} is a number: write one") from None


def environment(job: Body, trial: Body) -> dict[str, str]:
    """Return the variables that the training got, except those for the tuner alone."""
    static, tuned = job["spec"].get("staticParameters") or {}, trial["spec"]["parameters"]
    kinds = {parameter["name"]: parameter for parameter in job["spec"]["parameters"]}
    values = {name: json.loads(text) if _NUMBER.fullmatch(text) else text for name, text in static.items()}
    values |= {name: typed(kinds.get(name, {}), text) for name, text in tuned.items()}
    return {
        **{f"HP_{name}": value for name, value in {**static, **tuned}.items()},
        "HYPERPARAMETERS": json.dumps(values),
        "TUNING_SEED": str(trial["spec"]["seed"]),
        "TUNING_OBJECTIVE_METRIC": job["spec"]["objective"]["metric"],
        "TUNING_OBJECTIVE_GOAL": job["spec"]["objective"]["goal"],
    }


def manifest(job: Body, trial: Body, kind: str) -> dict[str, Any]:
    """Return a Pod or a batch Job that trains as the trial did.

    Raises:
        TuningError: the trial trained on several nodes, which needs a Service and more beside it.
    """
    if job["spec"].get("nodes", 1) > 1:
        raise TuningError(
            f"{job['metadata']['name']} trains on {job['spec']['nodes']} nodes, of which no single Pod can be made: "
            "take the variables of `-o env` into a manifest for several nodes"
        )
    template = json.loads(json.dumps(job["spec"]["template"]))
    container = training_container(template)
    variables = environment(job, trial)
    name = f"{job['metadata']['name']}-best"
    own = [_own(item, name) for item in container.get("env") or () if item["name"] not in variables]
    container["env"] = [*({"name": name, "value": _literal(value)} for name, value in variables.items()), *own]
    spec = {**template["spec"], "restartPolicy": "Never"}
    metadata = {"name": name, **_kept(template.get("metadata") or {})}
    if kind == "Pod":
        return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
    labels = {key: value for key, value in metadata.items() if key != "name"}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": metadata,
        "spec": {"backoffLimit": 0, "template": {**({"metadata": labels} if labels else {}), "spec": spec}},
    }


def _own(variable: Body, name: str) -> Body:
    """A variable of the template; models go into a separate folder, beside those of the trials."""
    if variable["name"] != MODEL_DIR or not variable.get("value"):
        return variable
    return {**variable, "value": f"{variable['value'].rstrip('/')}/{name}"}


def _literal(value: str) -> str:
    """The text as Kubernetes reads it: $$ is a dollar sign, where $(NAME) would be a reference."""
    return value.replace("$", "$$")


def _kept(metadata: Body) -> dict[str, Any]:
    """The template's labels and annotations but those that make a Pod a trial's."""
    kept = {
        field: {key: value for key, value in (metadata.get(field) or {}).items() if not key.startswith(f"{GROUP}/")}
        for field in ("labels", "annotations")
    }
    return {field: values for field, values in kept.items() if values}
