"""The settings that a user wants tried first, as points of the space; missing values are drawn.

They follow from the specification and the seed alone, so nothing is remembered: those that have not been tried come
next.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from tuning_operator.core.space import Categorical, Continuous, Discrete, Integer, Space
from tuning_operator.core.suggest.request import Initial, Source, SpaceExhausted, Suggestion
from tuning_operator.core.suggest.streams import first_unseen, stream

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tuning_operator.core.space import Parameter, Value
    from tuning_operator.core.suggest.request import SuggestRequest


def initial_points(space: Space, settings: tuple[Mapping[str, Value], ...], seed: int) -> tuple[Initial, ...]:
    """Return the points of settings, in their order, without repetitions.

    Args:
        space: Where the points lie.
        settings: Values by parameter; some parameters may be missing.
        seed: Determines, with the setting's place in the list, the values that are drawn.
    """
    return _points(space, tuple(tuple(sorted(setting.items())) for setting in settings), seed)


def take(request: SuggestRequest) -> tuple[Suggestion, ...]:
    """Propose the initial points that have not been tried, one per number while there are any."""
    return tuple(
        Suggestion(number, point.parameters, Source.INITIAL, point.message)
        for number, point in zip(request.numbers, request.untried(), strict=False)
    )


@lru_cache(maxsize=256)
def _points(space: Space, settings: tuple[tuple[tuple[str, Value], ...], ...], seed: int) -> tuple[Initial, ...]:
    """Return the points; cached, since each pass asks for them."""
    points: dict[tuple[Value, ...], Initial] = {}
    for place, items in enumerate(settings):
        setting = dict(items)
        part = Space(tuple(_fixed(parameter, setting) for parameter in space.parameters))
        try:
            point = first_unseen(stream(part, seed, place), space, set(points))
        except SpaceExhausted:
            continue
        drawn = [parameter.name for parameter in space.parameters if parameter.name not in setting]
        rest = f"; {', '.join(drawn)} drawn at random" if drawn else ""
        points[space.key(point)] = Initial(point, f"spec.initialTrials[{place}]{rest}")
    return tuple(points.values())


def _fixed(parameter: Parameter, setting: Mapping[str, Value]) -> Parameter:
    """Return the parameter with the setting's value as its only one, if the setting has one."""
    if parameter.name not in setting:
        return parameter
    value = setting[parameter.name]
    match parameter:
        case Continuous():
            return Continuous(parameter.name, float(value), float(value), parameter.scale)
        case Integer():
            return Integer(parameter.name, int(value), int(value), parameter.scale)
        case Discrete():
            return Discrete(parameter.name, (parameter.parse(str(value)),), parameter.scale)
        case Categorical():
            return Categorical(parameter.name, (str(value),))
