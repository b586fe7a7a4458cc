from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest

from benchmarks.scale import growth, report
from benchmarks.scale.byhand import ByHand
from benchmarks.scale.kubelet import Pod
from benchmarks.scale.lab import Run
from benchmarks.scale.loads import LOADS, Load
from benchmarks.scale.meters import Reading

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

CREATES = 'apiserver_request_total{code="201",resource="%s",verb="POST"}'


def pod(number: int, created: float, ended: float | None, *, job: str = "job", attempt: int = 1) -> Pod:
    uid = f"uid-{job}-{number}-{attempt}"
    return Pod("ns", f"{job}-{number:04d}-{attempt}", uid, job, "training", 5.0, 20, created, created, ended)


def run_of(*pods: Pod, trials: int = 4, parallel: int = 2) -> Run:
    return Run(Load("a test", trials=trials, parallel=parallel), ended=100.0, pods=list(pods))


def reading(at: float, **fields: Any) -> Reading:
    empty: Mapping[Any, Any] = {}
    cpu = {"operator": at / 10, "API server": at / 5}
    return replace(Reading(at, 2, 0, cpu, {"operator": 100.0}, empty, empty, empty), **fields)


@dataclass
class PlayedServer:
    """An API server and a kubelet in one: a Pod that is created is there at once."""

    pods: dict[str, Pod] = field(default_factory=dict)
    deleted: list[str] = field(default_factory=list)

    async def create(self, path: str, body: Any) -> None:
        assert path == "/api/v1/namespaces/ns/pods"
        name, job = body["metadata"]["name"], body["metadata"]["labels"]["tuning-operator.dev/job"]
        assert name not in self.pods
        self.pods[name] = Pod("ns", name, name, job, "training", 5.0, 20, 0.0)

    async def delete(self, path: str) -> None:
        self.deleted.append(path.rpartition("/")[2])


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - what is waited for is state of the code under test
            await asyncio.sleep(0.01)


def test_a_slot_waits_from_the_end_of_a_pod_to_the_next_creation_in_its_job() -> None:
    """Slots have no names: the first that is free is the first that is taken."""
    run = run_of(
        *(pod(1, 0, 10), pod(2, 0, 12), pod(3, 10.5, 20), pod(4, 14, 110)),
        *(pod(1, 0, 11, job="other"), pod(2, 0, 13, job="other"), pod(3, 11.25, 120, job="other")),
        trials=6,
    )
    assert sorted(wait for waits in report.turnarounds(run).values() for wait in waits) == pytest.approx(
        [0.25, 0.5, 2.0]
    )
    assert report.overall(run)["slots whose next trial never came, and since when"] == "2, 87 s"


def test_waits_for_an_operator_that_was_killed_are_counted_with_and_without() -> None:
    pods = [pod(1, 0, 10), pod(2, 0, 12), pod(3, 10.5, 30), pod(4, 18, 40), pod(5, 31, None)]
    run = replace(run_of(*pods, trials=6), restarts=[(11, 18, 1)])
    assert report.turnarounds(run) == {0: [0.5], 1: [6.0], 2: [1.0]}
    assert report.without_outages(run) == [0.5, 1.0]


def test_percentiles_are_by_finished_trials() -> None:
    pods = [pod(number, number, number + 1.5) for number in range(10)]
    assert list(report.turnarounds(run_of(*pods, trials=10, parallel=1))) == [0, 2, 4, 6, 8]


def test_a_name_that_was_created_twice_is_told() -> None:
    run = run_of(pod(1, 0, 10), replace(pod(1, 5, None), uid="another"), pod(2, 0, 10, attempt=2))
    assert report.created_twice(run) == ["job-0001-1"]
    assert report.overall(run)["names of Pods created twice"] == "1"
    assert report.overall(run)["second attempts"] == "1"


def test_counters_of_a_process_that_was_restarted_begin_at_nothing() -> None:
    seconds = [3.0, 5.0, 1.0, 1.5]
    readings = [reading(at, cpu={"operator": used}) for at, used in enumerate(seconds)]
    assert growth.of_process(readings, "operator") == pytest.approx(3.5)
    name = 'tuning_operator_reconcile_seconds_count{result="ok"}'
    passes = [reading(at, own={name: count}) for at, count in enumerate((10, 14, 2))]
    assert growth.passes(passes) == (6, 0)


def test_writes_are_those_of_all_but_the_kubelet() -> None:
    sent = {("POST", "pods"): 5}
    first = reading(0, server={CREATES % "pods": 10.0}, sent={("POST", "pods"): 1})
    last = reading(10, server={CREATES % "pods": 20.0, CREATES % "events": 3.0}, sent=sent)
    assert growth.writes(first, last) == (9.0, 3.0)
    assert growth.by_kind(first, last) == {"POST pods": 6.0, "POST events": 3.0}


def test_pods_by_hand_are_counted_without_an_operator() -> None:
    """What is not there uses nothing, and has no row."""
    readings = [
        replace(
            reading(at, server={CREATES % "pods": at}, created=2, ended=0),
            cpu={"API server": at / 5},
            memory={"API server": 100.0},
        )
        for at in (0.0, 10.0, 20.0)
    ]
    found = report.overall(replace(run_of(pod(1, 0, None), pod(2, 0, None)), readings=readings))
    assert found["slots filled, nothing ends: writes a second, cores of API server"] == "1.00, 0.20"
    assert not [name for name in found if name.startswith("CPU of operator")]


async def test_slots_filled_by_hand_are_filled_again_until_the_load_is_over() -> None:
    it: Any = PlayedServer()
    load = Load("a test", jobs=2, trials=2, parallel=1)
    filling = asyncio.create_task(ByHand(it, it, load, "ns").run())
    first = ["job000-0001-1", "job001-0001-1"]
    await until(lambda: sorted(it.pods) == first)
    for each in first:
        it.pods[each].ended = 1.0
    second = ["job000-0002-1", "job001-0002-1"]
    await until(lambda: sorted(it.pods) == sorted(first + second) and sorted(it.deleted) == first)
    for each in second:
        it.pods[each].ended = 2.0
    await until(lambda: sorted(it.deleted) == sorted(first + second))
    filling.cancel()
    assert len(it.pods) == load.jobs * load.trials


def test_what_is_used_at_rest_is_used_while_nothing_begins_or_ends() -> None:
    full = {"created": 2, "ended": 0}
    readings = [
        reading(at, server={CREATES % "tuningtrials": count}, **(full if at < 30 else {"created": 3, "ended": 1}))
        for at, count in ((0, 0.0), (10, 20.0), (20, 40.0), (30, 900.0))
    ]
    run = replace(run_of(pod(1, 0, None), pod(2, 0, None)), readings=readings)
    report_text = report.overall(run)
    title = "slots filled, nothing ends: writes a second, cores of operator and API server"
    assert report_text[title] == "2.00, 0.10, 0.20"


def test_columns_may_lack_rows_of_others() -> None:
    report_text = report.table({"before": {"a": "1", "b": "2"}, "after": {"b": "3", "c": "4"}})
    assert [line.split("|")[1:4] for line in report_text.replace(" ", "").splitlines()][2:] == [
        ["a", "1", ""],
        ["b", "2", "3"],
        ["c", "", "4"],
    ]


@pytest.mark.parametrize("name", LOADS)
def test_every_load_is_a_job_that_can_run(name: str) -> None:
    load = LOADS[name]
    spec = load.manifest("ns", 0)["spec"]
    assert spec["limits"]["maxParallelTrials"] <= min(100, spec["limits"]["maxTrials"])
    assert spec["limits"]["maxTrials"] <= 1000
    assert len(spec["parameters"]) == load.parameters


def test_the_termination_message_fits_and_has_the_first_and_the_last_epoch() -> None:
    short, long = pod(1, 0, None), replace(pod(1, 0, None), epochs=5000)
    assert '"thinned": false' in short.message()
    assert len(long.message()) <= 4096
    assert "[1, " in long.message()
    assert ", 5000]" in long.message()
