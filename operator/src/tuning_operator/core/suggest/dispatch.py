"""Chooses how a request is answered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tuning_operator.core.model.spec import Strategy
from tuning_operator.core.suggest.draws import draw, fallback, walk
from tuning_operator.core.suggest.initial import take
from tuning_operator.core.suggest.request import SpaceExhausted
from tuning_operator.core.suggest.start import needs_model, spread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tuning_operator.core.suggest.request import Suggestion, SuggestRequest


def suggest(request: SuggestRequest) -> tuple[Suggestion, ...]:
    """Propose parameters for every number of a request.

    The same request gets the same answer, whatever the order of its history, in any process. Raises
    SpaceExhausted when a finite space has fewer unseen points than numbers are asked for.
    """
    return tuple(suggest_each(request))


def suggest_each(request: SuggestRequest) -> Iterator[Suggestion]:
    """Propose the same one by one, each as soon as it is computed: a model is fitted once, and then searched."""
    first = take(request)
    yield from first
    rest = request.after(first)
    if rest.numbers:
        yield from _strategy(rest)(rest)


def suggest_without_model(request: SuggestRequest) -> tuple[Suggestion, ...]:
    """Suggest what needs none; numbers run past the end of a finite space when somebody deletes trials."""
    try:
        return suggest(request)
    except SpaceExhausted:
        return fallback(request, "trials were deleted or repeated: their numbers are not used again")


def load() -> None:
    """Import what the model needs, which takes seconds."""
    import tuning_operator.core.suggest.bayesian  # noqa: F401, PLC0415 - torch


def _strategy(request: SuggestRequest) -> Callable[[SuggestRequest], Iterable[Suggestion]]:
    match request.strategy:
        case Strategy.RANDOM:
            return draw
        case Strategy.GRID:
            return walk
        case Strategy.BAYESIAN if not needs_model(request):
            return spread
        case Strategy.BAYESIAN:
            from tuning_operator.core.suggest.bayesian import propose  # noqa: PLC0415 - imports torch

            return propose
