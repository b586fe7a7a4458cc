"""Suggestions that need no model: drawn at random, or the next points of a grid."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tuning_operator.core.suggest.request import Source, SpaceExhausted, Suggestion
from tuning_operator.core.suggest.streams import first_unseen, of_stream, stream

if TYPE_CHECKING:
    from tuning_operator.core.suggest.request import SuggestRequest


def draw(request: SuggestRequest) -> tuple[Suggestion, ...]:
    """Draw at random: the seed and the number of a trial, initial ones not counted, alone determine its point."""
    space, initial = request.space, request.initial
    places = [number - len(initial) for number in request.numbers]
    points = of_stream(space, request.seed, places, {space.key(point.parameters) for point in initial})
    return tuple(
        Suggestion(number, point, Source.RANDOM, "drawn at random")
        for number, point in zip(request.numbers, points, strict=True)
    )


def walk(request: SuggestRequest) -> tuple[Suggestion, ...]:
    """Take the first points of the grid that have not been tried; the first parameter changes fastest."""
    space, seen = request.space, request.seen()
    if space.size is None:
        raise ValueError("a grid needs parameters with a finite number of values")
    suggestions = []
    places = iter(range(space.size))
    for number in request.numbers:
        place = next((place for place in places if space.key(space.nth(place)) not in seen), None)
        if place is None:
            raise SpaceExhausted
        message = f"point {place + 1} of {space.size} of the grid"
        suggestions.append(Suggestion(number, space.nth(place), Source.GRID, message))
    return tuple(suggestions)


def fallback(request: SuggestRequest, why: str) -> tuple[Suggestion, ...]:
    """Propose random unseen points because the model failed; `why` goes into the message."""
    space, seen = request.space, request.seen()
    suggestions = []
    for number in request.numbers:
        point = first_unseen(stream(space, request.seed, number), space, seen)
        seen.add(space.key(point))
        suggestions.append(Suggestion(number, point, Source.FALLBACK, f"drawn at random because {why}"))
    return tuple(suggestions)
