"""A Python function as a script that one trial runs: its source, checked to need nothing from where it was written."""

from __future__ import annotations

import ast
import builtins
import dis
import inspect
import json
from types import CodeType, FunctionType
from typing import TYPE_CHECKING

from tuning_client.names import parameter_name
from tuning_client.parameters import (
    CategoricalParameter,
    ContinuousParameter,
    DiscreteParameter,
    IntegerParameter,
    ParameterRange,
)
from tuning_client.render import plain_numbers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

MAX_BYTES = 1 << 20
"""What a ConfigMap holds."""
PROVIDED = "report"
"""The name that a function may use without importing it."""
_OF_NOTEBOOKS = {"display", "get_ipython"}
"""What IPython adds to Python's own names."""
_KNOWN = ({*dir(builtins)} - _OF_NOTEBOOKS) | {PROVIDED, "__name__", "__file__", "__doc__"}
_SCRIPT = '''\
"""What tuning_client.tune() made of the function {name}: each trial runs it once, with its own values."""

from __future__ import annotations

import json
import os

from tuning_trainer import report
from tuning_trainer.reporting import process_reporter

{source}

if __name__ == "__main__":
    values = {{
{values}
    }}
    result = {name}({call})
    if result is not None and not process_reporter().completed:
        report(1, result if isinstance(result, dict) else {{os.environ["TUNING_OBJECTIVE_METRIC"]: result}})
'''


class FunctionError(ValueError):
    """A function that cannot run elsewhere; the message says why, and what to write instead."""

    def __init__(self, function: Callable[..., object], problem: str) -> None:
        super().__init__(f"{getattr(function, '__name__', function)} {problem}")


def script(function: Callable[..., object], parameters: Mapping[str, ParameterRange | object]) -> str:
    """Return the script that calls the function with the values of a trial, which it finds in its environment.

    Args:
        function: takes the hyperparameters by their names, or one mapping of all of them.
        parameters: ranges, and values that are the same for all trials.

    Raises:
        FunctionError: the function needs what is only here, or does not take these hyperparameters.
        TypeError: a value cannot be written down.
    """
    source = _source(function)
    _check_names(function, source)
    call = _call(function, parameters)
    values = "\n".join(f"        {name!r}: {_reader(name, given)}," for name, given in parameters.items())
    text = _SCRIPT.format(name=function.__name__, source=source, values=values, call=call)
    size = len(text.encode())
    if size > MAX_BYTES:
        raise FunctionError(
            function,
            f"is a script of {size} bytes, and a ConfigMap holds {MAX_BYTES}: put code and data into the image",
        )
    return text


def static_texts(parameters: Mapping[str, object]) -> dict[str, str]:
    """Return values that are the same for all trials as a job has them: texts, and all others as JSON."""
    found = {}
    for name, given in parameters.items():
        if isinstance(given, ParameterRange):
            continue
        value = plain_numbers(given)
        try:
            found[name] = value if isinstance(value, str) else json.dumps(value, allow_nan=False)
        except (TypeError, ValueError):
            raise TypeError(
                f"parameters[{name!r}] must be a range, or a text, a finite number, True, False, None, or lists and "
                f"mappings of those, not {given!r}"
            ) from None
    return found


def _source(function: Callable[..., object]) -> str:
    """The function as it was written; where it stood indented, below a line that lets it stay so."""
    if not isinstance(function, FunctionType) or function.__name__ == "<lambda>":
        raise FunctionError(function, "is not a function defined with def: write one that calls it")
    if inspect.iscoroutinefunction(function) or inspect.isgeneratorfunction(function):
        raise FunctionError(
            function, "is asynchronous or has yield: calling it would run nothing, write one that runs it"
        )
    closure = sorted({*function.__code__.co_freevars} - {function.__name__})
    if closure:
        raise FunctionError(
            function, f"uses {_listed(closure)} of the function around it: hand it over as a value in parameters"
        )
    try:
        source = inspect.getsource(function).rstrip()
    except (OSError, TypeError):
        raise FunctionError(function, "has no readable source: define it in a file or a notebook cell") from None
    if source[:1].isspace():
        source = f"if True:  # indented as it was\n{source}"
    if next(_definitions(function, source)).decorator_list:
        raise FunctionError(function, "has a decorator, which a trial does not have: do its work inside the function")
    return source


def _definitions(function: Callable[..., object], source: str) -> Iterator[ast.FunctionDef]:
    try:
        tree = ast.parse(source)
    except SyntaxError:
        raise FunctionError(function, "has no separate source: define it with def, on its own lines") from None
    found = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name == function.__name__]
    if not found:
        raise FunctionError(function, "has a different name than its source: define it with def under that name")
    yield from found


def _check_names(function: Callable[..., object], source: str) -> None:
    # Annotations are never looked up: they stay texts in the script as well.
    code = compile(f"from __future__ import annotations\n{source}", "<function>", "exec", dont_inherit=True)
    defined = {function.__name__, *_named(code, {"STORE_NAME"}), *_in_all(code, {"STORE_GLOBAL"})}
    outside = sorted(set(_in_all(code, {"LOAD_GLOBAL", "LOAD_NAME"})) - _KNOWN - defined)
    if outside:
        raise FunctionError(
            function,
            f"uses {_listed(outside)}, defined outside of it: import it within the function, or hand it over as a "
            "value in parameters",
        )


def _named(code: CodeType, operations: set[str]) -> Iterator[str]:
    return (str(step.argval) for step in dis.get_instructions(code) if step.opname in operations)


def _in_all(code: CodeType, operations: set[str]) -> Iterator[str]:
    """Names in the code and in that of functions and classes in it, without what a class's body names itself."""
    own = set(_named(code, {"STORE_NAME"}))
    yield from (name for name in _named(code, operations) if name not in own)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _in_all(constant, operations)


def _call(function: Callable[..., object], parameters: Mapping[str, object]) -> str:
    """How the function takes its values: by name as with Kubeflow, or as one mapping as with Katib."""
    taken = inspect.signature(function).parameters
    first = next(iter(taken.values()), None)
    if (
        len(taken) == 1
        and first is not None
        and first.kind in {first.POSITIONAL_ONLY, first.POSITIONAL_OR_KEYWORD}
        and first.name not in parameters
    ):
        return "values"
    kinds = {item.kind for item in taken.values()}
    by_name = [item for item in taken.values() if item.kind in {item.POSITIONAL_OR_KEYWORD, item.KEYWORD_ONLY}]
    required = [item.name for item in taken.values() if item.default is item.empty and item.kind != item.VAR_KEYWORD]
    missing = [name for name in required if name not in parameters]
    if missing:
        raise FunctionError(function, f"takes {_listed(missing)}: give a range or a value for it in parameters")
    unknown = [name for name in parameters if name not in {item.name for item in by_name}]
    if unknown and inspect.Parameter.VAR_KEYWORD not in kinds:
        raise FunctionError(function, f"does not take {_listed(unknown)}: add it to its arguments, or leave it out")
    return "**values"


def _reader(name: str, given: object) -> str:
    """The expression that reads a hyperparameter's value."""
    text = f"os.environ[{f'HP_{parameter_name(name)}'!r}]"
    if isinstance(given, IntegerParameter) or (isinstance(given, DiscreteParameter) and given.is_whole):
        return f"int({text})"
    if isinstance(given, ContinuousParameter | DiscreteParameter):
        return f"float({text})"
    if isinstance(given, CategoricalParameter):
        values = dict(zip(given.values, map(plain_numbers, given.given), strict=True))
        return text if all(isinstance(value, str) for value in values.values()) else f"{_literal(name, values)}[{text}]"
    return text if isinstance(plain_numbers(given), str) else f"json.loads({text})"


def _literal(name: str, values: Mapping[str, object]) -> str:
    try:
        json.dumps(values, allow_nan=False)
    except (TypeError, ValueError):
        raise TypeError(
            f"parameters[{name!r}] must choose among texts, finite numbers, True, False and None, not {values!r}: "
            "choose among names, and look up the rest within the function"
        ) from None
    return repr(values)


def _listed(names: list[str]) -> str:
    return ", ".join(names)
