from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tuning_trainer.image_classification.hyperparameters import HyperparameterError, Hyperparameters, read

if TYPE_CHECKING:
    from pathlib import Path

DATA = ["--data", "/tmp"]


def test_the_defaults_are_those_of_the_algorithm_it_is_named_after() -> None:
    hp = read(DATA, {})
    assert hp == Hyperparameters(data="/tmp")
    assert (hp.learning_rate, hp.mini_batch_size, hp.optimizer, hp.epochs) == (0.1, 32, "sgd", 30)
    assert (hp.momentum, hp.weight_decay, hp.image_shape) == (0.9, 0.0001, (3, 224, 224))
    assert (hp.num_classes, hp.num_training_samples, hp.top_k) == (None, None, None)


def test_flags_win_over_variables_and_those_over_the_json_object() -> None:
    environment = {
        "HYPERPARAMETERS": json.dumps({"learning_rate": 1, "mini_batch_size": 16, "optimizer": "nag", "data": "/"}),
        "HP_mini_batch_size": "64",
        "HP_optimizer": "adam",
        "HP_unrelated": "x",
        "TUNING_SEED": "7",
    }
    hp = read(["--optimizer", "rmsprop"], environment)
    assert (hp.data, hp.learning_rate, hp.mini_batch_size, hp.optimizer, hp.seed) == ("/", 1, 64, "rmsprop", 7)
    assert read(["--seed=3"], environment).seed == 3


def test_underscores_do_in_flags() -> None:
    assert read([*DATA, "--learning_rate=0.5"], {}).learning_rate == 0.5


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("mini_batch_size", 32, 32),
        ("mini_batch_size", "32", 32),
        ("mini_batch_size", 32.0, 32),
        ("learning_rate", 1e-05, 1e-05),
        ("learning_rate", " 0.01 ", 0.01),
        ("num_layers", 0, 0),
        ("num_layers", "152", 152),
        ("image_shape", "1,28,28", (1, 28, 28)),
        ("image_shape", "3, 64, 48", (3, 64, 48)),
        ("top_k", "", None),
        ("momentum", 0, 0),
    ],
)
def test_values_as_the_operator_hands_them_on(name: str, value: Any, expected: Any) -> None:
    assert getattr(read(DATA, {"HYPERPARAMETERS": json.dumps({name: value})}), name) == expected


@pytest.mark.parametrize(
    ("name", "value", "remedy"),
    [
        ("learning_rate", "0", "give a number above 0"),
        ("learning_rate", "-0.1", "give a number above 0"),
        ("learning_rate", "nan", "give a number above 0"),
        ("learning_rate", "inf", "give a number above 0"),
        ("learning_rate", "fast", "give a number above 0"),
        ("mini_batch_size", "0", "give an integer from 1 to 65536"),
        ("mini_batch_size", "32.5", "give an integer from 1 to 65536"),
        ("mini_batch_size", "1e400", "give an integer from 1 to 65536"),
        ("optimizer", "sdg", "give one of sgd, adam, rmsprop, nag"),
        ("optimizer", "SGD", "give one of sgd, adam, rmsprop, nag"),
        ("momentum", "1", "give a number from 0, less than 1"),
        ("weight_decay", "-1", "give a number from 0"),
        ("epochs", "0", "give an integer from 1 to 100000"),
        ("num_layers", "20", "give one of 0, 18, 34, 50, 101, 152"),
        ("image_shape", "224", "give channels (1 or 3), height and width"),
        ("image_shape", "2,224,224", "give channels (1 or 3), height and width"),
        ("image_shape", "3,4,224", "give channels (1 or 3), height and width"),
        ("num_classes", "1", "give an integer from 2"),
        ("num_training_samples", "0", "give an integer from 1"),
        ("validation_fraction", "1", "give a number between 0 and 1"),
        ("augmentation_type", "flip", "give one of none, crop, crop_color, crop_color_transform"),
        ("precision_dtype", "float64", "give one of float32, float16"),
        ("top_k", "1", "give an integer from 2"),
        ("seed", "-1", "give an integer from 0 to 2147483647"),
    ],
)
@pytest.mark.parametrize("source", ["flag", "variable", "json"])
def test_bad_values_are_named_with_source_and_remedy(name: str, value: str, remedy: str, source: str) -> None:
    flag = f"--{name.replace('_', '-')}"
    arguments = [f"{flag}={value}"] if source == "flag" else []
    environment = {"variable": {f"HP_{name}": value}, "json": {"HYPERPARAMETERS": json.dumps({name: value})}}
    origin = {"flag": flag, "variable": f"HP_{name}", "json": "HYPERPARAMETERS"}[source]
    with pytest.raises(HyperparameterError) as caught:
        read([*DATA, *arguments], environment.get(source, {}))
    assert str(caught.value).startswith(f"{name} is {value!r} (from {origin}): {remedy}")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"learn_rate": 0.1}', "learn_rate (in HYPERPARAMETERS) is unknown: use one of data, learning_rate"),
        ("{learning_rate: 0.1}", "HYPERPARAMETERS is not JSON"),
        ("[1]", "HYPERPARAMETERS is [1]: give a JSON object"),
    ],
)
def test_bad_json(text: str, words: str) -> None:
    with pytest.raises(HyperparameterError) as caught:
        read(DATA, {"HYPERPARAMETERS": text})
    assert words in str(caught.value)


def test_data_has_no_default() -> None:
    with pytest.raises(HyperparameterError, match=r"data is missing: give the folder of the images with --data"):
        read([], {})


def test_data_must_be_a_folder(tmp_path: Path) -> None:
    with pytest.raises(HyperparameterError, match=r"data is '.*/none', which is not a folder: give the folder"):
        read(["--data", str(tmp_path / "none")], {})


def test_checkpoints_go_where_the_job_says_unless_the_training_knows_better() -> None:
    environment = {"TUNING_CHECKPOINT_DIR": "/checkpoints"}
    assert read(DATA, environment).checkpoint_dir == "/checkpoints"
    assert read(DATA, {**environment, "HP_checkpoint_dir": "/own"}).checkpoint_dir == "/own"
