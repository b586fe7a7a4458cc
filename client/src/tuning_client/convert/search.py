"""The hyperparameters of a job under construction, those with a range and those without, as a job can have them."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tuning_client.convert.source import note_all
from tuning_client.names import parameter_name

if TYPE_CHECKING:
    from tuning_client.convert.source import Field

MAX_PARAMETERS, MAX_STATIC, MAX_STATIC_TEXT, MAX_VALUES, MAX_VALUE = 64, 64, 1024, 128, 128
MAX_GRID, MAX_STEPS = 10_000, 1000
_LARGEST = {"continuous": 1e18, "integer": 2**53}
_LEAST_SPREAD = 1e-9


@dataclass
class Search:
    """Hyperparameters as in `spec.parameters` and `spec.staticParameters`."""

    parameters: list[dict[str, Any]] = field(default_factory=list)
    static: dict[str, str] = field(default_factory=dict)
    _encoded: list[Field] = field(default_factory=list)

    def name(self, place: Field, given: str) -> str:
        """Return a hyperparameter's name here, which no other one has."""
        name = parameter_name(given)
        if name in self.static or any(parameter["name"] == name for parameter in self.parameters):
            raise place.error(
                f"{given} is HP_{name} in the training's environment, like another hyperparameter: rename one"
            )
        if name != given:
            place.note(f"{given} is called {name} here, because the training finds it as HP_{name} in its environment")
        return name

    def add_number(self, name: str, kind: str, place: Field, **bounds: Any) -> None:
        """Add a continuous or integer hyperparameter; one whose bounds are equal does not vary."""
        low, high, largest = bounds["min"], bounds["max"], _LARGEST[kind]
        if low == high:
            self.add_static(name, str(low), place)
            place.note(f"has equal bounds: it does not vary, and stands in spec.staticParameters as {name}")
            return
        if low > high:
            raise place.error(f"has a min of {low} above its max of {high}: write the smaller one first")
        if max(abs(low), abs(high)) > largest:
            raise place.error(f"has bounds beyond {largest:.3g}: use another unit")
        if kind == "continuous" and high - low < _LEAST_SPREAD * max(abs(low), abs(high)):
            raise place.error("has bounds with too few numbers between them: widen it, or give it one value")
        bounds["scale"] = _possible(bounds["scale"], low, high, place)
        if "step" in bounds:
            _check_step(kind, bounds, place)
        self._add(place, {"name": name, kind: bounds})

    def add_choice(self, name: str, values: Field) -> None:
        """Add a categorical hyperparameter."""
        texts: list[str] = []
        for value in values.children():
            with value.or_left_out("the value was left out"):
                texts.append(self._choice(value))
        differing = list(dict.fromkeys(texts))
        if not differing:
            raise values.error("has no usable value: write at least one string")
        if len(differing) > MAX_VALUES:
            values.mention(f"has {len(differing)} values, of which the first {MAX_VALUES} were kept")
        self._add(values, {"name": name, "categorical": {"values": differing[:MAX_VALUES]}})

    def add_numbers(self, name: str, place: Field, numbers: list[float], scale: str) -> None:
        """Add a hyperparameter with several numbers to choose from, in ascending order."""
        if len(numbers) > MAX_VALUES:
            place.mention(f"has {len(numbers)} values, of which the first {MAX_VALUES} were kept")
        values = numbers[:MAX_VALUES]
        scale = _possible(scale, values[0], values[-1], place)
        self._add(place, {"name": name, "discrete": {"values": values, "scale": scale}})

    def add_static(self, name: str, text: str, place: Field) -> None:
        """Add a hyperparameter that does not vary."""
        if len(text) > MAX_STATIC_TEXT:
            raise place.error(f"has more than {MAX_STATIC_TEXT} characters: let the training read it from a file")
        if len(self.static) == MAX_STATIC:
            raise place.error(f"exceeds the {MAX_STATIC} that a job can have: set it in the container's env")
        self.static[name] = text

    def text(self, place: Field) -> str:
        """Return a static value as a string; a value of another type is converted, with a note."""
        value = place.take()
        if isinstance(value, str):
            return self._decoded(place, value)
        if value is None or isinstance(value, bool | dict | list):
            text = "" if value is None else json.dumps(value)
            place.mention(f"is not a string: the training gets {text[:80]!r}")
            return text
        return str(value)

    def require(self, place: Field) -> None:
        """Raise an error where nothing is left to search, with the first reason for that."""
        if not self.parameters:
            own = (note for note in place.source.notes if note.paths[0][: len(place.path)] == place.path)
            reason = next(map(str, own), "give one at least two values")
            raise place.error(f"has no hyperparameter that can be searched: {reason}")

    def strategy(self, wanted: str, place: Field) -> str:
        """Return the strategy, unless it is Grid and cannot try all combinations."""
        if wanted != "Grid":
            return wanted
        combinations = math.prod(map(_choices, self.parameters))
        if combinations <= MAX_GRID:
            return wanted
        place.mention(
            f"Grid tries at most {MAX_GRID} combinations, and no continuous ranges; the strategy is Random: write "
            "integers with a step, or categorical values, to try them all"
        )
        return "Random"

    def tell(self) -> None:
        """Note what is true of several values, once."""
        note_all(self._encoded, "JSON-encoded, as SageMaker's SDK writes it: the training gets it without the quotes")

    def _choice(self, value: Field) -> str:
        text = self.text(value)
        if not 0 < len(text) <= MAX_VALUE:
            raise value.error(
                f"must have 1 to {MAX_VALUE} characters, not {len(text)}: name it, and let the training look it up"
            )
        return text

    def _decoded(self, place: Field, text: str) -> str:
        try:
            decoded = json.loads(text) if text[:1] == text[-1:] == '"' else None
        except ValueError:
            return text
        if not isinstance(decoded, str):
            return text
        self._encoded.append(place)
        return decoded.encode("utf-16", "surrogatepass").decode("utf-16", "replace")

    def _add(self, place: Field, parameter: dict[str, Any]) -> None:
        if len(self.parameters) == MAX_PARAMETERS:
            raise place.error(f"exceeds the {MAX_PARAMETERS} that a job can search: give it a fixed value")
        self.parameters.append(parameter)


def _choices(parameter: dict[str, Any]) -> float:
    """How many values there are."""
    for kind in ("categorical", "discrete"):
        if kind in parameter:
            return len(parameter[kind]["values"])
    if "continuous" in parameter:
        bounds = parameter["continuous"]
        return int((bounds["max"] - bounds["min"]) / bounds["step"] * (1 + 1e-9)) + 1 if "step" in bounds else math.inf
    bounds = parameter["integer"]
    return int((bounds["max"] - bounds["min"]) // bounds.get("step", 1)) + 1


def _check_step(kind: str, bounds: dict[str, Any], place: Field) -> None:
    """Leave out a step that a job cannot have."""
    step, width = bounds["step"], bounds["max"] - bounds["min"]
    if kind == "integer" and not 1 <= step <= width:
        del bounds["step"]
        place.mention(f"has a step of {step}, which must be 1 to {width}: the step was left out")
    elif kind == "continuous" and not (0 < step <= width and width / step <= MAX_STEPS):
        del bounds["step"]
        place.mention(f"has a step of {step:g}, which makes none or more than {MAX_STEPS} steps: it was left out")


def _possible(scale: str, low: float, high: float, place: Field) -> str:
    if (scale == "Log" and low <= 0) or (scale == "ReverseLog" and not (low >= 0 and high < 1)):
        needs = "a min above 0" if scale == "Log" else "bounds from 0 to below 1"
        place.mention(f"has a scale that needs {needs}: the scale is Linear")
        return "Linear"
    return scale
