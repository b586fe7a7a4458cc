"""What the metrics page shows, in Prometheus' text format. `serving.py` sends it, in a separate process.

The page's process imports as little as it can, for it runs beside each training: no `typing`, no `dataclasses`, no
`json`, and no library.
"""

from __future__ import annotations

import threading

from tuning_trainer.scrapers import Scrapers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPEN_METRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


class Page:
    """What is exposed, and who has fetched it."""

    def __init__(self) -> None:
        self.finished = False
        self.scrapers = Scrapers()
        self._lock = threading.Lock()
        self._values: list[str] = []
        self._completed = 0

    def add(self, completed: int, epoch: str, metric: str, value: float) -> None:
        """Expose the value that a metric has at an epoch, for good.

        Args:
            completed: how many epochs are over with this one.
            epoch: its number, in decimals.
            metric: the metric's name.
            value: what it is.
        """
        line = _sample("tuning_epoch_value", value, metric=metric, epoch=epoch)
        with self._lock:
            self._completed = completed
            self._values.append(line)

    def render(self) -> str:
        """The page as it is now."""
        with self._lock:
            values, completed = list(self._values), self._completed
        families = (
            _family("tuning_epoch_value", "Value of a metric at the end of an epoch; it never changes.", values),
            _gauge("tuning_epochs_completed", "Number of epochs that are over.", completed),
            _gauge("tuning_finished", "1 when training is over and this page is final.", self.finished),
        )
        return "".join(line for family in families for line in family)


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
