"""Functions as scripts: what a trial gets, and which functions are refused."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.unit.client.notebooks import code_of, run_cell
from tuning_client import CategoricalParameter, ContinuousParameter, FunctionError, IntegerParameter, search
from tuning_client.function import MAX_BYTES, script, static_texts

if TYPE_CHECKING:
    from collections.abc import Callable

OUTSIDE = 3
RATE = {"rate": ContinuousParameter(0.1, 1)}
report: Any = None
calls = 0.0


def reports_each_epoch(rate: float, units: int, epochs: int = 2) -> None:
    """A docstring with {braces}, and text that
    begins at the margin."""
    import math  # noqa: PLC0415 - as functions have to

    def loss(epoch: int) -> float:
        return math.exp(-rate * epoch * units)

    for epoch in range(1, epochs + 1):
        report(epoch, {"loss": loss(epoch)})


def takes_one_mapping(parameters):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201 - as Katib's users write it
    return 4 * int(parameters["a"]) - float(parameters["b"]) ** 2


def tells_types(**values: object) -> dict[str, float]:
    print({name: (type(value).__name__, value) for name, value in values.items()})
    return {"loss": 1.0}


def run(tmp_path: Path, text: str, **values: str) -> tuple[subprocess.CompletedProcess[str], dict[str, Any]]:
    """The script as a trial runs it, and its termination message."""
    log = tmp_path / "message"
    log.write_text("")
    (tmp_path / "function.py").write_text(text)
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("TUNING_", "HP_", "RANK"))}
    settings = {
        "TUNING_TRIAL": "job-0001",
        "TUNING_OBJECTIVE_METRIC": "loss",
        "TUNING_METRICS_PORT": "0",
        "TUNING_FINISH_TIMEOUT": "0",
        "OMP_NUM_THREADS": "1",
        "TUNING_TERMINATION_LOG": str(log),
    }
    done = subprocess.run(
        [sys.executable, str(tmp_path / "function.py")],
        env=clean | settings | {f"HP_{name}": value for name, value in values.items()},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    return done, json.loads(log.read_text() or "{}")


def test_a_function_that_reports_runs_as_it_stands(tmp_path: Path) -> None:
    text = script(reports_each_epoch, {**RATE, "units": IntegerParameter(1, 8), "epochs": 3})
    done, message = run(tmp_path, text, rate="0.5", units="2", epochs="3")
    assert (done.returncode, done.stderr) == (0, "")
    assert message["epochs"] == [1, 2, 3]
    assert message["metrics"]["loss"] == pytest.approx([0.36788, 0.13534, 0.04979], abs=1e-5)


def test_a_value_that_is_returned_is_the_only_epoch(tmp_path: Path) -> None:
    parameters = {"a": search.int(min=10, max=20), "b": search.double(min=0.1, max=0.2)}
    done, message = run(tmp_path, script(takes_one_mapping, parameters), a="12", b="0.1")
    assert (done.returncode, done.stderr) == (0, "")
    assert (message["epochs"], message["metrics"]) == ([1], {"loss": [47.99]})


def test_values_have_the_types_that_they_had_here(tmp_path: Path) -> None:
    parameters = {
        "rate": search.loguniform(1e-5, 1),
        "units": search.int(1, 8),
        "batch": search.choice(np.array([16, 32])),
        "flag": CategoricalParameter([True, False]),
        "name": search.categorical(["sgd", "16"]),
        "label": "0.5",
        "layers": (64, np.int64(32)),
        "nothing": None,
        "whole": 1.0,
    }
    texts = {"rate": "1", "units": "3", "batch": "32", "flag": "False", "name": "16", **static_texts(parameters)}
    done, message = run(tmp_path, script(tells_types, parameters), **texts)
    assert done.stderr == ""
    assert eval(done.stdout) == {
        "rate": ("float", 1.0),
        "units": ("int", 3),
        "batch": ("int", 32),
        "flag": ("bool", False),
        "name": ("str", "16"),
        "label": ("str", "0.5"),
        "layers": ("list", [64, 32]),
        "nothing": ("NoneType", None),
        "whole": ("float", 1.0),
    }
    assert message["epochs"] == [1]


def test_a_function_that_was_written_indented_keeps_its_texts(tmp_path: Path) -> None:
    def within(rate: float) -> float:
        text = """
margin
    indented"""
        return rate + len(text)

    done, message = run(tmp_path, script(within, RATE), rate="0.5")
    assert done.stderr == ""
    assert message["metrics"]["loss"] == [20.5]


def test_a_failing_function_fails_the_trial_in_its_own_words(tmp_path: Path) -> None:
    def fails(rate: float) -> None:
        raise ValueError(f"no such rate: {rate}")

    done, _ = run(tmp_path, script(fails, RATE), rate="0.5")
    assert done.returncode == 1
    assert "ValueError: no such rate: 0.5" in done.stderr


def with_closure() -> Callable[..., object]:
    outer = 1

    def function(rate: float) -> float:
        return rate + outer

    return function


def uses_globals(rate: float) -> float:
    return rate + np.exp(OUTSIDE)


def uses_a_global_as_default(rate: float = OUTSIDE) -> float:
    return rate


def uses_a_global_deep_within(rate: float) -> float:
    class Model:
        size = 2

        def value(self) -> float:
            return sum(rate * self.size * OUTSIDE for _ in range(2))

    return Model().value()


@functools.cache
def decorated(rate: float) -> float:
    return rate


def double(function: Callable[..., float]) -> Callable[..., float]:
    @functools.wraps(function)
    def wrapped(rate: float) -> float:
        return 2 * function(rate)

    return wrapped


@double
def wrapped(rate: float) -> float:
    return rate


async def asynchronous(rate: float) -> float:
    return rate


def generator(rate: float) -> Any:
    yield rate


class Callables:
    def method(self, rate: float) -> float:
        return rate + len(str(self))


exec("def without_source(rate): return rate")


def misses(rate: float, units: int) -> float:
    return rate * units


def takes_less(other: float = 1, another: float = 1) -> float:
    return other + another


def positional(rate: float, units: int, /) -> float:
    return rate * units


@pytest.mark.parametrize(
    ("function", "says"),
    [
        (with_closure(), "function uses outer of the function around it"),
        (uses_globals, "uses OUTSIDE, np, defined outside of it: import it within the function"),
        (uses_a_global_as_default, "uses OUTSIDE, defined outside of it"),
        (uses_a_global_deep_within, "uses OUTSIDE, defined outside of it"),
        (decorated, "is not a function defined with def"),
        (wrapped, "uses function of the function around it"),
        (lambda rate: rate, "is not a function defined with def"),
        (functools.partial(misses, units=1), "is not a function defined with def"),
        (Callables().method, "is not a function defined with def"),
        (asynchronous, "is asynchronous or has yield"),
        (generator, "is asynchronous or has yield"),
        (globals()["without_source"], "has no readable source"),
        (misses, "takes units: give a range or a value for it in parameters"),
        (takes_less, "does not take rate: add it to its arguments"),
        (positional, "takes units: give a range"),
        (print, "is not a function defined with def"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_what_cannot_work_elsewhere_is_refused(function: Callable[..., object], says: str) -> None:
    with pytest.raises(FunctionError, match=says):
        script(function, RATE)


def test_a_decorator_is_refused_by_name() -> None:
    def keeps(function: Callable[..., float]) -> Callable[..., float]:
        return function

    @keeps
    def plain(rate: float) -> float:
        return rate

    with pytest.raises(FunctionError, match="plain has a decorator"):
        script(plain, RATE)


def test_a_function_may_call_itself_and_set_a_global_of_its_own(tmp_path: Path) -> None:
    def counts(rate: float) -> float:
        global calls  # noqa: PLW0603 - what is tried
        calls = rate
        return counts(rate - 1) if calls > 1 else calls

    done, message = run(tmp_path, script(counts, RATE), rate="2.5")
    assert done.stderr == ""
    assert message["metrics"]["loss"] == [0.5]


@pytest.mark.parametrize("value", [object(), float("nan"), {1, 2.5, float("inf")}, lambda: 1])
def test_values_that_cannot_be_written_down_are_refused(value: object) -> None:
    with pytest.raises(TypeError, match=r"parameters\['x'\] must be a range, or a text"):
        static_texts({"x": value})
    with pytest.raises(TypeError, match=r"parameters\['rate'\] must choose among texts, finite numbers"):
        script(reports_each_epoch, {"rate": search.choice([value, 1]), "units": 1})


def test_a_script_larger_than_a_config_map_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "large.py").write_text(f'def large(rate):\n    return len("{"x" * MAX_BYTES}")\n')
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(FunctionError, match=f"bytes, and a ConfigMap holds {MAX_BYTES}"):
        script(__import__("large").large, RATE)


@pytest.mark.slow
def test_the_function_of_the_notebook_learns(tmp_path: Path) -> None:
    seen: dict[str, Any] = {}
    path = Path(__file__).parents[3] / "examples" / "tune-a-function.ipynb"
    run_cell(code_of(path)[0], "a cell", seen)
    parameters = {"learning_rate": search.loguniform(1e-4, 1), "momentum": search.uniform(0, 0.99), "epochs": 2}
    text = script(seen["train"], parameters)
    done, message = run(tmp_path, text, learning_rate="0.1", momentum="0.9", epochs="2")
    assert (done.returncode, done.stderr) == (0, "")
    assert message["epochs"] == [1, 2]
    assert message["metrics"]["validation:accuracy"][-1] > 0.8
