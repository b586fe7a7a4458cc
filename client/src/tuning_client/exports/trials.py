"""What the exports have in common: values with their types, and which trials have ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tuning_client.describe import phase
from tuning_client.story import FINAL_TRIAL

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def ended(trials: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the trials whose record is complete."""
    return [trial for trial in trials if phase(trial) in FINAL_TRIAL]


def measurements(trial: Mapping[str, Any]) -> list[tuple[int, float]]:
    """Return steps and values of the curve: the epochs, or where some are fractions, their positions."""
    curve = trial["status"].get("curve") or {}
    epochs, values = curve.get("epochs") or [], [float(value) for value in curve.get("values") or ()]
    whole = all(float(epoch).is_integer() for epoch in epochs)
    return list(zip(map(int, epochs) if whole else range(1, len(values) + 1), values, strict=True))


def typed(parameter: Mapping[str, Any], text: str) -> Any:
    """Return a parameter's value with its type."""
    if "integer" in parameter or ("discrete" in parameter and are_whole(parameter["discrete"]["values"])):
        return int(text)
    return float(text) if "continuous" in parameter or "discrete" in parameter else text


def are_whole(values: Sequence[float]) -> bool:
    """Whether numbers to choose from are whole, as which the training gets them then."""
    return all(float(value).is_integer() for value in values)
