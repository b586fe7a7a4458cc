"""The Bayesian strategy once there is enough to learn from: the most promising points of a Gaussian process.

Imports torch: it belongs in a worker process.
"""

from __future__ import annotations

import math
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import torch
from botorch.exceptions import BotorchError
from botorch.exceptions.warnings import OptimizationWarning
from linear_operator.utils.errors import NanError, NotPSDError
from linear_operator.utils.warnings import NumericalWarning
from torch.linalg import LinAlgError  # type: ignore[attr-defined]

from tuning_operator.core.suggest.draws import fallback
from tuning_operator.core.suggest.history import History
from tuning_operator.core.suggest.model import fit
from tuning_operator.core.suggest.request import Source, Suggestion
from tuning_operator.core.suggest.search import Search

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tuning_operator.core.suggest.request import SuggestRequest

NUMERICAL_ERRORS = (BotorchError, NanError, NotPSDError, LinAlgError)
"""What a model may fail with on data that it cannot be fitted to."""


def propose(request: SuggestRequest) -> Iterator[Suggestion]:
    """Answer a request that there is enough to learn for, number by number; raises SpaceExhausted."""
    found = []
    try:
        with _reproducible(request.seed, request.numbers[0]):
            for suggestion in _learned(request):
                found.append(suggestion)
                yield suggestion
    except NUMERICAL_ERRORS as error:
        yield from fallback(request.after(found), f"the model failed: {type(error).__name__}: {error}")


def _learned(request: SuggestRequest) -> Iterator[Suggestion]:
    history = History.of(request)
    process = fit(request.space, history)
    search = Search(request.space, process, history, np.random.default_rng((request.seed, request.numbers[0])))
    observed = float(np.ptp(history.objectives[: history.own]))
    basis = f"a model of {history.own} trials"
    if request.relatives:
        correlations = ", ".join(f"{each:.2f}" for each in process.correlations)
        basis += f" and {len(history.rows) - history.own} of related jobs (correlation with this one: {correlations})"
    message = f"most promising by {basis}"
    for number in request.numbers:
        point, improvement = search.next()
        gain = improvement / observed if observed else math.inf
        yield Suggestion(number, point, Source.MODEL, message, gain)


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
