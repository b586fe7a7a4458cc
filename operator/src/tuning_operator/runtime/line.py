"""A waiting line with fair turns: groups alternate, and within a group the first to come is served first."""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Hashable

Item = TypeVar("Item")


class FairLine(Generic[Item]):
    """A line in which a crowded group delays only itself."""

    def __init__(self) -> None:
        self._groups: OrderedDict[Hashable, deque[Item]] = OrderedDict()
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def push(self, group: Hashable, item: Item) -> None:
        """Join the line at the end of a group."""
        self._groups.setdefault(group, deque()).append(item)
        self._length += 1

    def pop(self) -> Item:
        """Take the first of the group whose turn it is; that group then waits for all others.

        Raises:
            IndexError: Nobody waits.
        """
        if not self._groups:
            raise IndexError("nobody waits")
        group, items = self._groups.popitem(last=False)
        if len(items) > 1:
            self._groups[group] = items
        self._length -= 1
        return items.popleft()
