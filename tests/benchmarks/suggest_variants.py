"""Our suggester with one decision taken otherwise, to measure what the decision is worth."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING
from unittest.mock import patch

import numpy as np

from tuning_operator.core.suggest import bayesian, model, outcomes, search

if TYPE_CHECKING:
    from collections.abc import Mapping


VARIANTS: Mapping[str, list[tuple[object, str, object]]] = {
    "start-of-5": [(bayesian, "LARGEST_START", 5)],
    "power-only": [(outcomes, "ranks", np.zeros_like)],
    "ranks-only": [(outcomes, "power", np.zeros_like)],
    "standardised": [(outcomes, "ranks", np.zeros_like), (outcomes, "power", outcomes.standard)],
    "botorch-prior": [(model, "LENGTHSCALE", (2**0.5, 3**0.5))],
    "more-noise": [(model, "NOISE", (-3.5, 1.0))],
    "expecting": [(search, "_SAMPLED_TRIALS", 0)],
}


def varied(name: str) -> ExitStack:
    """Return a context in which suggestions are made in a variant's way."""
    stack = ExitStack()
    for owner, attribute, value in VARIANTS[name]:
        stack.enter_context(patch.object(owner, attribute, value))
    return stack
