"""`$(NAME)` in a template: what Kubernetes would leave as it is, and the training get as text."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.unit.api.expansion import environment, expand
from tests.unit.builders import job, trial
from tuning_operator.api.pods import build_pod, check_variables

JOB = job(static={"optimizer": "adam"})


def check(container: dict[str, Any], **spec: Any) -> dict[str, Any]:
    template = {"spec": {"containers": [{"name": "train", "image": "x", **container}], **spec}}
    pod = build_pod(JOB, template, trial(3))
    check_variables(template, pod)
    found: dict[str, Any] = pod["spec"]["containers"][0]
    return found


@pytest.mark.parametrize(
    ("container", "message"),
    [
        (
            {"args": ["--opt=$(HP_optimiser)"]},
            r"containers\[0\].args\[0\]: \$\(HP_optimiser\) is not defined.*HP_optimizer",
        ),
        ({"command": ["train", "$(LR)"]}, r"command\[1\]: \$\(LR\) is not defined.*write \$\$\(LR\)"),
        ({"env": [{"name": "A", "value": "$(nproc)"}]}, r"env\[0\].value: \$\(nproc\)"),
        ({"env": [{"name": "PATH", "value": "/x:$(PATH)"}]}, "only below it"),
        ({"env": [{"name": "A", "value": "$(B)"}, {"name": "B", "value": "1"}]}, "only below it"),
        ({"args": ["$$$(LR)"]}, r"\$\(LR\)"),
        ({"args": ["a$b$(LR)"]}, r"\$\(LR\)"),
        ({"command": ["sh", "-ec", "train --lr=$(HP_rate)"]}, r"\$\(HP_rate\)"),
        ({"command": ["sh", "-ec", "train --lr=$(RATE)"]}, r"\$\(RATE\)"),
        ({"envFrom": [{"configMapRef": {"name": "x"}}], "args": ["$(TUNING_TRAIL)"]}, r"\$\(TUNING_TRAIL\)"),
        (
            {"livenessProbe": {"exec": {"command": ["test", "$(HP_lrr)"]}}},
            r"livenessProbe.exec.command\[1\]: \$\(HP_lrr",
        ),
        (
            {"lifecycle": {"preStop": {"exec": {"command": ["$(HP_lr)"]}}}},
            r"preStop.exec.command\[0\]: .*stays as it is",
        ),
        (
            {"lifecycle": {"postStart": {"exec": {"command": ["sh", "-c", "$(TUNING_X)"]}}}},
            "fills in no variables there",
        ),
        ({"volumeMounts": [{"name": "x", "subPathExpr": "$(TUNING_TRAIL)"}]}, r"volumeMounts\[0\].subPathExpr"),
    ],
)
def test_a_reference_that_nobody_defines_is_refused_with_field_and_remedy(
    container: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=rf"^spec.template.spec.*{message}"):
        check(container)


def test_the_operators_variables_are_the_training_containers_alone() -> None:
    proxy = {"name": "proxy", "image": "x", "args": ["--trial=$(TUNING_TRIAL)"]}
    with pytest.raises(ValueError, match=r"initContainers\[0\].args\[0\]: .*set only in the training container, train"):
        check({}, initContainers=[proxy])


@pytest.mark.parametrize(
    "container",
    [
        {"args": ["--lr=$(HP_lr)", "--opt=$(HP_optimizer)", "$(HYPERPARAMETERS)"]},
        {"args": ["$$(HP_optimiser)", "$$$$(LR)", "$", "$(", "$(a b)", "$()", "$(date +%s)", "$((1+2))"]},
        {"command": ["sh", "-c", "torchrun --nproc_per_node=$(nproc)"]},
        {"command": ["/bin/bash"], "args": ["-euxc", "x=$(hostname)"]},
        {"args": ["#!/bin/sh\necho $(date)\n"]},
        {"env": [{"name": "A", "value": "1"}, {"name": "B", "value": "$(A)$(HP_lr)"}], "args": ["$(B)"]},
        {"envFrom": [{"secretRef": {"name": "x"}}], "args": ["$(FROM_SECRET)"]},
        {"args": ["$(KUBERNETES_SERVICE_HOST)", "$(DB_SERVICE_PORT_HTTP)", "$(DB_PORT_80_TCP_ADDR)"]},
        {"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}], "args": ["$(A)"]},
        {"volumeMounts": [{"name": "x", "subPathExpr": "$(TUNING_TRIAL)-$(TUNING_SEED)"}]},
        {"startupProbe": {"exec": {"command": ["test", "-e", "/tmp/$(TUNING_TRIAL)"]}}},
        {"lifecycle": {"preStop": {"exec": {"command": ["sh", "-c", "kill $(pidof python)"]}}}},
    ],
)
def test_what_is_defined_or_a_shells_passes(container: dict[str, Any]) -> None:
    assert check(container)["name"] == "train"


@pytest.mark.parametrize(
    "text", ["$(" * 500_000, "$" * 1_000_001, "$(" + "x" * 1_000_000 + ")", "$(x" * 300_000 + " )"]
)
def test_a_megabyte_of_dollar_signs_costs_no_more_than_reading_it(text: str) -> None:
    began = time.process_time()
    assert check({"args": [text]})["name"] == "train"
    assert time.process_time() - began < 1


def test_of_a_long_list_of_variables_few_are_compared_with_a_misspelt_one() -> None:
    own = [{"name": f"VARIABLE_{number}", "value": "x"} for number in range(20_000)]
    began = time.process_time()
    with pytest.raises(ValueError, match="is not defined"):
        check({"env": own, "args": ["$(VARIABLE_X)"]})
    assert time.process_time() - began < 2


def test_what_passes_is_what_kubernetes_replaces() -> None:
    container = check({"args": ["--lr=$(HP_lr)", "$$(HP_lr)"], "env": [{"name": "A", "value": "$(HP_optimizer)"}]})
    message = environment(container)
    assert message["A"] == "adam"
    assert [expand(text, message) for text in container["args"]] == ["--lr=0.0003", "$(HP_lr)"]
