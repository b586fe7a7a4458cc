"""Suggests what to try next: a pure function of the space, the seed and the history.

Importing this package imports no torch; the model is imported by the first Bayesian suggestion, which belongs
in a worker process.
"""

from tuning_operator.core.suggest.dispatch import fallback, suggest
from tuning_operator.core.suggest.request import (
    Observation,
    RelatedTrial,
    Source,
    SpaceExhausted,
    Strategy,
    Suggestion,
    SuggestRequest,
)

__all__ = [
    "Observation",
    "RelatedTrial",
    "Source",
    "SpaceExhausted",
    "Strategy",
    "SuggestRequest",
    "Suggestion",
    "fallback",
    "suggest",
]
