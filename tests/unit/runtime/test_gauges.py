from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.builders import ago
from tests.unit.runtime.bench import JOB, POD, bench
from tuning_operator.api.termination import MAX_EPOCH
from tuning_operator.core.model.attempt import Reading
from tuning_operator.core.model.curves import Curve
from tuning_operator.core.model.sources import Gauges, Selector
from tuning_operator.runtime.prometheus.answers import PrometheusError
from tuning_operator.runtime.prometheus.gauges import build_query, parse_answer
from tuning_operator.runtime.prometheus.interest import Interest

if TYPE_CHECKING:
    from collections.abc import Mapping

    Samples = Mapping[int, float] | Mapping[float, float]

SOURCE = Gauges(Selector("accuracy", (("split", "val"),)), Selector("epochs"))
WINDOW = {POD: 300_000}


def gauge(name: str, samples: Samples, pod: str = POD, **labels: str) -> dict[str, Any]:
    values = [[time, str(value)] for time, value in samples.items()]
    return {"metric": {"__name__": name, "pod": pod, **labels}, "values": values}


def matrix(*result: dict[str, Any]) -> dict[str, Any]:
    return {"status": "success", "data": {"resultType": "matrix", "result": list(result)}}


def read(values: Samples, epochs: Samples, window: int = 300_000) -> list[tuple[float, float]]:
    answer = matrix(gauge("accuracy", values, split="val"), gauge("epochs", epochs))
    return list(parse_answer(answer, SOURCE, {POD: window})[POD])


def test_the_query_asks_for_both_gauges_at_once() -> None:
    assert build_query("ns", ["b-1", "a-1"], SOURCE, 60_000) == (
        r'{__name__=~"accuracy|epochs",namespace="ns",pod=~"a\\-1|b\\-1"}[60000ms]'
    )


@pytest.mark.parametrize(
    ("values", "epochs", "curve"),
    [
        ({10: 0.1, 20: 0.2}, {10: 1, 20: 2}, [(1, 0.1), (2, 0.2)]),
        ({10: 0.1, 20: 0.2, 30: 0.2}, {10: 1, 20: 1, 30: 2}, [(1, 0.1), (2, 0.2)]),  # the first value of an epoch
        ({10: 0.1, 20: 0.5}, {10: 1, 20: 5}, [(1, 0.1), (5, 0.5)]),  # what no scrape saw is missing
        ({10: 0.0, 20: 0.1}, {10: 0, 20: 1}, [(1, 0.1)]),  # no epoch has ended
        ({10: 0.1, 21: 0.2}, {10: 1, 20: 2}, [(1, 0.1)]),  # of different scrapes
        ({10: 0.1, 20: 0.2}, {10: 0.5, 20: 1.50000000001}, [(0.5, 0.1), (1.5, 0.2)]),
        ({10: 0.1}, {10: 1e-9}, []),
        ({10: 0.1}, {10: float("nan")}, []),
        ({10: 0.1}, {10: 1e9}, []),
        ({}, {10: 1}, []),
    ],
)
def test_a_value_belongs_to_the_epoch_of_the_same_scrape(
    values: Samples, epochs: Samples, curve: list[tuple[float, float]]
) -> None:
    assert read(values, epochs) == curve


def test_a_pod_is_asked_about_its_own_time_only() -> None:
    samples = {100: 0.9, 390: 0.1, 400: 0.2}
    assert read(samples, {100: 7, 390: 1, 400: 2}, window=50_000) == [(1, 0.1), (2, 0.2)]


def test_labels_tell_series_apart_and_other_pods_do_not_count() -> None:
    answer = matrix(
        gauge("accuracy", {10: 0.9}, split="train"),
        gauge("accuracy", {10: 0.1}, split="val"),
        gauge("accuracy", {10: 0.3}, split="val", pod="other-1"),
        gauge("epochs", {10: 1}, rank="0"),
        gauge("epochs", {10: 1}, pod="other-1"),
    )
    assert parse_answer(answer, SOURCE, WINDOW) == {POD: Curve.of([(1, 0.1)])}


@pytest.mark.parametrize(
    "answer",
    [
        {"status": "error"},
        {"status": "success", "data": {"resultType": "vector", "result": []}},
        matrix({"metric": {"__name__": "epochs"}}),
        matrix({"metric": {"__name__": "epochs"}, "values": [[1]]}),
        matrix({"metric": {"__name__": "epochs"}, "values": [[1, "x"]]}),
        matrix(gauge("epochs", {10: 1})) | {"warnings": ["partial"]},
    ],
)
def test_an_answer_that_is_not_whole_is_none(answer: Any) -> None:
    with pytest.raises(PrometheusError):
        parse_answer(answer, SOURCE, WINDOW)


@given(st.dictionaries(st.integers(1, 10**6), st.tuples(st.floats(), st.floats())))
def test_any_samples_make_a_curve(samples: dict[int, tuple[float, float]]) -> None:
    values = {float(time): value for time, (value, _) in samples.items()}
    epochs = {float(time): epoch for time, (_, epoch) in samples.items()}
    assert all(0 < epoch <= MAX_EPOCH for epoch, _ in read(values, epochs))


async def test_what_a_gauge_showed_is_remembered_and_an_outage_is_looked_back_over() -> None:
    interests = {POD: Interest(POD, "", created=ago(4000), gauges=SOURCE)}
    async with bench(running=False) as it:
        it.poller.watch(JOB, interests)
        it.server.says(matrix(gauge("accuracy", {10: 0.1}, split="val"), gauge("epochs", {10: 1})))
        await it.poller.poll("ns")
        assert it.server.questions[-1]["query"].endswith("[4000000ms]"), "all that a new operator has missed"
        it.server.says(matrix(gauge("accuracy", {20: 0.3}, split="val"), gauge("epochs", {20: 3})))
        await it.poller.poll("ns")
        assert it.server.questions[-1]["query"].endswith("[300000ms]")
        assert it.poller.readings(JOB) == {POD: Reading(Curve.of([(1, 0.1), (3, 0.3)]))}
