"""Who fetches the metrics page, and how long its end waits for them.

There may be several: two Prometheus replicas, or an agent beside one. What one has fetched is of no use to the other.
"""

from __future__ import annotations

import threading

RECENT_SECONDS = 300.0
"""Seconds without a fetch after which a client is gone."""
FINAL_FETCHES = 2
"""Of the finished page, by each: two scrapers behind one address, at the same interval, then have it both."""
MAX_SCRAPERS = 32
"""More are strangers who try out names."""
MAX_NAME = 200


class Scraper:
    """One of those who fetch.

    Attributes:
        last: when it asked last, seconds on the monotonic clock.
        gap: the longest time between two of its fetches; none before the second.
        final: how often it has fetched the finished page.
        once, twice: how many of the page's values it has fetched at least so often.
    """

    def __init__(self, last: float) -> None:
        self.last = last
        self.gap: float | None = None
        self.final = 0
        self.once = 0
        self.twice = 0


class Scrapers:
    """Everybody who fetches the page, by address and user agent."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._seen: dict[str, Scraper] = {}

    def __len__(self) -> int:
        return len(self._seen)

    @property
    def seen(self) -> list[Scraper]:
        """All of them."""
        return list(self._seen.values())

    def fetched(self, who: str, began: float, *, final: bool, values: int = 0) -> None:
        """Note that a client has the page.

        Args:
            who: its address and user agent.
            began: when it asked, seconds on the monotonic clock.
            final: whether training had finished before the page was rendered.
            values: how many values there had been until then.
        """
        with self._changed:
            scraper = self._seen.pop(who[:MAX_NAME], None)
            if scraper is None:
                scraper = Scraper(began)
            elif began > scraper.last:
                scraper.gap = max(scraper.gap or 0.0, began - scraper.last)
                scraper.last = began
            scraper.final += final
            scraper.twice, scraper.once = min(scraper.once, values), max(scraper.once, values)
            self._seen[who[:MAX_NAME]] = scraper
            while len(self._seen) > MAX_SCRAPERS:
                del self._seen[next(iter(self._seen))]
            self._changed.notify_all()

    def wait(self, now: float, *, cap: float, expected: bool) -> None:
        """Wait until every recent client has the finished page.

        Those who stay away are not waited for once another client has it. If none has, as while a Prometheus restarts,
        the page would be lost: then the first to come is waited for.

        Args:
            now: when training ended, seconds on the monotonic clock.
            cap: the longest to wait, in seconds.
            expected: a client is known to fetch the page.
        """
        patience = self.patience(now, cap, expected=expected)
        with self._changed:
            if patience and not self._changed.wait_for(lambda: self.all_have_it(now), patience):
                self._changed.wait_for(lambda: self.one_has_it(now), cap - patience)

    def all_have_it(self, now: float) -> bool:
        """Whether there are clients, and each has fetched the finished page."""
        recent = self._recent(now)
        return bool(recent) and all(map(_has_it, recent))

    def one_has_it(self, now: float) -> bool:
        """Whether any client has fetched the finished page."""
        return any(map(_has_it, self._recent(now)))

    def had_twice(self, now: float) -> int:
        """Return how many of the page's values each recent client has fetched twice, since two may share an address."""
        return min((scraper.twice for scraper in self._recent(now)), default=0)

    def patience(self, now: float, cap: float, *, expected: bool) -> float:
        """Return how long to wait for all clients to fetch the finished page, in seconds.

        Whoever fetched at an interval will be back after one, and has it for sure after two; a second more allows for a
        delay. Whoever came once may be back any time. Where nobody came, the run was shorter than the interval, or
        nobody is there.
        """
        recent = self._recent(now)
        gaps = [scraper.gap for scraper in recent if scraper.gap is not None]
        if gaps:
            return min(cap, 2 * max(gaps) + 1)
        return cap if recent or expected else 0.0

    def _recent(self, now: float) -> list[Scraper]:
        return [scraper for scraper in self.seen if scraper.last > now - RECENT_SECONDS]


def _has_it(scraper: Scraper) -> bool:
    return scraper.final >= FINAL_FETCHES
