"""Suggests what to try next: a pure function of the space, the seed and the history.

Importing this package imports no torch; the model is imported by the first Bayesian suggestion, which belongs
in a worker process.
"""

from tuning_operator.core.suggest.dispatch import suggest
from tuning_operator.core.suggest.draws import fallback
from tuning_operator.core.suggest.request import Source, SpaceExhausted, Suggestion, SuggestRequest

__all__ = [
    "Source",
    "SpaceExhausted",
    "SuggestRequest",
    "Suggestion",
    "fallback",
    "suggest",
]
