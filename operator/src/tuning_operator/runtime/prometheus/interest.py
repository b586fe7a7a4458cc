"""Which Pods are asked about, how far back, and in how many questions.

A question has few windows and a bounded number of series, whatever the number of Pods: each window costs Prometheus as
much as a question, and a big answer costs everybody's memory.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from tuning_operator.core.model.sources import Gauges

MAX_WINDOW = timedelta(days=7)
MAX_WINDOWS = 8
"""In one question."""
MAX_SERIES = 10_000
"""In the answer to one question, as far as it can be foreseen: a megabyte."""
MAX_SAMPLES = 20_000_000
"""That Prometheus has to look at for one question: seconds."""
UNKNOWN_SERIES = 100
"""What is foreseen of a Pod of which nothing is known."""
SCRAPE_MILLISECONDS = 5000
"""Between two scrapes, as far as can be foreseen."""


@dataclass(frozen=True, slots=True)
class Interest:
    """A Pod that a job wants to know about.

    Attributes:
        metric: The job's objective.
        created: When the Pod came into being, as far as that is known. What Prometheus has from before then is of
            another Pod of this name: of a job that was deleted and recreated.
        ended: When the Pod's training ended; None while it runs.
        gauges: What it exports instead of keeping the metrics contract.
        started: When its training started; None where that is not known.
    """

    pod: str
    metric: str
    created: datetime | None = None
    ended: datetime | None = None
    gauges: Gauges | None = None
    started: datetime | None = None

    def window(self, now: datetime, reach: timedelta) -> int:
        """Return how far to look back, in milliseconds: `reach` beyond the Pod's end, but not beyond its beginning."""
        back = reach if self.ended is None else reach + max(timedelta(0), now - self.ended)
        if self.created is not None:
            back = min(back, now - self.created)
        return max(1000, min(back, MAX_WINDOW) // timedelta(milliseconds=1))

    def shared_window(self, now: datetime, reach: timedelta) -> int:
        """Return the window in round figures, so that many Pods share one.

        It is no shorter than `reach`, and never reaches beyond the Pod's beginning: of a young Pod it leaves out up to
        half of its life, from the beginning, which has been read.
        """
        wanted = reach // timedelta(milliseconds=1)
        longer = _STEPS[bisect_left(_STEPS, min(wanted, _LONGEST))]
        window = self.window(now, timedelta(milliseconds=longer))
        return _STEPS[bisect_right(_STEPS, window) - 1]


_LONGEST = MAX_WINDOW // timedelta(milliseconds=1)
_STEPS = sorted({1000, *(base << power for power in range(19) for base in (2000, 3000)), _LONGEST})


def batches(windows: Mapping[str, int], series: Mapping[str, int]) -> Iterator[dict[str, int]]:
    """Divide Pods into questions.

    Args:
        windows: How far to look back for each Pod, in milliseconds.
        series: How many series each of them is known to have.
    """
    batch: dict[str, int] = {}
    lengths: set[int] = set()
    expected = samples = 0
    for pod in sorted(windows, key=lambda pod: (windows[pod], pod)):
        more = series.get(pod, UNKNOWN_SERIES)
        each = more * (1 + windows[pod] // SCRAPE_MILLISECONDS)
        is_large = expected + more > MAX_SERIES or samples + each > MAX_SAMPLES
        if batch and (is_large or len(lengths | {windows[pod]}) > MAX_WINDOWS):
            yield batch
            batch, lengths, expected, samples = {}, set(), 0, 0
        batch[pod] = windows[pod]
        lengths.add(windows[pod])
        expected, samples = expected + more, samples + each
    if batch:
        yield batch
