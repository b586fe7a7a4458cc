"""Who has fetched the metrics page, and how long its end waits for them."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tuning_trainer.scrapers import MAX_SCRAPERS, RECENT_SECONDS, Scrapers

if TYPE_CHECKING:
    from collections.abc import Iterator

CAP = 30.0


def fetched(**fetches: list[float]) -> Scrapers:
    scrapers = Scrapers()
    for began, who in sorted((began, who) for who, times in fetches.items() for began in times):
        scrapers.fetched(who, began, final=False)
    return scrapers


@pytest.mark.parametrize(
    ("fetches", "expected", "seconds"),
    [
        ({}, False, 0),  # nobody is there
        ({}, True, CAP),  # the run was shorter than the interval
        ({"a": [5]}, False, CAP),  # somebody is there, at an unknown interval
        ({"a": [0, 5, 10]}, True, 11),
        ({"a": [0, 5, 10], "curious": [10.5]}, False, 11),
        ({"a": [0, 5, 10], "b": [1, 9]}, True, 17),
        ({"a": [0, 60]}, True, CAP),
    ],
)
def test_patience(fetches: dict[str, list[float]], expected: bool, seconds: float) -> None:
    assert fetched(**fetches).patience(61, CAP, expected=expected) == seconds


def test_whoever_has_not_come_for_long_is_not_waited_for() -> None:
    scrapers = fetched(gone=[0, 5], present=[0, 5, RECENT_SECONDS + 6])
    assert not scrapers.all_have_it(RECENT_SECONDS + 7)
    for began in (8, 9):
        scrapers.fetched("present", RECENT_SECONDS + began, final=True)
    assert scrapers.all_have_it(RECENT_SECONDS + 7)


@contextmanager
def waiting(scrapers: Scrapers, **how: float) -> Iterator[threading.Event]:
    """Wait for the end in a thread; the event is set when that is over."""
    over = threading.Event()

    def wait() -> None:
        scrapers.wait(7, cap=how.get("cap", 60), expected=True)
        over.set()

    thread = threading.Thread(target=wait)
    thread.start()
    yield over
    thread.join()


def test_the_end_waits_until_each_has_the_finished_page_twice() -> None:
    scrapers = fetched(one=[0, 5], other=[1, 6])
    with waiting(scrapers) as over:
        for who, began in [("one", 10), ("one", 15), ("other", 11)]:
            scrapers.fetched(who, began, final=True)
            assert not over.wait(0.05)
        scrapers.fetched("other", 16, final=True)
        assert over.wait(5)


def test_one_who_stays_away_is_not_waited_for_where_another_has_the_end() -> None:
    scrapers = fetched(gone=[0, 0.05], one=[0, 0.05])
    with waiting(scrapers) as over:
        for began in (8, 9):
            scrapers.fetched("one", began, final=True)
        assert not over.wait(0.5), "it may come"
        assert over.wait(10)


def test_where_nobody_has_the_end_the_next_to_come_is_waited_for() -> None:
    """A Prometheus that restarts is away for longer than an interval, and may come back under another address."""
    scrapers = fetched(before=[0, 0.05])
    assert scrapers.patience(7, 60, expected=True) < 1.2
    with waiting(scrapers) as over:
        assert not over.wait(1.5)
        scrapers.fetched("after", 9, final=True)
        assert not over.wait(0.05)
        scrapers.fetched("after", 10, final=True)
        assert over.wait(5)


def test_the_wait_has_an_end() -> None:
    began = time.monotonic()
    with waiting(fetched(gone=[0, 0.05]), cap=2):
        pass
    assert 2 <= time.monotonic() - began < 10


def test_what_everybody_has_twice_may_go() -> None:
    scrapers = Scrapers()
    assert scrapers.had_twice(0) == 0
    for began, who, values in ((0, "one", 10), (1, "other", 20), (2, "one", 30), (3, "other", 40)):
        scrapers.fetched(who, began, final=False, values=values)
    assert scrapers.had_twice(4) == 10
    scrapers.fetched("one", 4, final=False, values=50)
    assert scrapers.had_twice(5) == 20
    scrapers.fetched("new", 5, final=False, values=60)
    assert scrapers.had_twice(6) == 0
    assert scrapers.had_twice(RECENT_SECONDS + 6) == 0, "nobody comes any more"


def test_strangers_with_many_names_take_bounded_memory() -> None:
    scrapers = Scrapers()
    for number in range(1000):
        scrapers.fetched(f"{number}" * 1000, number, final=False)
    assert len(scrapers) == MAX_SCRAPERS
