"""What the largest objects that the API server accepts cost: the operator works for others meanwhile."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit import builders as build
from tuning_operator.api import names
from tuning_operator.api.job import parse_job
from tuning_operator.api.pods import build_pod
from tuning_operator.api.trial import parse_trial
from tuning_operator.core.decide import decide
from tuning_operator.core.model.trial import Trial
from tuning_operator.core.space import Categorical

if TYPE_CHECKING:
    from collections.abc import Callable

    from tuning_operator.core.space import Parameter, Value

GENEROUS = 0.5
"""Seconds of processor time: ten times what each takes on a busy machine, and less than anybody notices."""

TEMPLATE = {"spec": {"containers": [{"name": "t", "image": "x"}]}}
LONGEST = "v" * 125


def body(**spec: Any) -> dict[str, Any]:
    known: dict[str, Any] = {
        "objective": {"metric": "m", "goal": "Maximize"},
        "parameters": [{"name": "lr", "continuous": {"min": 0.1, "max": 1}}],
        "limits": {"maxTrials": 1000, "maxParallelTrials": 1},
        "template": TEMPLATE,
    }
    metadata = {"name": "j", "namespace": "n", "uid": "u", "resourceVersion": "1"}
    return {"metadata": metadata, "spec": known | spec}


def container(**fields: Any) -> dict[str, Any]:
    return {"spec": {"containers": [{"name": "t", "image": "x", **fields}]}}


CATEGORIES = [
    {"name": f"p{number}", "categorical": {"values": [f"{index:03d}{LONGEST}" for index in range(128)]}}
    for number in range(64)
]
WIDE = {"min": -(2**53), "max": 2**53, "step": 1}
JOBS = {
    "64 parameters of 128 values": body(parameters=CATEGORIES),
    "64 wide integers": body(parameters=[{"name": f"p{number}", "integer": WIDE} for number in range(64)]),
    "64 static parameters": body(staticParameters={f"s{number}": "x" * 1024 for number in range(64)}),
    "many variables": body(template=container(env=[{"name": f"e{n}", "value": "y" * 20} for n in range(30_000)])),
    "many arguments": body(template=container(args=["x"] * 300_000)),
    "references without an end": body(template=container(args=["$(" * 700_000])),
    "a name without an end": body(
        template=container(args=[f"$({'x' * 1_400_000})"], command=["sh", "-c", "$(" * 1000])
    ),
    "many containers": body(
        template={"spec": {"containers": [{"name": f"c{number}", "image": "x"} for number in range(20_000)]}}
    ),
}


def seconds(work: Callable[[], object]) -> float:
    """Processor time, the least of several runs: the others were disturbed."""

    def once() -> float:
        begin = time.process_time()
        work()
        return time.process_time() - begin

    return min(once() for _ in range(3))


def _first(parameter: Parameter) -> Value:
    return parameter.values[0] if isinstance(parameter, Categorical) else parameter.minimum


@pytest.mark.parametrize("job", JOBS.values(), ids=JOBS)
def test_the_largest_jobs_are_read_and_their_pods_built_in_no_time(job: dict[str, Any]) -> None:
    def work() -> None:
        read = parse_job(job)
        texts = {item.name: _first(item) for item in read.job.spec.space.parameters}
        build_pod(read.job, read.template, Trial("j-0001", 1, texts, 1, uid="u"))

    assert seconds(work) < GENEROUS


def test_many_trials_of_the_largest_space_are_read_and_decided_on_in_no_time() -> None:
    space = parse_job(JOBS["64 parameters of 128 values"]).job.spec.space
    spec = replace(build.job(trials=1000, parallel=4).spec, space=space)
    job = replace(build.job(), spec=spec)
    bodies = [
        {
            "metadata": {"name": f"job-{number:04d}", "uid": f"u{number}", "resourceVersion": "1"},
            "spec": {
                "number": number,
                "seed": 1,
                "parameters": {f"p{index}": f"{number % 128:03d}{LONGEST}" for index in range(64)},
            },
            "status": {"phase": "Completed", "curve": {"epochs": [1], "values": ["0.5"]}, "epochs": 1},
        }
        for number in range(1, 901)
    ]
    assert seconds(lambda: decide(build.snapshot(job, [parse_trial(item, spec) for item in bodies]))) < GENEROUS


def test_names_are_told_apart_without_compiling_a_pattern_for_each() -> None:
    pods = [f"job-{number:04d}-{attempt}" for number in range(1000) for attempt in range(1, 6)]
    assert seconds(lambda: [names.attempt_number(pod, "job-0500") for pod in pods]) < GENEROUS / 5


@pytest.mark.parametrize(
    ("pod", "number"),
    [
        ("job-0001-1", 1),
        ("job-0001-12", 12),
        ("job-0001-999999999", 999_999_999),
        ("job-0001-1000000000", None),
        ("job-0001-01", None),
        ("job-0001-0", None),
        ("job-0001-", None),
        ("job-0001", None),
        ("job-0001--1", None),
        ("job-0001-1x", None),
        ("job-0001-\u0661", None),
        ("1", None),
        ("other-0001-1", None),
    ],
)
def test_the_number_of_an_attempt(pod: str, number: int | None) -> None:
    assert names.attempt_number(pod, "job-0001") == number
