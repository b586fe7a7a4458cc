"""Suggests what to try next: a pure function of the space, the seed and the history.

Importing this package imports no torch; the model is imported by the first suggestion that needs it, which belongs
in a worker process.
"""

from tuning_operator.core.suggest.dispatch import load, suggest, suggest_each, suggest_without_model
from tuning_operator.core.suggest.draws import fallback
from tuning_operator.core.suggest.initial import initial_points
from tuning_operator.core.suggest.request import Source, SpaceExhausted, Suggestion, SuggestRequest
from tuning_operator.core.suggest.start import needs_model

__all__ = [
    "Source",
    "SpaceExhausted",
    "SuggestRequest",
    "Suggestion",
    "fallback",
    "initial_points",
    "load",
    "needs_model",
    "suggest",
    "suggest_each",
    "suggest_without_model",
]
