"""Chooses how a request is answered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tuning_operator.core.suggest.request import Source, Strategy, Suggestion
from tuning_operator.core.suggest.streams import first_unseen, nth_of_stream, stream

if TYPE_CHECKING:
    from tuning_operator.core.suggest.request import SuggestRequest


def suggest(request: SuggestRequest) -> tuple[Suggestion, ...]:
    """Propose parameters for every number of a request.

    The same request gets the same answer, whatever the order of its history, in any process. Raises
    SpaceExhausted when a finite space has fewer unseen points than numbers are asked for.
    """
    if request.strategy is Strategy.RANDOM:
        return tuple(
            Suggestion(
                number,
                nth_of_stream(request.space, request.seed, number),
                Source.RANDOM,
                "drawn at random",
            )
            for number in request.numbers
        )
    from tuning_operator.core.suggest.bayesian import propose  # noqa: PLC0415 - imports torch

    return propose(request)


def fallback(request: SuggestRequest, why: str) -> tuple[Suggestion, ...]:
    """Propose random unseen points at once, because the model could not; `why` goes into the message."""
    space, seen = request.space, request.seen()
    suggestions = []
    for number in request.numbers:
        point = first_unseen(stream(space, request.seed, number), space, seen)
        seen.add(space.key(point))
        suggestions.append(Suggestion(number, point, Source.FALLBACK, f"drawn at random because {why}"))
    return tuple(suggestions)
