"""What kinds of values arguments take, checked where they are given, so that an error names what is wrong."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Kind:
    """A kind of values.

    Attributes:
        words: what it is called.
        types: what values are of it.
        other: what values are not, although they are of these types.
    """

    words: str
    types: tuple[type, ...]
    other: tuple[type, ...] = ()

    def takes(self, value: object) -> bool:
        """Whether a value is of this kind."""
        return isinstance(value, self.types) and not isinstance(value, self.other)


TEXT = Kind("a text", (str,))
MAPPING = Kind("a mapping", (Mapping,))
NAMED_MAPPINGS = Kind("a mapping of mappings", (Mapping,))
MAPPINGS = Kind("a list of mappings", (Iterable,), (str, bytes, Mapping))


def check(owner: str, kinds: Mapping[str, Kind | type], given: Mapping[str, Any], *required: str) -> None:
    """Check arguments; None stands for one that is not given.

    Args:
        owner: whose arguments they are.
        kinds: what each takes, or the class that it has to be of.
        given: arguments by name; others than those in `kinds` may be among them.
        required: those that have to be given.

    Raises:
        TypeError: one is of another kind; the message names it.
    """
    for name, kind in kinds.items():
        value = given[name]
        if value is None and name not in required:
            continue
        wanted = kind if isinstance(kind, Kind) else Kind(f"a {kind.__name__}", (kind,))
        if not wanted.takes(value) or not all(isinstance(item, Mapping) for item in _items(value, wanted)):
            raise TypeError(f"{name} of {owner} must be {wanted.words}, not {value!r}")


def _items(value: Any, kind: Kind) -> Iterable[object]:
    return value.values() if kind is NAMED_MAPPINGS else value if kind is MAPPINGS else ()
