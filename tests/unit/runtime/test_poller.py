from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from tests.unit.builders import NOW, ago
from tests.unit.runtime.bench import JOB, METRIC, POD, Bench, bench
from tests.unit.runtime.fakes import answer, series
from tuning_operator.core.model.attempt import Reading, Scraping
from tuning_operator.core.model.conditions import Condition
from tuning_operator.core.model.curves import Curve
from tuning_operator.core.model.sources import Gauges, Selector
from tuning_operator.runtime.prometheus.interest import Interest
from tuning_operator.runtime.queue import JobKey

if TYPE_CHECKING:
    from datetime import datetime

OTHER = JobKey("ns", "other")
RUNNING = {POD: Interest(POD, METRIC)}


def ended(seconds: float) -> dict[str, Interest]:
    return {POD: Interest(POD, METRIC, ended=ago(seconds))}


async def test_a_job_hears_of_what_is_new() -> None:
    async with bench() as it:
        it.server.says(answer(series(POD, [(1, "0.1")])))
        it.poller.watch(JOB, RUNNING)
        await it.until(lambda: JOB in it.called)
        assert it.poller.readings(JOB) == {POD: Reading(Curve.of([(1, 0.1)]))}
        known = len(it.called)
        it.server.says(answer(series(POD, [(1, "0.1"), (2, "0.2")])))
        await it.until(lambda: len(it.called) > known)
        assert it.poller.readings(JOB)[POD].curve == Curve.of([(1, 0.1), (2, 0.2)])


@pytest.mark.parametrize("value", ["0.1", "NaN"])
async def test_nothing_new_wakes_nobody(value: str) -> None:
    async with bench(running=False) as it:
        it.server.says(answer(series(POD, [(1, value)])))
        it.poller.watch(JOB, RUNNING)
        await it.poller.poll("ns")
        assert it.called
        it.called.clear()
        await it.poller.poll("ns")
        assert it.called == []


async def test_no_interest_no_question() -> None:
    async with bench() as it:
        it.poller.watch(JOB, RUNNING)
        await it.until(lambda: bool(it.server.questions))
        it.poller.watch(JOB, {})
        assert it.poller.readings(JOB) == {}
        it.poller.watch(OTHER, {"other-0001-1": Interest("other-0001-1", METRIC)})
        asked = len(it.server.questions)
        await it.until(lambda: len(it.server.questions) > asked + 1)
        assert r"job\\-0001" not in it.server.questions[-1]["query"]


async def test_thousands_of_pods_are_asked_about_less_often() -> None:
    async with bench(interval=2, running=False) as it:
        it.poller.watch(JOB, RUNNING)
        assert it.poller.pause == 2
        it.poller.watch(OTHER, {f"other-{number:04d}-1": Interest("", METRIC) for number in range(3000)})
        assert it.poller.pause == pytest.approx(6, abs=0.1)
        it.poller.watch(OTHER, {})
        assert it.poller.pause == 2


async def test_one_question_for_all_jobs_of_a_namespace() -> None:
    async with bench(running=False) as it:
        it.server.says(answer(series(POD, [(1, "0.1")]), series("other-0001-1", [(1, "5")], metric="loss")))
        it.poller.watch(JOB, RUNNING)
        it.poller.watch(OTHER, {"other-0001-1": Interest("other-0001-1", "loss")})
        await it.poller.poll("ns")
        assert len(it.server.questions) == 1
        assert it.poller.readings(JOB)[POD].curve == Curve.of([(1, 0.1)])
        assert it.poller.readings(OTHER)["other-0001-1"].curve == Curve.of([(1, 5.0)])


async def test_an_outage_is_a_condition_and_what_is_known_stays() -> None:
    async with bench() as it:
        assert it.poller.condition("ns") is None
        it.server.says(answer(series(POD, [(1, "0.1")])))
        it.poller.watch(JOB, RUNNING)
        await it.until(lambda: JOB in it.called)
        known = it.poller.readings(JOB)
        it.called.clear()
        it.server.says("down", 503)
        await it.until(lambda: JOB in it.called)
        condition = it.poller.condition("ns")
        assert condition is not None
        assert (condition.type, condition.status, condition.reason) == ("MetricsAvailable", "False", "PrometheusError")
        assert "HTTP 503" in condition.message
        assert it.poller.readings(JOB) == known
        it.called.clear()
        it.server.says(answer(series(POD, [(1, "0.1")])))
        await it.until(lambda: JOB in it.called)
        condition = it.poller.condition("ns")
        assert condition is not None
        assert condition.status == "True"
        assert it.poller.condition("elsewhere") is None


async def test_it_is_known_since_when_prometheus_answers_without_a_break() -> None:
    async with bench(interval=2, running=False) as it:
        it.poller.watch(JOB, RUNNING)

        async def since(seconds: float) -> float | None:
            await it.poll_at(NOW + timedelta(seconds=seconds))
            known = it.poller.answering_since(JOB.namespace)
            return (known - NOW).total_seconds() if known else None

        assert [await since(0), await since(2)] == [0, 0]
        it.server.says("", status=503)
        assert await since(4) is None
        it.server.says(answer())
        assert [await since(6), await since(8)] == [6, 6]
        it.now = NOW + timedelta(seconds=15)
        overdue = it.poller.condition(JOB.namespace)
        assert overdue == Condition("MetricsAvailable", "True", "PrometheusAnswers")
        assert overdue is not None
        assert it.poller.answering_since(JOB.namespace) is None


async def test_the_second_answer_after_the_end_is_the_last_one() -> None:
    async with bench(running=False) as it:
        it.server.says(answer(series(POD, [(1, "0.1")])))
        it.poller.watch(JOB, RUNNING)
        question = asyncio.create_task(it.poller.poll("ns"))
        await asyncio.sleep(0)  # the question is on its way
        it.poller.watch(JOB, ended(0))
        await question
        assert it.poller.readings(JOB)[POD].after_end is False
        await it.poller.poll("ns")
        assert it.poller.readings(JOB)[POD].after_end is False, "the last scrape may still be on its way"
        it.server.says("down", 503)
        await it.poller.poll("ns")
        assert it.poller.readings(JOB)[POD].after_end is False
        it.server.says(answer(series(POD, [(1, "0.1"), (2, "0.2")])))
        it.called.clear()
        await it.poller.poll("ns")
        assert it.poller.readings(JOB)[POD] == Reading(Curve.of([(1, 0.1), (2, 0.2)]), after_end=True)
        assert JOB in it.called


async def test_that_a_reading_is_the_last_one_is_new_even_if_its_curve_is_not() -> None:
    async with bench(running=False) as it:
        it.server.says(answer(series(POD, [(1, "0.1")])))
        it.poller.watch(JOB, ended(1))
        await it.poller.poll("ns")
        it.called.clear()
        await it.poller.poll("ns")
        assert it.called == [JOB]


@pytest.mark.parametrize(
    ("created", "finished", "window"),
    [
        (None, None, 300),
        (ago(10_000), None, 10_000),  # a long training's page shows the newest epochs only
        (ago(300), None, 300),
        (ago(12.9), None, 12.9),  # what is older is of another Pod of this name, what is newer is not
        (NOW, None, 1),
        (ago(-60), None, 1),  # a clock that is ahead
        (ago(10_000), ago(7200), 10_000),
        (ago(10**9), None, 7 * 24 * 3600),
        (ago(7220), ago(7200), 7220),
        (None, ago(7200), 7500),  # after an outage of hours the last epochs are still found
        (ago(100), ago(-60), 100),
        (None, ago(10**9), 7 * 24 * 3600),
    ],
)
async def test_how_far_to_look_back(created: datetime | None, finished: datetime | None, window: float) -> None:
    async with bench(running=False) as it:
        it.poller.watch(JOB, {POD: Interest(POD, METRIC, created, finished)})
        await it.poller.poll("ns")
        assert f"[{round(window * 1000)}ms]" in it.server.questions[0]["query"]


async def test_a_job_that_went_during_the_question_leaves_nothing_behind() -> None:
    async with bench(running=False) as it:
        it.poller.watch(JOB, RUNNING)
        question = asyncio.create_task(it.poller.poll("ns"))
        await asyncio.sleep(0)
        it.poller.watch(JOB, {})
        await question
        assert it.poller.readings(JOB) == {}


# Whether Pods are scraped at all


def shown(pod: str, name: str, value: str) -> list[dict[str, Any]]:
    return [{"metric": {"pod": pod, "__name__": name}, "value": [1777900000.123, value]}]


async def ask(it: Bench, found: list[dict[str, Any]], **interest: Any) -> tuple[Scraping, int]:
    """What a poll finds out of a Pod without epochs, and how many questions it took."""

    async def respond(_request: web.Request, query: str) -> web.StreamResponse:
        return web.json_response(answer(found if "__name__" in query and "up" in query else []))

    it.server.respond = respond
    asked = len(it.server.questions)
    it.poller.watch(JOB, {POD: Interest(POD, METRIC, **interest)})
    await it.poller.poll("ns")
    return it.poller.readings(JOB)[POD].scraping, len(it.server.questions) - asked


@pytest.mark.parametrize(
    ("found", "scraping"),
    [
        ([], Scraping.NO_TARGET),
        (shown(POD, "up", "0"), Scraping.FAILS),
        (shown(POD, "up", "1"), Scraping.WORKS),
        (shown(POD, "up", "0") + shown(POD, "tuning_epochs_completed", "0"), Scraping.WORKS),
        (shown("other", "up", "1"), Scraping.NO_TARGET),
    ],
)
async def test_what_is_known_of_a_pod_without_epochs(found: list[dict[str, Any]], scraping: Scraping) -> None:
    async with bench(running=False) as it:
        await it.answers_since(ago(1000))
        assert await ask(it, found, created=ago(150), started=ago(150)) == (scraping, 2)
        assert "[128000ms]" in it.server.questions[-1]["query"], "what is older is of another Pod of its name"


@pytest.mark.parametrize(
    ("started", "answering"),
    [(ago(149), ago(1000)), (ago(1000), ago(149)), (None, ago(1000)), (ago(1000), None)],
)
async def test_some_scrape_intervals_are_waited_for_in_which_prometheus_answers(
    started: datetime | None, answering: datetime | None
) -> None:
    async with bench(running=False) as it:
        if answering:
            await it.answers_since(answering)
        assert await ask(it, [], started=started) == (Scraping.UNKNOWN, 1)


async def test_nobody_asks_whether_a_pod_is_scraped_that_has_shown_an_epoch() -> None:
    async with bench(running=False) as it:
        await it.answers_since(ago(1000))
        it.server.says(answer(series(POD, [(1, "0.1")])))
        it.poller.watch(JOB, {POD: Interest(POD, METRIC, started=ago(1000))})
        await it.poller.poll("ns")
        assert len(it.server.questions) == 1


async def test_gauges_are_a_sign_of_life_as_well() -> None:
    gauges = Gauges(Selector("accuracy"), Selector("epochs_finished"))

    async def respond(_request: web.Request, query: str) -> web.StreamResponse:
        if "last_over_time" in query:
            return web.json_response(answer(shown(POD, "epochs_finished", "0") if "epochs_finished" in query else []))
        return web.json_response({"status": "success", "data": {"resultType": "matrix", "result": []}})

    async with bench(running=False) as it:
        await it.answers_since(ago(1000))
        it.server.respond = respond
        it.poller.watch(JOB, {POD: Interest(POD, METRIC, gauges=gauges, started=ago(1000))})
        await it.poller.poll("ns")
        assert it.poller.readings(JOB)[POD].scraping is Scraping.WORKS


async def test_no_answer_about_scrapes_is_no_answer() -> None:
    async def respond(_request: web.Request, query: str) -> web.StreamResponse:
        return web.json_response(answer([], warnings=["partial"]) if "__name__" in query else answer())

    async with bench(running=False) as it:
        await it.answers_since(ago(1000))
        it.server.respond = respond
        it.poller.watch(JOB, {POD: Interest(POD, METRIC, started=ago(1000))})
        await it.poller.poll("ns")
        assert it.poller.readings(JOB) == {}
        condition = it.poller.condition("ns")
        assert condition is not None
        assert condition.status == "False"
