"""Chooses how a request is answered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tuning_operator.core.model.spec import Strategy
from tuning_operator.core.suggest.draws import draw, walk

if TYPE_CHECKING:
    from tuning_operator.core.suggest.request import Suggestion, SuggestRequest


def suggest(request: SuggestRequest) -> tuple[Suggestion, ...]:
    """Propose parameters for every number of a request.

    The same request gets the same answer, whatever the order of its history, in any process. Raises
    SpaceExhausted when a finite space has fewer unseen points than numbers are asked for.
    """
    match request.strategy:
        case Strategy.RANDOM:
            return draw(request)
        case Strategy.GRID:
            return walk(request)
        case Strategy.BAYESIAN:
            from tuning_operator.core.suggest.bayesian import propose  # noqa: PLC0415 - imports torch

            return propose(request)
