"""Hyperparameters: where they come from, what they may be, and what the error about a bad one says.

A flag wins over `HP_<name>`, that over the JSON object in `HYPERPARAMETERS`, that over the default. Imports nothing
heavy, so that a bad value ends the run before torch is loaded.
"""

from __future__ import annotations

import argparse
import json
import math
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    Parse = Callable[[str], Any]

OPTIMIZERS = ("sgd", "adam", "rmsprop", "nag")
AUGMENTATIONS = ("none", "crop", "crop_color", "crop_color_transform")
PRECISIONS = ("float32", "float16")
MOST_EPOCHS = 100_000
SCHEDULES = ("constant", "step", "cosine", "linear")
LAYERS = ("0", "18", "34", "50", "101", "152")


class HyperparameterError(ValueError):
    """A value that cannot be used; the message names the hyperparameter and says what to write instead."""

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(f"{name} {problem}")


def real(above: float | None = None, least: float = -math.inf, below: float = math.inf) -> Parse:
    """Return a parser of finite numbers within bounds."""

    def parse(text: str) -> float:
        value = float(text)
        if math.isfinite(value) and value >= least and value < below and (above is None or value > above):
            return value
        raise ValueError

    return parse


def whole(least: int, most: int = 2**31 - 1) -> Parse:
    """Return a parser of integers within bounds, also when written as 32.0 or 3.2e1."""

    def parse(text: str) -> int:
        value = float(text)
        if value.is_integer() and least <= value <= most:
            return int(value)
        raise ValueError

    return parse


def optional(parse: Parse) -> Parse:
    """Return a parser that takes an empty text for `None`."""
    return lambda text: parse(text) if text else None


def one_of(choices: Sequence[str], convert: Callable[[str], Any] = str) -> Parse:
    """Return a parser of words from a list."""

    def parse(text: str) -> Any:
        if text in choices:
            return convert(text)
        raise ValueError

    return parse


def rising(text: str) -> tuple[int, ...]:
    """Parse `10,15`: epochs in order; an empty text has none."""
    epochs = tuple(whole(1, MOST_EPOCHS)(part) for part in text.split(",")) if text else ()
    if list(epochs) == sorted(set(epochs)):
        return epochs
    raise ValueError


def image_shape(text: str) -> tuple[int, int, int]:
    """Parse `channels,height,width`."""
    channels, height, width = (int(part) for part in text.split(","))
    if channels in {1, 3} and 8 <= height <= 4096 and 8 <= width <= 4096:  # noqa: PLR2004 - grey or RGB; sane sizes
        return channels, height, width
    raise ValueError


def setting(default: str, parse: Parse, allowed: str, purpose: str) -> Any:
    """Return a field with what is needed to read it from a text and to explain it."""
    return field(
        default=parse(default), metadata={"parse": parse, "allowed": allowed, "help": purpose, "default": default}
    )


@dataclass(frozen=True, slots=True)
class Hyperparameters:
    """Everything that a run depends on."""

    data: str = setting("", str, "a folder", "folder of images, one folder a class, or of IDX files")
    learning_rate: float = setting("0.1", real(above=0), "a number above 0", "step size")
    mini_batch_size: int = setting("32", whole(1, 65536), "an integer from 1 to 65536", "images a step")
    optimizer: str = setting("sgd", one_of(OPTIMIZERS), "one of " + ", ".join(OPTIMIZERS), "optimizer")
    momentum: float = setting("0.9", real(least=0, below=1), "a number from 0, less than 1", "of sgd and nag")
    weight_decay: float = setting("0.0001", real(least=0), "a number from 0", "of sgd and nag")
    epochs: int = setting("30", whole(1, MOST_EPOCHS), "an integer from 1 to 100000", "passes over the training images")
    lr_schedule: str | None = setting(
        "",
        optional(one_of(SCHEDULES)),
        "one of " + ", ".join(SCHEDULES),
        "how learning_rate changes; default: step with lr_scheduler_step, else constant",
    )
    lr_scheduler_step: tuple[int, ...] = setting(
        "", rising, "epochs in rising order, as in 10,15", "of step: the rate drops after each of these epochs"
    )
    lr_scheduler_factor: float = setting(
        "0.1", real(above=0, below=1), "a number between 0 and 1", "of step: what the rate is multiplied by"
    )
    warmup_epochs: float = setting(
        "0", real(least=0), "a number from 0, less than epochs", "the rate rises evenly to learning_rate during these"
    )
    num_layers: int = setting(
        "18", one_of(LAYERS, int), "one of " + ", ".join(LAYERS), "depth of the ResNet; 0: a small CNN for small images"
    )
    image_shape: tuple[int, int, int] = setting(
        "3,224,224", image_shape, "channels (1 or 3), height and width (8 to 4096), as in 3,224,224", "network's input"
    )
    num_classes: int | None = setting(
        "", optional(whole(2, 100_000)), "an integer from 2 to 100000", "classes; default: those of the data"
    )
    num_training_samples: int | None = setting(
        "", optional(whole(1)), "an integer from 1", "use this many training images; default: all"
    )
    validation_fraction: float = setting(
        "0.2", real(above=0, below=1), "a number between 0 and 1", "share of the images to validate on"
    )
    augmentation_type: str = setting(
        "none", one_of(AUGMENTATIONS), "one of " + ", ".join(AUGMENTATIONS), "random changes of the training images"
    )
    precision_dtype: str = setting(
        "float32", one_of(PRECISIONS), "one of " + ", ".join(PRECISIONS), "float16: mixed precision"
    )
    top_k: int | None = setting(
        "", optional(whole(2)), "an integer from 2", "also report how often the class is among the k likeliest"
    )
    seed: int = setting(
        "0", whole(0), "an integer from 0 to 2147483647", "of weights, order and views; default: TUNING_SEED"
    )
    split_seed: int = setting(
        "0", whole(0), "an integer from 0 to 2147483647", "of the validation images; the same for trials to be compared"
    )
    checkpoint_dir: str = setting(
        "",
        str,
        "a folder",
        "where each epoch and SIGTERM leave a checkpoint, from which a run resumes; default: TUNING_CHECKPOINT_DIR",
    )

    @property
    def schedule(self) -> str:
        """How the learning rate changes: one of `SCHEDULES`."""
        return self.lr_schedule or ("step" if self.lr_scheduler_step else "constant")


def read(arguments: Sequence[str], environment: Mapping[str, str]) -> Hyperparameters:
    """Collect the hyperparameters of this run.

    Raises:
        HyperparameterError: a value is not allowed or contradicts another one, `HYPERPARAMETERS` has an unknown name,
            or there is no data.
        SystemExit: the flags are wrong, or ask for help.
    """
    texts: dict[str, tuple[str, str]] = {}
    if environment.get("TUNING_SEED"):
        texts["seed"] = environment["TUNING_SEED"], "TUNING_SEED"
    if environment.get("TUNING_CHECKPOINT_DIR"):
        texts["checkpoint_dir"] = environment["TUNING_CHECKPOINT_DIR"], "TUNING_CHECKPOINT_DIR"
    for name, text in _from_json(environment.get("HYPERPARAMETERS") or "{}").items():
        texts[name] = text, "HYPERPARAMETERS"
    for item in fields(Hyperparameters):
        variable = f"HP_{item.name}"
        if variable in environment:
            texts[item.name] = environment[variable], variable
    for name, text in vars(_parser().parse_args(arguments)).items():
        texts[name] = text, f"--{name.replace('_', '-')}"
    values = {item.name: _parsed(item, *texts[item.name]) for item in fields(Hyperparameters) if item.name in texts}
    result = Hyperparameters(**values)
    _check_schedule(result)
    if not result.data:
        raise HyperparameterError("data", "is missing: give the folder of the images with --data")
    if not Path(result.data).is_dir():
        raise HyperparameterError("data", f"is {result.data!r}, which is not a folder: give the folder of the images")
    return result


def _check_schedule(hp: Hyperparameters) -> None:
    if hp.schedule == "step" and not hp.lr_scheduler_step:
        raise HyperparameterError(
            "lr_scheduler_step",
            "is missing for lr_schedule step: give the epochs after which the rate drops, as in 10,15",
        )
    if hp.warmup_epochs >= hp.epochs:
        raise HyperparameterError("warmup_epochs", f"is {hp.warmup_epochs:g} of {hp.epochs} epochs: give less")


def _from_json(text: str) -> dict[str, str]:
    try:
        document = json.loads(text)
    except ValueError as error:
        raise HyperparameterError("HYPERPARAMETERS", f"is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise HyperparameterError("HYPERPARAMETERS", f"is {text}: give a JSON object of names and values")
    names = [item.name for item in fields(Hyperparameters)]
    for name in document:
        if name not in names:
            raise HyperparameterError(name, f"(in HYPERPARAMETERS) is unknown: use one of {', '.join(names)}")
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in document.items()}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tuning_trainer.image_classification",
        usage="%(prog)s --data FOLDER [--learning-rate 0.1 …]",
        argument_default=argparse.SUPPRESS,
        allow_abbrev=False,
    )
    for item in fields(Hyperparameters):
        flags = dict.fromkeys([f"--{item.name.replace('_', '-')}", f"--{item.name}"])
        default = f" (default: {item.metadata['default']})" if item.metadata["default"] else ""
        parser.add_argument(
            *flags,
            dest=item.name,
            metavar="VALUE",
            help=f"{item.metadata['help']}: {item.metadata['allowed']}{default}",
        )
    return parser


def _parsed(item: Any, text: str, source: str) -> Any:
    try:
        return item.metadata["parse"](text.strip())
    except (ValueError, OverflowError) as error:
        raise HyperparameterError(item.name, f"is {text!r} (from {source}): give {item.metadata['allowed']}") from error
