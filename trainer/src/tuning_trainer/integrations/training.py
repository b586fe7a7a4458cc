"""What a framework measures, on its way to the tuner: which epoch it is, and whether this process reports at all.

An epoch is a measurement that has the objective. What is measured in between belongs to the next one.
"""

from __future__ import annotations

import functools
import math
import os
import sys
import traceback
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from tuning_trainer.environment import check_rank
from tuning_trainer.models import keep_model
from tuning_trainer.reporting import process_reporter

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping
    from pathlib import Path

MAX_OTHERS = 9_000
"""Values of other metrics than the objective: a model of thousands of rounds must not flood Prometheus."""

P = ParamSpec("P")
T = TypeVar("T")


class Training:
    """The measurements of one training, counted 1, 2, 3 and so on.

    Of several trainings in a process the first one that has the objective reports: the values of the others have no
    place on its curve.
    """

    _reporting: Training | None = None

    def __init__(self) -> None:
        self._objective = os.environ.get("TUNING_OBJECTIVE_METRIC")
        self._count = 0
        self._at: Hashable = None
        self._counted_at: Hashable = None
        self._first = 0
        self._is_sparse = False
        self._waiting: dict[str, float] = {}
        self._others = 0

    @classmethod
    def that_goes_on(cls) -> Training:
        """Return the training that reports in this process, where one does: the present one continues it."""
        return cls._reporting or cls()

    def measure(
        self,
        metrics: Mapping[str, Any],
        at: Hashable,
        epoch: int | None = None,
        save: Callable[[Path], object] | None = None,
    ) -> None:
        """Report a measurement; values that are not numbers are left out.

        Args:
            metrics: values by name.
            at: what tells measurements apart, such as a step; those with the same one are parts of one measurement.
            epoch: the epoch where the framework knows it, counted from 1. Where it evaluates in some epochs only, the
                evaluations are counted instead, unless the run resumes.
            save: writes the model as it is now into a folder: `models.keep_model`.
        """
        if self._count and at == self._counted_at:
            self._place(self._count, numbers(metrics))
            return
        self._is_sparse = self._is_sparse or (bool(self._waiting) and at != self._at)
        self._first = self._first or (epoch or 1)
        self._at = at
        self._waiting |= numbers(metrics)
        if not self._waiting or (self._objective and self._objective not in self._waiting):
            return
        counted = epoch is None or (self._is_sparse and self._first == 1)
        self._count = self._count + 1 if counted else max(epoch or 0, self._count + 1)
        values, self._waiting, self._counted_at = self._waiting, {}, at
        self._place(self._count, values, save)

    def keep_rounds(self, values: Mapping[int, float], save: Callable[[int, Path], object]) -> None:
        """Keep the models of the best round and of the last one, where a model has all its earlier ones in it.

        Args:
            values: the objective by round.
            save: writes the model up to a round into a folder.
        """
        if not values or self is not Training._reporting:
            return
        least = os.environ.get("TUNING_OBJECTIVE_GOAL") == "Minimize"
        known = {number: value for number, value in values.items() if not math.isnan(value)}
        best = (min if least else max)(known, key=known.__getitem__, default=max(values))
        for number in sorted({best, max(values)}):
            _keep(number, {str(self._objective): values[number]}, functools.partial(save, number))

    def end(self) -> None:
        """Where the objective never came, report what did: the tuner names it."""
        if not self._count and self._waiting and Training._reporting is None:
            self._place(1, self._waiting)

    def _place(self, epoch: int, values: Mapping[str, float], save: Callable[[Path], object] | None = None) -> None:
        try:
            check_rank(os.environ)
        except RuntimeError:
            return
        if self._count and Training._reporting is None:
            Training._reporting = self
        if Training._reporting not in (None, self):
            say(
                "another training began in this process: the first one is reported, this one is not. For "
                "cross-validation report the mean of the folds by tuning_trainer.report, or use the framework's cv()"
            )
            return
        reporter = process_reporter()
        if reporter.is_called:
            return
        _ = reporter.port  # raises where another process reports
        if save is not None:
            _keep(epoch, values, save)
        ordered = {name: value for name, value in values.items() if name == self._objective}
        if self._others < MAX_OTHERS:
            ordered |= values
            self._others += len(values)
        reporter.place(epoch, ordered)


def _keep(epoch: int, metrics: Mapping[str, float], save: Callable[[Path], object]) -> None:
    try:
        keep_model(epoch, metrics, save)
    except Exception:  # noqa: BLE001 - whatever it is, the training is worth more
        say(f"a model could not be kept, the training continues:\n{traceback.format_exc().rstrip()}")


def numbers(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Return those of the values that are numbers, NumPy's and tensors of one element among them."""
    found = {}
    for name, value in metrics.items():
        if value is None or isinstance(value, str | bytes):
            continue
        try:
            found[str(name)] = float(value)
        except (TypeError, ValueError, RuntimeError, OverflowError):  # a list, a tensor of several elements, 10**400
            continue
    return found


def is_tuned() -> bool:
    """Whether this process belongs to a tuner's trial."""
    return bool(os.environ.get("TUNING_TRIAL"))


def quietly(function: Callable[P, T]) -> Callable[P, T | None]:
    """Keep what fails in an adapter out of the training: say it once, and report no more."""

    @functools.wraps(function)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> T | None:
        if _gave_up:
            return None
        try:
            return function(*args, **kwargs)
        except Exception:  # noqa: BLE001 - whatever it is, the training is worth more
            _gave_up.append(True)
            say(f"reporting to the tuner ends here, the training continues:\n{traceback.format_exc().rstrip()}")
            return None

    return guarded


def say(text: str) -> None:
    """Say something on the standard error, once."""
    if text not in _said:
        _said.add(text)
        sys.stderr.write(f"tuning: {text}\n")


_gave_up: list[bool] = []
_said: set[str] = set()
