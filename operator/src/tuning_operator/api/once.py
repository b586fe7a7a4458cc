"""Reads each version of an object once: a pass over a thousand finished trials costs nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from collections.abc import Set as AbstractSet

Value = TypeVar("Value")


class Once(Generic[Value]):
    """What was made of the versions of objects that were seen last, by their uids."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[str, Value]] = {}

    def __len__(self) -> int:
        return len(self._known)

    def of(self, body: Mapping[str, Any], read: Callable[[], Value]) -> Value:
        """Return what was made of this version of an object, or make it now."""
        uid, version = body["metadata"]["uid"], body["metadata"].get("resourceVersion", "")
        known = self._known.get(uid)
        if known is None or known[0] != version or not version:
            known = self._known[uid] = version, read()
        return known[1]

    def keep(self, uids: AbstractSet[str]) -> None:
        """Forget the objects that are not there any more."""
        if len(self._known) > len(uids):
            self._known = {uid: known for uid, known in self._known.items() if uid in uids}
