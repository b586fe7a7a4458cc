"""Which of several processes this one is, that train one network together; imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Processes:
    """All processes of a training, as one of them sees itself.

    Attributes:
        rank: this one, from 0; the first one reports and writes checkpoints.
        count: how many there are.
        local_rank: this one among those of its machine, each of which has a GPU.
    """

    rank: int = 0
    count: int = 1
    local_rank: int = 0

    @property
    def is_first(self) -> bool:
        """Whether this one speaks for all."""
        return self.rank == 0

    def share(self, size: int) -> slice:
        """Return this process's part of a batch of a size; the parts differ by one image at most."""
        return slice(size * self.rank // self.count, size * (self.rank + 1) // self.count)


def read(environment: Mapping[str, str]) -> Processes:
    """Read what `torchrun` says in the environment, else the operator: then there is one process a node.

    Raises:
        ValueError: a variable is missing or no number in its bounds.
    """
    if "WORLD_SIZE" in environment:
        names = ("RANK", "WORLD_SIZE", "LOCAL_RANK")
    elif "NNODES" in environment:
        names = ("NODE_RANK", "NNODES", "")
    else:
        return Processes()
    rank, count, local = (_number(environment, name) if name else 0 for name in names)
    if rank >= count:
        raise ValueError(f"the environment variable {names[0]} is {rank}: give a number below {names[1]}, {count}")
    return Processes(rank, count, local)


def _number(environment: Mapping[str, str], name: str) -> int:
    text = environment.get(name, "")
    if not text.isdecimal():
        raise ValueError(f"the environment variable {name} is {text!r}: give a whole number")
    return int(text)
