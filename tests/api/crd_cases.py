"""The tables of manifests in data/, and the merge patches that they are written in."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import yaml

DATA = Path(__file__).parent / "data"


def load(name: str) -> Any:
    """Read a YAML file of the data folder."""
    return yaml.safe_load((DATA / name).read_text())


def merge(target: Any, patch: Any) -> Any:
    """Apply a JSON merge patch (RFC 7386): None removes, lists are replaced."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    result = copy.deepcopy(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge(result.get(key), value)
    return result


def good_job(patch: Any = None) -> dict[str, Any]:
    """The manifest that the tables start from, with a patch applied."""
    job: dict[str, Any] = merge(load("good_job.yaml"), patch or {})
    return job
