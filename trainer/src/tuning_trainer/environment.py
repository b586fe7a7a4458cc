"""Reads a reporting process's environment: its settings, and whether it is the one that reports."""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_RANKS = ("RANK", "SLURM_PROCID", "OMPI_COMM_WORLD_RANK", "PMI_RANK", "LOCAL_RANK")
"""Where launchers say the rank; the first that is set counts, since a local rank is 0 on each node."""


def check_rank(environment: Mapping[str, str]) -> None:
    """Hold all processes but the first off.

    Raises:
        RuntimeError: this process has another rank than 0.
    """
    name = next((name for name in _RANKS if environment.get(name, "").isdecimal()), None)
    if name is not None and int(environment[name]) != 0:
        raise RuntimeError(
            f"this process has rank {environment[name]} ({name}): in distributed training only rank 0 reports; "
            f"call report() only there"
        )


def number_from(variable: str, default: float, *, most: float, whole: bool = False) -> float:
    """Return a number from 0 that an environment variable has, or its default.

    Raises:
        ValueError: it is not a number, or out of bounds.
    """
    text = os.environ.get(variable, "")
    if not text:
        return default
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number <= most or (whole and not number.is_integer()):
        kind = "whole number" if whole else "number"
        raise ValueError(f"the environment variable {variable} is {text!r}: give a {kind} from 0 to {most:g}")
    return number
