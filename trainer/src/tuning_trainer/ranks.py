"""Which of a training's processes reports: the one with rank 0, and no other."""

from __future__ import annotations

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
            f"this process has rank {environment[name]} ({name}): in distributed training rank 0 alone reports; "
            f"call report() there only"
        )
