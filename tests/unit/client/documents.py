"""Manifests to convert, published ones and texts that YAML reads as something else, and what became of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from tuning_client.convert import convert

if TYPE_CHECKING:
    from tuning_client.convert import Converted

DATA = Path(__file__).parent / "data"
EXAMPLES = sorted(path.name for path in DATA.iterdir() if path.suffix in {".yaml", ".json"})
ODD_TEXTS = (
    *("y", "n", "Y", "N", "yes", "No", "on", "OFF", "true", "False", "null", "Null", "~", "=", "<<", "nan", "inf"),
    *("1", "-1", "+1", "1e-3", "1E5", ".5", "5.", "0o17", "017", "0x1F", "0b1", "1_000", ".inf", "-.INF", ".nan"),
    *("12:30:45", "190:20:30.15", "2024-01-01", "2024-01-01T00:00:00Z", "e3", "a.b", "a-b", "sgd", "", " ", " a", "a "),
    *("!", "&", "*", "%", "@", "`", "-", "?", ":", ",", "[", "]", "{", "}", "#", "|", ">", "'", '"', "a: b", "a #b"),
    *("#011", '"sgd"', "- a", "a\nb", "a\n\n b\n", "\ttab", "é", "\u2028", "\x85", "\x00", "👍", "---", "..."),
)


def load(name: str) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((DATA / name).read_text())
    return document


def converted(name: str) -> dict[str, Any]:
    (job,) = convert(load(name)).jobs
    return job


def said(result: Converted) -> str:
    return "\n".join(str(note) for note in result.notes)
