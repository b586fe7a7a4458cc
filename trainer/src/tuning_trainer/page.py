"""What the metrics page shows, in Prometheus' text format. `serving.py` sends it, in a separate process.

Each value by epoch is a series in Prometheus' memory. So the page shows the newest of them, and whatever somebody who
fetches it has not fetched twice yet: no epoch is lost to those who come seldom, and the page of a long training stays
small. Of other metrics than the objective, which nobody reads epoch by epoch, it shows the first ones so, and always
the latest value.

The page's process imports as little as it can, for it runs beside each training: no `typing`, no `dataclasses`, no
`json`, and no library.
"""

from __future__ import annotations

import threading
from collections import deque

from tuning_trainer.scrapers import Scrapers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPEN_METRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


RECENT = 250
"""Values by epoch that stay on the page."""
OTHERS = 150
"""Values by epoch of other metrics than the objective, in all."""
NEWCOMERS_SECONDS = 60.0
"""For this long after the start nothing leaves the page: an infrequent client may not have fetched it yet."""


class Page:
    """What is exposed, and who has fetched it.

    Args:
        objective: the metric whose values are all shown by epoch; if unknown, the one that comes first.
        began: when it was begun, seconds on the monotonic clock.
    """

    def __init__(self, objective: str = "", began: float = 0.0) -> None:
        self.finished = False
        self.scrapers = Scrapers()
        self._objective = objective
        self._began = began
        self._lock = threading.Lock()
        self._values: deque[str] = deque()
        self._left = 0
        self._others = 0
        self._latest: dict[str, tuple[float, float]] = {}
        self._completed = 0

    def add(self, completed: int, epoch: str, metric: str, value: float) -> None:
        """Expose the value that a metric has at an epoch, which never changes.

        Args:
            completed: how many epochs are over with this one.
            epoch: its number, in decimals.
            metric: the metric's name.
            value: what it is.
        """
        line = _sample("tuning_epoch_value", value, metric=metric, epoch=epoch)
        with self._lock:
            self._completed = completed
            self._objective = self._objective or metric
            if float(epoch) >= self._latest.get(metric, (-1.0, 0.0))[0]:
                self._latest[metric] = (float(epoch), value)
            if metric != self._objective:
                self._others += 1
                if self._others > OTHERS:
                    return
            self._values.append(line)

    def render(self, now: float) -> tuple[str, int]:
        """Return the page as it is now, and how many values by epoch there have been.

        Args:
            now: seconds on the monotonic clock.
        """
        had = self.scrapers.had_twice(now) if now >= self._began + NEWCOMERS_SECONDS else 0
        with self._lock:
            while len(self._values) > RECENT and self._left < had:
                self._values.popleft()
                self._left += 1
            values, count, completed = list(self._values), self._left + len(self._values), self._completed
            latest = dict(self._latest)
        families = [
            _family("tuning_epoch_value", "Value of a metric at the end of an epoch; it never changes.", values),
            _gauge("tuning_epochs_completed", "Number of epochs that are over.", completed),
            _gauge("tuning_finished", "1 when training is over and this page is final.", self.finished),
        ]
        if latest:
            newest = [_sample("tuning_latest_value", value, metric=metric) for metric, (_, value) in latest.items()]
            families += [
                _family("tuning_latest_value", "Value of a metric at the last epoch that has one.", newest),
                _gauge(
                    "tuning_latest_epoch", "Last epoch that has a value.", max(epoch for epoch, _ in latest.values())
                ),
            ]
        return "".join(line for family in families for line in family), count


def _family(name: str, text: str, samples: Iterable[str]) -> Iterator[str]:
    yield f"# HELP {name} {text}\n# TYPE {name} gauge\n"
    yield from samples


def _gauge(name: str, text: str, value: float) -> Iterator[str]:
    return _family(name, text, [_sample(name, value)])


def _sample(name: str, value: float, **labels: str) -> str:
    pairs = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels.items())
    return f"{name}{{{pairs}}} {_number(value)}\n" if pairs else f"{name} {_number(value)}\n"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _number(value: float) -> str:
    return {"inf": "+Inf", "-inf": "-Inf", "nan": "NaN"}.get(text := repr(float(value)), text)
