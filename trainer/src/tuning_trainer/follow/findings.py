"""What a piece of a log says: metrics and an epoch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

SIDE, BEST, PLAIN, NAMED = range(4)
"""How sure it is that a value is the metric's: the end of another name has it, it is called the best, a word of its own
has it, or that and a word of the metric's name before it.
"""


@dataclass(frozen=True)
class Found:
    """What a piece of a log says.

    Attributes:
        epoch: which one it states, if any.
        total: how many epochs there will be, if it says that.
        may_be_setting: the epoch is written as settings are: `epoch: 100`.
        is_within: it is from within an epoch, of which more follows: `iter 50/200`.
        may_be_aside: a sentence mentions the epoch: `decays at epoch 30`.
        values: metrics by name.
        problems: texts in the place of a value or an epoch that are neither.
        rank: how sure it is that the objective's value is the objective's.
    """

    epoch: float | None = None
    values: Mapping[str, float] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    rank: int = PLAIN
    total: float | None = None
    may_be_setting: bool = False
    is_within: bool = False
    may_be_aside: bool = False
