"""The Bayesian strategy: the middle, points evenly spread, then the most promising ones of a Gaussian process.

Imports torch: it belongs in a worker process.
"""

from __future__ import annotations

import math
import warnings
from contextlib import contextmanager
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from botorch.exceptions import BotorchError
from botorch.exceptions.warnings import OptimizationWarning
from linear_operator.utils.errors import NanError, NotPSDError
from linear_operator.utils.warnings import NumericalWarning
from torch.linalg import LinAlgError  # type: ignore[attr-defined]
from torch.quasirandom import SobolEngine

from tuning_operator.core.space import Categorical
from tuning_operator.core.suggest.draws import fallback
from tuning_operator.core.suggest.model import History, fit
from tuning_operator.core.suggest.request import Source, Suggestion
from tuning_operator.core.suggest.search import Search
from tuning_operator.core.suggest.streams import first_unseen, stream

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tuning_operator.core.space import Space, Value
    from tuning_operator.core.suggest.request import SuggestRequest

START = 5
RELATED_START = 2
"""So many trials have to have an objective before the model takes over; the second where related jobs are known."""

NUMERICAL_ERRORS = (BotorchError, NanError, NotPSDError, LinAlgError)
"""What a model may fail with on data that it cannot be fitted to."""


def propose(request: SuggestRequest) -> tuple[Suggestion, ...]:
    """Answer a request; raises SpaceExhausted."""
    with _reproducible(request.seed, request.numbers[0]):
        if not _enough_to_learn_from(request):
            return _spread(request)
        try:
            return _learned(request)
        except NUMERICAL_ERRORS as error:
            return fallback(request, f"the model failed: {type(error).__name__}: {error}")


def _enough_to_learn_from(request: SuggestRequest) -> bool:
    """Ask for trials with an objective; where many fail, for twice as many trials."""
    start = RELATED_START if request.relatives else START
    finite, total = request.finite(), len(request.informing())
    return finite >= start or (finite >= 2 and total >= 2 * start)  # noqa: PLR2004 - a difference needs two


def _spread(request: SuggestRequest) -> tuple[Suggestion, ...]:
    """Propose the points of the seed's start that the trials' numbers stand for."""
    space, seen = request.space, request.seen()
    suggestions = []
    for number in request.numbers:
        candidates = chain([_start(space, request.seed, number)], stream(space, request.seed, number))
        point = first_unseen(candidates, space, seen)
        seen.add(space.key(point))
        message = "the middle of the ranges" if number == 1 else "evenly spread start"
        suggestions.append(Suggestion(number, point, Source.SOBOL, message))
    return tuple(suggestions)


def _start(space: Space, seed: int, number: int) -> dict[str, Value]:
    """Return a point of the seed's scrambled Sobol sequence, the first one moved to the middle of all numeric scales.

    People lay ranges around what they know to work. Categories have no middle.
    """
    engine: Any = SobolEngine(len(space.parameters), scramble=True, seed=seed)
    uniform = engine.fast_forward(number - 1).draw(1, dtype=torch.float64).numpy()
    if number == 1:
        uniform[:, [not isinstance(parameter, Categorical) for parameter in space.parameters]] = 0.5
    return space.decode(space.spread(uniform)[0])


def _learned(request: SuggestRequest) -> tuple[Suggestion, ...]:
    history = History.of(request)
    search = Search(
        request.space, fit(request.space, history), history, np.random.default_rng((request.seed, request.numbers[0]))
    )
    observed = float(np.ptp(history.objectives[: history.own]))
    basis = f"a model of {history.own} trials"
    if request.relatives:
        basis += f" and {len(history.rows) - history.own} of related jobs"
    suggestions = []
    for number in request.numbers:
        point, improvement = search.next()
        gain = improvement / observed if observed else math.inf
        message = f"most promising by {basis}"
        suggestions.append(Suggestion(number, point, Source.MODEL, message, gain))
    return tuple(suggestions)


@contextmanager
def _reproducible(seed: int, number: int) -> Iterator[None]:
    """Make torch deterministic: sums depend on the number of threads, restarts of a fit on its generator."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
            warnings.simplefilter("ignore", NumericalWarning)  # a little jitter was added, and that was enough
            warnings.simplefilter("ignore", OptimizationWarning)  # the fit stopped short: what it has is usable
            torch.manual_seed(seed * 1009 + number)
            yield
    finally:
        torch.set_num_threads(threads)
