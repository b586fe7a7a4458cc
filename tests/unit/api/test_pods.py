from __future__ import annotations

import copy
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.api import expansion as kubelet
from tests.unit.api.manifests import TEMPLATE
from tests.unit.api.templates import JOB, SPACE, TRIAL, build, environment, template, training
from tests.unit.builders import job, trial, with_status
from tuning_operator.api.names import parameters_hash
from tuning_operator.api.podoptions import PodOptions
from tuning_operator.api.pods import build_pod, check_variables, model_folder, training_container_name
from tuning_operator.core.model.sources import LogFile
from tuning_operator.core.space import Categorical, Space


def test_hyperparameters_reach_the_container() -> None:
    found = environment(build(template()))
    assert json.loads(found.pop("HYPERPARAMETERS")) == {"epochs": 10, "lr": 1e-5, "batch": 32, "optimizer": "adam"}
    assert found == {
        "HP_epochs": "10",
        "HP_lr": "1e-05",
        "HP_batch": "32",
        "HP_optimizer": "adam",
        "TUNING_JOB": "job",
        "TUNING_TRIAL": "job-0003",
        "TUNING_SEED": "3",
        "TUNING_OBJECTIVE_METRIC": "validation:accuracy",
        "TUNING_OBJECTIVE_GOAL": "Maximize",
        "TUNING_METRICS_PORT": "9464",
        "TUNING_TERMINATION_BYTES": "4096",
    }


@pytest.mark.parametrize(
    ("given", "folder"),
    [
        ("/models", "/models/job-0003-3"),
        ("/models/", "/models/job-0003-3"),
        ("/models/$(TUNING_JOB)", None),
        ("", None),
        ("/" + "x" * 1000, None),
    ],
)
def test_the_folder_of_a_trials_models_is_known_from_a_plain_path(given: str, folder: str | None) -> None:
    assert model_folder(template(env=[{"name": "TUNING_MODEL_DIR", "value": given}]), TRIAL) == folder
    assert model_folder(template(env=[{"name": "TUNING_MODEL_DIR", "valueFrom": {}}]), TRIAL) is None
    assert model_folder(template(), TRIAL) is None


def test_variables_come_before_those_that_may_refer_to_them() -> None:
    """`$(NAME)` is expanded with what stands above."""
    own = [{"name": "ARGS", "value": "--lr=$(HP_lr)"}, {"name": "SECRET", "valueFrom": {"secretKeyRef": {"key": "x"}}}]
    names = [entry["name"] for entry in training(build(template(env=own)))["env"]]
    assert names[-2:] == ["ARGS", "SECRET"]
    assert names.index("HP_lr") < names.index("ARGS")


@pytest.mark.parametrize("name", ["HP_lr", "HP_epochs", "TUNING_JOB", "HYPERPARAMETERS"])
def test_a_template_cannot_set_the_operators_variables(name: str) -> None:
    with pytest.raises(ValueError, match=f"container train sets {name}"):
        build(template(env=[{"name": name, "value": "forged"}]))


@pytest.mark.parametrize(
    ("ports", "expected", "number"),
    [
        (None, [{"name": "metrics", "containerPort": 9464, "protocol": "TCP"}], "9464"),
        (
            [{"name": "http", "containerPort": 80}],
            [{"name": "http", "containerPort": 80}, {"name": "metrics", "containerPort": 9464, "protocol": "TCP"}],
            "9464",
        ),
        ([{"name": "metrics", "containerPort": 8000}], [{"name": "metrics", "containerPort": 8000}], "8000"),
    ],
)
def test_the_port_of_the_metrics(ports: object, expected: object, number: str) -> None:
    found = build(template(ports=ports))
    assert training(found)["ports"] == expected
    assert environment(found)["TUNING_METRICS_PORT"] == number
    assert found["metadata"]["annotations"]["prometheus.io/port"] == number


@pytest.mark.parametrize(
    ("field", "value", "path"),
    [
        ("ports", "9464", r"containers\[0\].ports: "),
        ("ports", ["9464"], r"containers\[0\].ports\[0\]: "),
        ("ports", [{"name": "metrics"}], "no containerPort"),
        ("ports", [{"name": "metrics", "containerPort": "http"}], r"ports\[0\].containerPort: "),
        ("env", {"A": "b"}, r"containers\[0\].env: "),
        ("env", [None], r"containers\[0\].env\[0\]: "),
        ("env", [{"value": "a"}], r"containers\[0\].env\[0\].name: field required"),
        ("livenessProbe", {"exec": {"command": "x"}}, r"containers\[0\].livenessProbe.exec.command: "),
        ("lifecycle", {"preStop": ["x"]}, r"containers\[0\].lifecycle.preStop: "),
        ("name", "tuning-metrics", r"containers\[0\].name: tuning-metrics is the name of the operator's own container"),
        ("env", [{"name": ["a"]}], r"env\[0\].name: should be a valid string, as in a Pod \(`kubectl explain pod.spec"),
        ("args", "--lr", r"containers\[0\].args: "),
        ("command", [7], r"containers\[0\].command\[0\]: "),
        ("volumeMounts", {"name": "x"}, r"containers\[0\].volumeMounts: "),
        ("securityContext", "root", r"containers\[0\].securityContext: "),
    ],
)
def test_a_template_that_is_no_pod_is_refused_in_words(field: str, value: object, path: str) -> None:
    with pytest.raises(ValueError, match=rf"^spec.template.*{path}"):
        build(template(**{field: value}))


FIELDS = ["image", "args", "command", "env", "envFrom", "ports", "volumeMounts", "securityContext"]

FIELDS += ["livenessProbe", "lifecycle", "resources"]

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["name", "value", "mountPath", "runAsUser", "containerPort"]), inner)
    ),
    max_leaves=8,
)

CONTAINERS = st.lists(
    st.fixed_dictionaries({"name": st.just("train")}, optional=dict.fromkeys(FIELDS, ANYTHING)) | ANYTHING, max_size=2
)

TEMPLATES = st.fixed_dictionaries(
    {
        "spec": st.fixed_dictionaries(
            {"containers": CONTAINERS | ANYTHING},
            optional={"initContainers": CONTAINERS | ANYTHING}
            | dict.fromkeys(["volumes", "hostname", "subdomain", "securityContext", "restartPolicy"], ANYTHING),
        )
        | ANYTHING
    },
    optional={
        "metadata": st.fixed_dictionaries({}, optional=dict.fromkeys(["labels", "annotations"], ANYTHING)) | ANYTHING
    },
)


@pytest.mark.parametrize("source", [None, LogFile("/logs/out")])
@pytest.mark.parametrize("nodes", [1, 2])
@given(given_template=TEMPLATES)
def test_whatever_a_template_has_it_makes_a_pod_or_is_refused_with_the_field(
    source: LogFile | None, nodes: int, given_template: dict[str, Any]
) -> None:
    a_job = replace(JOB, spec=replace(JOB.spec, source=source, nodes=nodes))
    words = ""
    try:
        found = build_pod(a_job, given_template, TRIAL, PodOptions("sidecar:1"))
        check_variables(given_template, found)
    except ValueError as error:
        words = str(error)
    assert words.startswith("spec.template") or (not words and json.loads(json.dumps(found)) == found)


NASTY = st.text(st.sampled_from("$()HP_lra {\"'\\\n"), max_size=20) | st.sampled_from(
    ["$$x", "$(HP_lr)", "$$(HP_lr)", "$", "$$", "$(", "$$$", "$(HYPERPARAMETERS)", "cost=$5"]
)


@given(NASTY, NASTY)
def test_what_is_recorded_is_what_the_training_gets(static: str, categorical: str) -> None:
    """Kubernetes expands the values of variables."""
    space = Space((Categorical("a", (categorical, "b")),))
    pod = build_pod(
        job(space=space, static={"note": static}), template(), replace(TRIAL, parameters={"a": categorical})
    )
    variables = kubelet.environment(training(pod))
    assert (variables["HP_note"], variables["HP_a"]) == (static, categorical)
    assert json.loads(variables["HYPERPARAMETERS"]) == {"note": static, "a": categorical}
    arguments = kubelet.expand("--note=$(HP_note) --a=$(HP_a)", variables)
    assert arguments == f"--note={static} --a={categorical}"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("10", 10),
        ("-0.5", -0.5),
        ("1e-3", 0.001),
        ("1E5", 1e5),
        ("0", 0),
        ("123456789012345678901234567890", 123456789012345678901234567890),
        ("1e400", "1e400"),
        ("9" * 400, "9" * 400),
        ("007", "007"),
        ("NaN", "NaN"),
        ("Infinity", "Infinity"),
        ("+1", "+1"),
        ("1.", "1."),
        (".5", ".5"),
        ("1_000", "1_000"),
        (" 1", " 1"),
        ("0x10", "0x10"),
        ("\N{ARABIC-INDIC DIGIT ONE}", "\N{ARABIC-INDIC DIGIT ONE}"),
        ("true", "true"),
        ("", ""),
    ],
)
def test_static_values_that_are_plainly_numbers_are_numbers(text: str, value: object) -> None:
    variables = kubelet.environment(training(build_pod(job(static={"x": text}), template(), trial(3))))
    found = json.loads(variables["HYPERPARAMETERS"])["x"]
    assert (found, type(found)) == (value, type(value))
    assert variables["HP_x"] == text


@pytest.mark.parametrize(
    ("containers", "init", "source", "limit"),
    [(1, 0, None, 4096), (3, 0, None, 4096), (2, 2, None, 3072), (4, 2, LogFile("/logs/out"), 1755)],
)
def test_each_container_is_told_how_much_the_kubelet_keeps_of_its_message(
    containers: int, init: int, source: LogFile | None, limit: int
) -> None:
    given_template = template()
    given_template["spec"]["containers"] += [{"name": f"c{index}", "image": "x"} for index in range(containers - 1)]
    given_template["spec"]["initContainers"] = [{"name": f"i{index}", "image": "x"} for index in range(init)]
    a_job = replace(JOB, spec=replace(JOB.spec, source=source))
    pod = build_pod(a_job, given_template, TRIAL, PodOptions("sidecar:1"))
    assert environment(pod)["TUNING_TERMINATION_BYTES"] == str(limit)
    if source:
        sidecar = pod["spec"]["initContainers"][0]
        assert {item["name"]: item["value"] for item in sidecar["env"]}["TUNING_TERMINATION_BYTES"] == str(limit)


def test_the_last_lines_of_what_comes_before_the_training_are_kept_as_well() -> None:
    given_template = template()
    given_template["spec"]["initContainers"] = [
        {"name": "fetch", "image": "x", "terminationMessagePolicy": None},
        {"name": "own", "image": "x", "terminationMessagePolicy": "File"},
    ]
    found = [item["terminationMessagePolicy"] for item in build(given_template)["spec"]["initContainers"]]
    assert found == ["FallbackToLogsOnError", "File"]


def test_the_pod_belongs_to_its_trial() -> None:
    found = build_pod(JOB, template(), with_status(TRIAL, attempt=2))["metadata"]
    assert (found["name"], found["namespace"]) == ("job-0003-2", "ns")
    assert found["labels"] == {
        "tuning-operator.dev/job": "job",
        "tuning-operator.dev/trial": "job-0003",
        "app.kubernetes.io/managed-by": "tuning-operator",
    }
    assert found["annotations"] == {
        "kubectl.kubernetes.io/default-container": "train",
        "prometheus.io/scrape": "true",
        "prometheus.io/port": "9464",
        "tuning-operator.dev/parameters-hash": parameters_hash(SPACE.render(TRIAL.parameters)),
    }
    assert found["ownerReferences"] == [
        {
            "apiVersion": "tuning-operator.dev/v1alpha1",
            "kind": "TuningTrial",
            "name": "job-0003",
            "uid": "trial-uid-3",
            "controller": True,
        }
    ]


def test_the_templates_metadata_is_kept_but_for_what_the_operator_relies_on() -> None:
    given = template() | {
        "metadata": {
            "labels": {"team": "vision", "tuning-operator.dev/job": "other"},
            "annotations": {
                "note": "mine",
                "prometheus.io/scrape": "false",
                "tuning-operator.dev/parameters-hash": "forged",
            },
        }
    }
    found = build(given)["metadata"]
    assert (found["labels"]["team"], found["labels"]["tuning-operator.dev/job"]) == ("vision", "job")
    assert (found["annotations"]["note"], found["annotations"]["prometheus.io/scrape"]) == ("mine", "false")
    assert found["annotations"]["tuning-operator.dev/parameters-hash"] != "forged"


def test_what_a_template_leaves_out_is_safe_and_what_it_says_is_kept() -> None:
    plain = build(template())
    assert plain["spec"]["restartPolicy"] == "Never"
    assert plain["spec"]["automountServiceAccountToken"] is False
    assert training(plain)["terminationMessagePolicy"] == "FallbackToLogsOnError"
    chosen = template(terminationMessagePolicy="File", resources={"limits": {"nvidia.com/gpu": 1}})
    chosen["spec"] |= {"automountServiceAccountToken": True, "nodeSelector": {"gpu": "a100"}}
    found = build(chosen)
    assert found["spec"]["automountServiceAccountToken"] is True
    assert found["spec"]["nodeSelector"] == {"gpu": "a100"}
    assert training(found)["terminationMessagePolicy"] == "File"
    assert training(found)["resources"] == {"limits": {"nvidia.com/gpu": 1}}


def test_no_word_about_a_token_is_no_wish_for_one() -> None:
    """Kubernetes reads null as the service account's default, which is a token."""
    silent = template()
    silent["spec"]["automountServiceAccountToken"] = None
    assert build(silent)["spec"]["automountServiceAccountToken"] is False


@pytest.mark.parametrize(("annotation", "name"), [(None, "first"), ("second", "second")])
def test_the_training_container_is_the_annotated_one_else_the_first(annotation: str | None, name: str) -> None:
    given: dict[str, Any] = {
        "spec": {"containers": [{"name": "first", "image": "a"}, {"name": "second", "image": "b"}]}
    }
    if annotation:
        given["metadata"] = {"annotations": {"kubectl.kubernetes.io/default-container": annotation}}
    assert training_container_name(given) == name
    found = build(given)
    assert [item["name"] for item in found["spec"]["containers"] if "env" in item] == [name]
    assert found["metadata"]["annotations"]["kubectl.kubernetes.io/default-container"] == name


def test_an_annotation_that_names_no_container_is_refused() -> None:
    given = template() | {"metadata": {"annotations": {"kubectl.kubernetes.io/default-container": "nobody"}}}
    with pytest.raises(ValueError, match="names 'nobody', which is not a container"):
        build(given)


def test_the_template_is_not_touched_and_nothing_is_shared() -> None:
    given = copy.deepcopy(TEMPLATE)
    given["spec"]["containers"][0]["env"] = [{"name": "EXTRA", "value": "1"}]
    given["spec"]["containers"][0]["ports"] = [{"name": "http", "containerPort": 80}]
    before = copy.deepcopy(given)
    first, second = build(given), build(given)
    assert given == before
    assert first == second
    first["spec"]["containers"][0]["env"][-1]["value"] = "changed"
    first["spec"]["containers"][0]["ports"].append("changed")
    first["metadata"]["labels"]["changed"] = "yes"
    first["metadata"]["annotations"]["changed"] = "yes"
    assert given == before
    assert build(given) == second
