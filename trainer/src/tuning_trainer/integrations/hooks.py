"""Adds the adapters to frameworks as they are imported, for scripts that know nothing of them."""

from __future__ import annotations

import functools
import inspect
import sys
from importlib import import_module
from importlib.abc import MetaPathFinder
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from tuning_trainer.integrations.training import is_tuned, quietly

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

ADAPTERS = "tuning_trainer.integrations"


def _lists(module: ModuleType, owner: str, framework: str, *, first: bool = False) -> None:
    """Add a callback to those that an object is made with; `first` where one that ends the training hides the rest."""
    container = getattr(module, owner)
    container.__init__ = _with_callback(container.__init__, framework, first=first)


def _functions(module: ModuleType, *names: str, framework: str) -> None:
    """Add a callback to what functions are called with."""
    for name in names:
        setattr(module, name, _with_callback(getattr(module, name), framework))


def _accelerate(module: ModuleType) -> None:
    """Hand what is logged to a tracker as well, whether or not the script has asked for trackers."""
    accelerator, trackers = module.Accelerator, WeakKeyDictionary[Any, Any]()
    log, end_training = accelerator.log, accelerator.end_training

    @quietly
    def tracker(self: Any) -> Any:
        adapter = import_module(f"{ADAPTERS}.accelerate").TuningTracker
        if not self.is_main_process or any(isinstance(item, adapter) for item in self.trackers):
            return None
        return trackers.setdefault(self, adapter())

    @functools.wraps(log)
    def logged(self: Any, values: Any, step: Any = None, *args: Any, **kwargs: Any) -> Any:
        if ours := tracker(self):
            ours.log(values, step)
        return log(self, values, step, *args, **kwargs)

    @functools.wraps(end_training)
    def ended(self: Any) -> Any:
        if ours := tracker(self):
            ours.finish()
        return end_training(self)

    accelerator.log, accelerator.end_training = logged, ended


HOOKS: dict[str, Callable[[ModuleType], None]] = {
    "accelerate.accelerator": _accelerate,
    "keras.src.callbacks.callback_list": functools.partial(_lists, owner="CallbackList", framework="keras"),
    "lightgbm.engine": lambda module: _functions(module, "train", "cv", framework="lightgbm"),
    "transformers.trainer_callback": functools.partial(_lists, owner="CallbackHandler", framework="transformers"),
    "xgboost.callback": functools.partial(_lists, owner="CallbackContainer", framework="xgboost", first=True),
}
"""Modules in which a framework takes its callbacks; Lightning has an entry point."""


class Finder(MetaPathFinder):
    """Finds nothing itself: it has a hook run when one of those modules has been loaded."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find what the other finders find, and attach the hook."""
        hook = HOOKS.get(fullname)
        if hook is None:
            return None
        others = (finder.find_spec(fullname, path, target) for finder in sys.meta_path if finder is not self)
        spec = next((found for found in others if found is not None), None)
        if spec is not None and spec.loader is not None:
            load = spec.loader.exec_module

            def exec_module(module: ModuleType) -> None:
                load(module)
                quietly(hook)(module)

            spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


def install() -> None:
    """Watch the imports of this process, if it belongs to a trial."""
    if is_tuned() and not any(isinstance(finder, Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, Finder())


def _with_callback(function: Callable[..., Any], framework: str, *, first: bool = False) -> Callable[..., Any]:
    signature = inspect.signature(function)

    @quietly
    def added(args: Any, kwargs: Any) -> inspect.BoundArguments:
        adapter = import_module(f"{ADAPTERS}.{framework}").TuningCallback
        bound = signature.bind(*args, **kwargs)
        given = bound.arguments.get("callbacks") or []
        theirs = list(given) if isinstance(given, list | tuple | set) else [given]
        if not any(isinstance(item, adapter) for item in theirs):
            bound.arguments["callbacks"] = [adapter(), *theirs] if first else [*theirs, adapter()]
        return bound

    @functools.wraps(function)
    def called(*args: Any, **kwargs: Any) -> Any:
        bound = added(args, kwargs)
        return function(*args, **kwargs) if bound is None else function(*bound.args, **bound.kwargs)

    return called
