"""What a poll asks, in how many questions, and what it may leave out."""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.builders import NOW, ago
from tests.unit.runtime.bench import JOB, METRIC, POD, Bench, bench
from tests.unit.runtime.fakes import answer, prometheus_server, series
from tuning_operator.core.model.curves import Curve
from tuning_operator.runtime.prometheus import interest
from tuning_operator.runtime.prometheus.answers import decoded, either
from tuning_operator.runtime.prometheus.epochs import parse_answer
from tuning_operator.runtime.prometheus.interest import Interest, batches

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime


def kind_of(query: str) -> str:
    """What a question is about: `progress`, `epochs` or `targets`."""
    if "tuning_epochs_completed{" in query:
        return "progress"
    return "epochs" if "tuning_epoch_value{" in query else "targets"


class Pages:
    """What Pods show: epochs, and how many they say are over; a Pod of which nothing is said shows its epochs alone."""

    def __init__(self, it: Bench) -> None:
        self.epochs: dict[str, int] = {}
        self.completed: dict[str, float] = {}
        self.value = "0.5"
        self._questions = it.server.questions
        self._seen = 0
        it.server.respond = self._respond

    async def _respond(self, _request: web.Request, query: str) -> web.StreamResponse:
        plain = query.replace("\\", "")
        kind = kind_of(query)
        if kind == "progress":
            found = [
                {"metric": {"pod": pod}, "value": [0, str(n)]} for pod, n in self.completed.items() if pod in plain
            ]
            return web.json_response(answer(found))
        shown = {pod: count for pod, count in self.epochs.items() if pod in plain} if kind == "epochs" else {}
        pairs = (series(pod, [(epoch, self.value) for epoch in range(1, count + 1)]) for pod, count in shown.items())
        return web.json_response(answer(*pairs))

    def asked(self) -> list[str]:
        """What has been asked since this was called last."""
        new = [question["query"] for question in self._questions[self._seen :]]
        self._seen = len(self._questions)
        return [kind_of(query) for query in new]


async def test_epochs_are_read_when_the_page_says_that_there_are_others() -> None:
    async with bench(running=False) as it:
        pages = Pages(it)
        pages.epochs, pages.completed = {POD: 2}, {POD: 2}
        it.poller.watch(JOB, {POD: Interest(POD, METRIC)})
        await it.poller.poll("ns")
        assert pages.asked() == ["epochs"]
        await it.poller.poll("ns")
        assert pages.asked() == ["progress"]
        pages.epochs, pages.completed = {POD: 3}, {POD: 3}
        await it.poller.poll("ns")
        assert pages.asked() == ["progress", "epochs"]
        assert len(it.poller.readings(JOB)[POD].curve) == 3


@pytest.mark.parametrize("completed", [{}, {POD: 1}, {POD: 3}, {POD: float("nan")}])
async def test_a_page_that_says_something_else_than_it_shows_is_read(completed: dict[str, float]) -> None:
    async with bench(running=False) as it:
        pages = Pages(it)
        pages.epochs, pages.completed = {POD: 2}, completed
        it.poller.watch(JOB, {POD: Interest(POD, METRIC)})
        for _ in range(3):
            await it.poller.poll("ns")
            assert "epochs" in pages.asked()


async def test_a_page_that_says_nothing_new_for_long_is_read_all_the_same() -> None:
    async with bench(running=False) as it:
        pages = Pages(it)
        pages.epochs, pages.completed = {POD: 2}, {POD: 2}
        it.poller.watch(JOB, {POD: Interest(POD, METRIC)})
        await it.poller.poll("ns")
        pages.epochs, pages.value = {POD: 3}, "0.25"
        await it.poll_at(NOW + timedelta(seconds=29))
        assert pages.asked() == ["epochs", "progress"]
        await it.poll_at(NOW + timedelta(seconds=31))
        assert pages.asked() == ["epochs"]
        assert it.poller.readings(JOB)[POD].curve == Curve.of([(1, 0.25), (2, 0.25), (3, 0.25)]), (
            "a change has to be seen"
        )


async def test_a_pod_without_epochs_and_one_that_has_ended_are_asked_each_time() -> None:
    async with bench(running=False) as it:
        pages = Pages(it)
        pages.completed = {POD: 0}
        for item in (Interest(POD, METRIC), Interest(POD, METRIC, ended=ago(1))):
            it.poller.watch(JOB, {POD: item})
            for _ in range(2):
                await it.poller.poll("ns")
                assert pages.asked() == ["epochs"]
            pages.epochs, pages.completed = {POD: 1}, {POD: 1}


async def test_what_was_answered_stands_when_a_later_question_fails() -> None:
    """Else a slow Prometheus would be asked about thousands of Pods from the first on, again and again."""
    async with bench(running=False) as it:
        items = {f"job-{n:04d}-1": Interest(f"job-{n:04d}-1", METRIC, ago(100 + n)) for n in range(20)}
        questions = 0

        async def respond(_request: web.Request, _query: str) -> web.StreamResponse:
            nonlocal questions
            questions += 1
            return web.json_response(answer()) if questions < 3 else web.Response(status=503)

        it.server.respond = respond
        it.poller.watch(JOB, items)
        await it.poller.poll("ns")
        assert len(it.poller.readings(JOB)) == 16
        condition = it.poller.condition("ns")
        assert condition is not None
        assert condition.status == "False"
        assert it.poller.answering_since("ns") is None


async def test_another_pod_of_the_same_name_has_no_epochs_of_the_first() -> None:
    async with bench(running=False) as it:
        pages = Pages(it)
        pages.epochs = {POD: 3}
        it.poller.watch(JOB, {POD: Interest(POD, METRIC, ago(100))})
        await it.poller.poll("ns")
        pages.epochs = {POD: 1}
        it.poller.watch(JOB, {POD: Interest(POD, METRIC, NOW + timedelta(seconds=5))})
        await it.poll_at(NOW + timedelta(seconds=9))
        assert len(it.poller.readings(JOB)[POD].curve) == 1
        assert "[4000ms]" in it.server.questions[-1]["query"]


@pytest.mark.parametrize("ended", [None, NOW + timedelta(seconds=3599)])
async def test_after_an_outage_what_has_left_the_page_is_looked_for_in_prometheus_memory(
    ended: datetime | None,
) -> None:
    async with bench(running=False) as it:
        pages = Pages(it)
        pages.epochs = {POD: 2}
        it.poller.watch(JOB, {POD: Interest(POD, METRIC, ago(10_000))})
        await it.poller.poll("ns")
        it.poller.watch(JOB, {POD: Interest(POD, METRIC, ago(10_000), ended)})
        await it.poll_at(NOW + timedelta(hours=1))
        (window,) = re.findall(r"\[(\d+)ms", it.server.questions[-1]["query"])
        assert 3_600_000 + 150_000 <= int(window) <= 13_600_000


async def test_what_is_asked_late_looks_back_as_far_as_what_is_asked_at_once() -> None:
    """Prometheus looks back from when it is asked, which is two seconds later where the first question took so long."""
    short = "short"
    async with bench(running=False) as it:
        pages = Pages(it)
        pages.epochs, pages.completed = {POD: 2}, {POD: 2}
        it.poller.watch(JOB, {POD: Interest(POD, METRIC)})
        await it.poller.poll("ns")
        answers = it.server.respond

        async def slow(request: web.Request, query: str) -> web.StreamResponse:
            it.now += timedelta(seconds=2)
            return await answers(request, query)

        it.server.respond = slow
        it.poller.watch(JOB, {POD: Interest(POD, METRIC), short: Interest(short, METRIC, created=ago(3), ended=ago(1))})
        await it.poller.poll("ns")
        (question,) = [each["query"] for each in it.server.questions if short in each["query"]]
        assert kind_of(question) == "epochs"
        assert "[5000ms]" in question or "[5s]" in question


async def test_polls_of_a_namespace_never_overlap() -> None:
    async with bench() as it:
        under_way = most = 0

        async def respond(_request: web.Request, _query: str) -> web.StreamResponse:
            nonlocal under_way, most
            under_way += 1
            most = max(most, under_way)
            await asyncio.sleep(0.05)
            under_way -= 1
            return web.json_response(answer())

        it.server.respond = respond
        it.poller.watch(JOB, {POD: Interest(POD, METRIC)})
        await it.until(lambda: len(it.server.questions) > 3)
        assert most == 1


async def test_the_number_of_questions_grows_with_no_age() -> None:
    async with bench(running=False) as it:
        pages = Pages(it)
        items = {f"job-{n:04d}-1": Interest(f"job-{n:04d}-1", METRIC, ago(n / 7)) for n in range(1000)}
        pages.epochs, pages.completed = dict.fromkeys(items, 1), dict.fromkeys(items, 1.0)
        it.poller.watch(JOB, items)
        await it.poller.poll("ns")
        pages.asked()
        for seconds in (2, 4):
            await it.poll_at(NOW + timedelta(seconds=seconds))
            assert pages.asked() == ["progress"] * 2


# How far to look back, in few steps


@given(st.floats(0, 8 * 86_400), st.floats(1, 8 * 86_400))
def test_a_window_in_common_is_long_enough_and_never_of_another_pod(age: float, reach: float) -> None:
    item = Interest(POD, METRIC, NOW - timedelta(seconds=age))
    window = item.shared_window(NOW, timedelta(seconds=reach)) / 1000
    assert window <= max(1, age)
    assert window >= min(reach, age / 2, interest.MAX_WINDOW.total_seconds() / 1.5) - 0.001


def test_windows_in_common_are_few() -> None:
    spans = [timedelta(seconds=1.07**power) for power in range(200)]  # up to eight days
    items = [Interest(POD, METRIC, NOW - age) for age in spans]
    assert len({item.shared_window(NOW, reach) for item in items for reach in spans}) < 50


windows = st.dictionaries(st.text("abc", min_size=1, max_size=4), st.integers(1, 20), max_size=60)


@given(windows, st.dictionaries(st.text("abc", min_size=1, max_size=4), st.integers(1, 12_000), max_size=60))
def test_a_question_has_few_windows_and_an_answer_that_is_not_too_large(
    windows: dict[str, int], known: dict[str, int]
) -> None:
    found = list(batches(windows, known))
    assert {pod: window for batch in found for pod, window in batch.items()} == windows
    assert sum(map(len, found)) == len(windows)
    for batch in found:
        assert len(set(batch.values())) <= interest.MAX_WINDOWS
        expected = sum(known.get(pod, interest.UNKNOWN_SERIES) for pod in batch)
        assert expected <= interest.MAX_SERIES or len(batch) == 1


def test_a_question_about_days_is_about_few_pods() -> None:
    days = dict.fromkeys(map(str, range(20)), 7 * 86_400_000)
    assert [len(batch) for batch in batches(days, {})] == [1] * 20
    assert [len(batch) for batch in batches(dict.fromkeys(days, 3_600_000), {})] == [20]


@pytest.mark.parametrize("count", range(1, 20))
def test_ranges_are_joined_in_a_tree_that_is_not_deep(count: int) -> None:
    text = either([f"r{number}" for number in range(count)])
    assert re.findall(r"r\d+", text) == [f"r{number}" for number in range(count)]
    depth = deepest = 0
    for sign in text:
        depth += (sign == "(") - (sign == ")")
        deepest = max(deepest, depth)
    assert depth == 0
    assert 2**deepest <= count


# JSON, bit by bit

values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(values, st.sampled_from([None, 1, "\t"]))
def test_decoding_bit_by_bit_is_decoding(value: Any, indent: int | str | None) -> None:
    assert decoded(json.dumps(value, indent=indent)) == value


@given(st.text('{}[]:,"a1 ', max_size=12))
def test_what_is_no_json_is_none_bit_by_bit(text: str) -> None:
    try:
        expected = json.loads(text)
    except ValueError:
        with pytest.raises(ValueError, match=r"Expecting|character|follows|Unterminated|Invalid|Extra"):
            decoded(text)
    else:
        assert decoded(text) == expected


async def test_a_big_answer_does_not_hold_the_loop() -> None:
    """The lock goes to the loop at each switch of threads, which a long call of C code does not make."""
    count = 150_000
    text = json.dumps(answer(series(POD, [(epoch % 39_999, "0.5") for epoch in range(count)])))
    whole = time.thread_time()
    json.loads(text)
    whole = time.thread_time() - whole
    task = asyncio.create_task(asyncio.to_thread(lambda: parse_answer(decoded(text), {POD: METRIC})))
    turns = 0
    while not task.done():
        await asyncio.sleep(0)
        await asyncio.sleep(0.001)
        turns += 1
    assert len((await task)[POD]) == 39_999
    assert whole > 10 * sys.getswitchinterval(), "else this shows nothing"
    assert turns > 10


async def test_an_answer_in_any_order_is_understood() -> None:
    body: Mapping[str, Any] = answer(series(POD, [(1, "0.5")]))
    text = json.dumps(
        {"data": {"result": body["data"]["result"], "resultType": "vector"}, "status": "success"}, indent=1
    )
    async with prometheus_server() as (server, client):
        server.says(text)
        assert await client.curves("ns", {POD: METRIC}, {POD: 1000}) == {POD: Curve.of([(1, 0.5)])}
