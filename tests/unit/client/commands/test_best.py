"""`kubectl tuning best`: a manifest or variables that train the best setting again."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import yaml

if TYPE_CHECKING:
    from collections.abc import Callable

    Run = Callable[..., tuple[int, str, str]]


def test_the_best_is_a_manifest_that_trains_it_again(run: Run, a_job: dict[str, Any]) -> None:
    a_job["spec"]["template"]["metadata"] = {
        "labels": {"team": "vision", "tuning-operator.dev/job": "resnet"},
        "annotations": {"tuning-operator.dev/x": "y"},
    }
    a_job["spec"]["template"]["spec"]["containers"][0]["env"] = [
        {"name": "HP_optimizer", "value": "other"},
        {"name": "DATA", "value": "/data"},
    ]
    code, out, _ = run("best", "resnet")
    made = yaml.safe_load(out)
    assert code == 0
    assert (made["kind"], made["spec"]["restartPolicy"]) == ("Pod", "Never")
    assert made["metadata"] == {"name": "resnet-best", "labels": {"team": "vision"}}
    env = {item["name"]: item["value"] for item in made["spec"]["containers"][0]["env"]}
    assert env["HP_optimizer"] == "adam"
    assert env["HP_epochs"] == "3"
    assert env["DATA"] == "/data"
    assert json.loads(env["HYPERPARAMETERS"]) == {
        "epochs": 3,
        "learning_rate": 0.001,
        "mini_batch_size": 32,
        "optimizer": "adam",
    }
    batch = json.loads(run("best", "resnet", "-o", "json", "--kind", "Job")[1])
    assert batch["spec"]["template"] == {"metadata": {"labels": {"team": "vision"}}, "spec": made["spec"]}


def test_the_best_may_train_longer_and_leaves_its_model_beside_the_trials(run: Run, a_job: dict[str, Any]) -> None:
    a_job["spec"]["template"]["spec"]["containers"][0]["env"] = [{"name": "TUNING_MODEL_DIR", "value": "/models/"}]
    made = yaml.safe_load(run("best", "resnet", "--set", "epochs=100", "--set", "learning_rate=0.5")[1])
    env = {item["name"]: item["value"] for item in made["spec"]["containers"][0]["env"]}
    assert (env["HP_epochs"], env["HP_learning_rate"], env["HP_mini_batch_size"]) == ("100", "0.5", "32")
    assert json.loads(env["HYPERPARAMETERS"])["epochs"] == 100
    assert env["TUNING_MODEL_DIR"] == "/models/resnet-best"
    assert env["TUNING_OBJECTIVE_GOAL"] == "Maximize"
    assert "TUNING_TRIAL" not in env, "nobody waits for its metrics"
    assert "HP_epochs=7\n" in run("best", "resnet", "-o", "env", "--set", "epochs=7")[1]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("epochs", "--set epochs: write NAME=VALUE, where NAME is one of epochs, learning_rate, mini_batch_size"),
        ("epoch=3", "--set epoch=3: write NAME=VALUE, where NAME is one of epochs"),
        ("learning_rate=fast", "--set learning_rate=fast: learning_rate is a number: write one"),
    ],
)
def test_what_is_no_value_of_a_hyperparameter_is_refused(run: Run, given: str, says: str) -> None:
    code, out, err = run("best", "resnet", "--set", given)
    assert (code, out) == (1, "")
    assert says in err


def test_variables_reach_a_shell_as_they_are(run: Run, a_job: dict[str, Any]) -> None:
    odd = 'it\'s "$(touch /tmp/x)" `id` \\ $HOME $$(X)\nnext ü'
    a_job["spec"]["staticParameters"]["odd"] = odd
    code, out, _ = run("best", "resnet", "-o", "env")
    assert code == 0
    script = 'eval "$1"; printf %s "$HP_odd"'
    shown = subprocess.run(["sh", "-c", script, "sh", out], capture_output=True, check=True, text=True).stdout
    assert shown == odd
    made = yaml.safe_load(run("best", "resnet")[1])
    env = {item["name"]: item["value"] for item in made["spec"]["containers"][0]["env"]}
    assert env["HP_odd"] == odd.replace("$", "$$"), "Kubernetes would expand $(NAME)"


def test_there_is_no_best_without_a_result_and_no_pod_of_several_nodes(run: Run, a_job: dict[str, Any]) -> None:
    a_job["spec"]["nodes"] = 4
    assert "trains on 4 nodes" in run("best", "resnet")[2]
    del a_job["status"]["bestTrial"]
    code, out, err = run("best", "resnet", "-o", "env")
    assert (code, out) == (1, "")
    assert "no trial of resnet has ended with an objective" in err
