from __future__ import annotations

import copy
import threading
from typing import TYPE_CHECKING, Any, cast

import pytest

from tuning_operator.api import names
from tuning_operator.api.job import parse_job
from tuning_operator.api.trial import parse_trial
from tuning_operator.core.lifecycle.parents import inherit
from tuning_operator.runtime.kubernetes.errors import ApiError, ErrorKind
from tuning_operator.runtime.queue import JobKey
from tuning_operator.runtime.reconciler import parents
from tuning_operator.runtime.reconciler.parents import Parents

if TYPE_CHECKING:
    from tuning_operator.core.model.parent import Parent
    from tuning_operator.runtime.kubernetes.store import Store

Body = dict[str, Any]
KEY = JobKey("ns", "heir")


def job_body(name: str, phase: str = "Completed", **spec: Any) -> Body:
    return {
        "metadata": {"name": name, "namespace": "ns", "uid": f"uid-{name}", "generation": 1},
        "spec": {
            "objective": {"metric": "loss", "goal": "Minimize"},
            "parameters": [{"name": "x", "continuous": {"min": 0, "max": 1}}],
            "limits": {"maxTrials": 4, "maxParallelTrials": 2},
            "template": {"spec": {"containers": [{"name": "train", "image": "x"}]}},
            **spec,
        },
        "status": {"phase": phase, "observedGeneration": 1, "completionTime": "2026-05-04T12:00:00Z"},
    }


def trial_body(job: str, number: int, value: str, uid: str = "") -> Body:
    return {
        "metadata": {
            "name": f"{job}-{number:04d}",
            "uid": f"uid-{job}-{number}",
            "resourceVersion": "1",
            "ownerReferences": [names.owner_reference(names.JOB_KIND, job, uid or f"uid-{job}")],
        },
        "spec": {"number": number, "parameters": {"x": "0.5"}, "seed": 1},
        "status": {"phase": "Completed", "curve": {"epochs": [1], "values": [value]}},
    }


class FakeCluster:
    """Jobs and trials by name, and what was asked."""

    def __init__(self) -> None:
        self.jobs = {name: job_body(name) for name in ("base", "other")}
        self.trials = {"base": [trial_body("base", 1, "0.5"), trial_body("base", 2, "0.25", "earlier")], "other": []}
        self.trials["other"] = [trial_body("other", 1, "NaN")]
        self.asked: list[str] = []

    async def get_job(self, _namespace: str, name: str) -> Body:
        self.asked.append(name)
        if name not in self.jobs:
            raise ApiError(ErrorKind.NOT_FOUND, "not found")
        return copy.deepcopy(self.jobs[name])

    async def list_trials(self, _namespace: str, job: str) -> list[Body]:
        self.asked.append(f"trials of {job}")
        return copy.deepcopy(self.trials[job])


class Bench:
    """A job with two parents, and the operator's process that reads them."""

    def __init__(self) -> None:
        self.cluster = FakeCluster()
        warm_start = {"type": "IdenticalDataAndAlgorithm", "parents": ["base", "other"]}
        self.job = parse_job(job_body("heir", "Running", warmStart=warm_start)).job
        self.restart()

    def restart(self) -> None:
        self.parents = Parents(cast("Store", self.cluster))

    async def read(self, trials: int = 0, phase: str = "Completed") -> dict[str, Parent]:
        own = [parse_trial(trial_body("heir", number + 1, "1"), self.job.spec) for number in range(trials)]
        if phase != "Completed":
            bodies = [trial_body("heir", number + 1, "1") | {"status": {"phase": phase}} for number in range(trials)]
            own = [parse_trial(body, self.job.spec) for body in bodies]
        self.cluster.asked.clear()
        return {parent.name: parent for parent in await self.parents.read(KEY, self.job, own)}


@pytest.fixture
def bench() -> Bench:
    return Bench()


async def test_the_trials_of_a_parent_are_read_once(bench: Bench) -> None:
    found = await bench.read()
    assert [item.objective for item in found["base"].observations] == [0.5]  # the other is an earlier job's
    assert (found["base"].total, found["other"].total, found["other"].best) == (1, 1, None)
    assert await bench.read() == found
    assert bench.cluster.asked == ["base", "other"]


@pytest.mark.parametrize(("trials", "phase"), [(2, "Running"), (4, "Completed")])
async def test_nothing_is_read_while_no_trial_can_be_added(bench: Bench, trials: int, phase: str) -> None:
    found = await bench.read()
    assert await bench.read(trials, phase) == found
    assert bench.cluster.asked == []
    bench.restart()
    assert await bench.read(trials, phase) == found  # what is known is shown in the status


async def test_a_parent_that_is_deleted_stays_known_to_the_process(bench: Bench) -> None:
    before = (await bench.read())["base"]
    bench.cluster.jobs["base"]["metadata"]["deletionTimestamp"] = "2026-05-04T12:00:00Z"
    assert (await bench.read())["base"].obstacle
    base = bench.cluster.jobs.pop("base")
    gone = (await bench.read())["base"]
    assert gone.obstacle
    assert (gone.obstacle.reason, gone.observations, gone.best) == ("ParentMissing", before.observations, before.best)
    bench.restart()
    assert (await bench.read())["base"].observations == ()
    bench.cluster.jobs["base"] = job_body("base")
    assert (await bench.read())["base"] == before
    bench.cluster.jobs["base"] = base | {"metadata": {**base["metadata"], "uid": "new"}}
    bench.cluster.jobs["base"]["metadata"].pop("deletionTimestamp")
    found = (await bench.read())["base"]
    assert found.obstacle  # of another job of that name, of which there are no trials
    assert (found.uid, found.obstacle.reason) == ("new", "NoResult")


async def test_a_parent_that_goes_on_is_read_anew_when_it_has_ended_again(bench: Bench) -> None:
    await bench.read()
    bench.cluster.jobs["base"]["status"] = {"phase": "Running", "observedGeneration": 1}
    bench.cluster.trials["base"].append(trial_body("base", 3, "0.125"))
    found = (await bench.read())["base"]
    assert found.obstacle
    assert (found.obstacle.reason, len(found.observations)) == ("ParentNotFinished", 1)
    status = {"phase": "Completed", "observedGeneration": 1, "completionTime": "2026-05-05T12:00:00Z"}
    bench.cluster.jobs["base"]["status"] = status
    found = (await bench.read())["base"]
    assert (found.obstacle, len(found.observations)) == (None, 2)


async def test_trials_of_a_parent_are_read_beside_the_loop(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    threads = set()

    def noted(*given: Any) -> Parent:
        threads.add(threading.get_ident())
        return inherit(*given)

    monkeypatch.setattr(parents, "inherit", noted)
    await bench.read()
    assert threads
    assert threading.get_ident() not in threads


async def test_a_parent_that_is_not_understood_is_named(bench: Bench) -> None:
    bench.cluster.jobs["base"]["spec"]["strategy"] = "Annealing"
    bench.cluster.trials["other"][0]["spec"]["parameters"] = {"y": "1"}
    found = await bench.read()
    assert [parent.obstacle.reason for parent in found.values() if parent.obstacle] == ["ParentInvalid"] * 2


async def test_a_job_that_has_ended_has_no_use_for_its_parents(bench: Bench) -> None:
    await bench.read()
    bench.job = parse_job(job_body("heir", warmStart={"type": "IdenticalDataAndAlgorithm", "parents": ["base"]})).job
    assert await bench.read() == {}
    assert bench.cluster.asked == []
