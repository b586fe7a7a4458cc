"""Answers fixed questions with the operator's suggester; prints the suggestions, and what they cost, as JSON.

Needs only `tuning_operator`, so that it runs inside the operator's image: `python - < suggestions.py`.
"""

# ruff: noqa: INP001 - a script for the inside of an image

from __future__ import annotations

import json
import math
import resource
import sys
import time
import warnings
from itertools import islice
from typing import TYPE_CHECKING, Any

from tuning_operator.core.model.curves import Goal
from tuning_operator.core.model.observation import Observation
from tuning_operator.core.model.spec import Strategy
from tuning_operator.core.space import Categorical, Continuous, Integer, Scale, Space
from tuning_operator.core.suggest import SuggestRequest, suggest
from tuning_operator.core.suggest.streams import stream

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SPACE = Space(
    (
        Continuous("lr", 1e-5, 1.0, Scale.LOG),
        Continuous("momentum", 0.0, 0.999, Scale.REVERSE_LOG),
        Integer("batch", 16, 64),
        Categorical("optimizer", ("sgd", "adam", "rmsprop", "nag")),
    )
)
HISTORIES = (6, 12, 25, 50, 100)
"""Finished trials of the questions that the model answers."""
SEEDS = (3, 4)


def loss(point: Mapping[str, Any]) -> float:
    """A smooth training: what the trials of the history have reached."""
    return float(
        (math.log10(point["lr"]) + 2) ** 2
        + 5 * (point["momentum"] - 0.9) ** 2
        + abs(point["batch"] - 32) / 32
        + (point["optimizer"] != "nag")
    )


def questions() -> Iterator[SuggestRequest]:
    """Ask for a start, then for what the model makes of histories of several lengths."""
    for seed in SEEDS:
        for count in (0, *HISTORIES):
            points = islice(stream(SPACE, seed + 100), count)
            seen = tuple(Observation(point, loss(point)) for point in points)
            yield SuggestRequest(
                SPACE, Goal.MINIMIZE, Strategy.BAYESIAN, seed, (count + 1, count + 2), observations=seen, pending=()
            )


def main() -> None:
    """Answer all questions."""
    warnings.simplefilter("ignore")
    began = time.perf_counter()
    import torch  # noqa: PLC0415 - how long this takes is one of the answers

    import tuning_operator.core.suggest.bayesian  # noqa: F401, PLC0415

    imported = time.perf_counter() - began
    answers = [[{**each.parameters, "source": each.source} for each in suggest(question)] for question in questions()]
    known = {
        "torch": torch.__version__,
        "import_seconds": round(imported, 2),
        "answer_seconds": round(time.perf_counter() - began - imported, 2),
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,  # Linux counts in KiB
        "answers": answers,
    }
    json.dump(known, sys.stdout, indent=1)


if __name__ == "__main__":
    main()
