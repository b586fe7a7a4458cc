"""The sidecar for trainings that only write a log: how it gets into a Pod, and what its Pod then says."""

from __future__ import annotations

import contextlib
import json
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.api.expansion import expand
from tests.unit.api.manifests import pod_body
from tests.unit.builders import job, trial
from tuning_operator.api.podfacts import parse_pod
from tuning_operator.api.podoptions import PodOptions
from tuning_operator.api.pods import build_pod
from tuning_operator.api.sidecar import NAME, without_sidecar
from tuning_operator.core.model.sources import LogFile, MetricDefinition

if TYPE_CHECKING:
    from tuning_operator.core.model.attempt import Attempt

METRIC = "validation:accuracy"
REGEX = MetricDefinition(METRIC, "Validation-accuracy=([0-9.]+)")
IMAGE = "registry.example.com/sidecar:1"


def build(
    source: LogFile, options: PodOptions | None = None, spec: dict[str, Any] | None = None, **container: Any
) -> dict[str, Any]:
    a_job = job()
    template = {"spec": {"containers": [{"name": "train", "image": "x", **container}], **(spec or {})}}
    return build_pod(
        replace(a_job, spec=replace(a_job.spec, source=source)), template, trial(3), options or PodOptions(IMAGE)
    )["spec"]


def test_the_sidecar_shares_a_volume_with_the_training_and_has_the_port() -> None:
    spec = build(LogFile("/logs/run/training.jsonl"))
    training, (sidecar,) = spec["containers"][0], spec["initContainers"]
    assert spec["volumes"] == [{"name": NAME, "emptyDir": {}}]
    assert training["volumeMounts"] == [{"name": NAME, "mountPath": "/logs/run"}]
    assert "ports" not in training
    assert (sidecar["image"], sidecar["restartPolicy"], sidecar["args"]) == (
        IMAGE,
        "Always",
        ["/logs/run/training.jsonl"],
    )
    assert sidecar["volumeMounts"] == [{"name": NAME, "mountPath": "/logs/run", "readOnly": True}]
    assert [port["name"] for port in sidecar["ports"]] == ["metrics"]
    assert sidecar["env"] == training["env"], "what a subPathExpr may name"
    variables = {item["name"]: item["value"] for item in sidecar["env"]}
    assert (variables["TUNING_TRIAL"], variables["TUNING_SEED"]) == ("job-0003", "3")
    assert (variables["TUNING_OBJECTIVE_METRIC"], variables["TUNING_METRICS_PORT"]) == (METRIC, "9464")


def test_the_templates_own_volume_at_the_files_folder_is_used() -> None:
    mounts = [
        {"name": "root", "mountPath": "/"},
        {"name": "logs", "mountPath": "/logs", "subPathExpr": "$(TUNING_TRIAL)"},
        {"name": "other", "mountPath": "/log"},
    ]
    spec = build(LogFile("/logs/run/training.jsonl"), volumeMounts=mounts)
    assert spec["containers"][0]["volumeMounts"] == mounts
    assert "volumes" not in spec
    assert spec["initContainers"][0]["volumeMounts"] == [mounts[1] | {"readOnly": True}]


def test_the_folder_of_event_files_is_shared_and_its_tag_is_told() -> None:
    spec = build(LogFile("/logs/run", tag="$(HP_x)/val_loss"))
    training, (sidecar,) = spec["containers"][0], spec["initContainers"]
    assert training["volumeMounts"] == [{"name": NAME, "mountPath": "/logs/run"}]
    assert sidecar["volumeMounts"] == [{"name": NAME, "mountPath": "/logs/run", "readOnly": True}]
    assert [expand(item, {"HP_x": "1"}) for item in sidecar["args"]] == ["/logs/run", "--tensorboard=$(HP_x)/val_loss"]
    with pytest.raises(ValueError, match="type TensorBoard needs the operator's setting --sidecar-image"):
        build(LogFile("/logs/run", tag="val_loss"), PodOptions(""))


def test_regular_expressions_reach_the_sidecar_as_they_are() -> None:
    (sidecar,) = build(LogFile("/logs/out", (REGEX,)))["initContainers"]
    name, _, text = sidecar["args"][1].partition("=")
    assert (name, json.loads(text)) == ("--definitions", {METRIC: REGEX.regex})


@pytest.mark.parametrize(
    ("source", "image", "words"),
    [
        (LogFile("/logs/out"), "", "needs the operator's setting --sidecar-image"),
        (LogFile("/logs/out", (MetricDefinition("m", "a=(["),)), IMAGE, r"metricDefinitions\[m\].regex: missing \]"),
        (LogFile("/logs/out", (MetricDefinition("m", "(?=a)(b)"),)), IMAGE, r"regex: invalid perl.*without lookaround"),
        (LogFile("/logs/out", (MetricDefinition("m", r"(a)\1"),)), IMAGE, r"regex: invalid escape.*backreferences"),
        (LogFile("/logs/out", (MetricDefinition("m", "\ud800(a)"),)), IMAGE, r"metricDefinitions\[m\].regex: utf-8"),
        (LogFile("/logs/out", (MetricDefinition("m", r"(\pL{1000})"),)), IMAGE, r"regex: pattern too large"),
        (
            LogFile("/logs/out", (MetricDefinition("m", r"a=\("),)),
            IMAGE,
            r"metricDefinitions\[m\].regex: must have a group",
        ),
        *(
            (LogFile("/logs/out", (MetricDefinition("m", f"{epoch}.*loss=([0-9.]+)"),)), IMAGE, "here it is the epoch")
            for epoch in (r"Epoch (\d+)", r"(?i)epoch\s*[:=]\s*([0-9]+)", r"^\[Epoch: \[(\d+)\]", r"epoch=(\d+)/(\d+)")
        ),
        (
            LogFile("/logs/out", (MetricDefinition("m", r"step (\d+): loss ([0-9.]+)"),)),
            IMAGE,
            r"here it is the step: leave out its parentheses, or write \(\?:…\)",
        ),
    ],
)
def test_what_would_not_work_is_refused_with_the_field_and_the_remedy(source: LogFile, image: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        build(source, PodOptions(image))


@pytest.mark.parametrize(
    ("name", "regex"),
    [
        ("m", r"Epoch \d+ loss=(([0-9]+)([.][0-9]+)?)"),
        ("m", r"Epoch (?:\d+) loss=([0-9.]+) (s|ms)"),
        ("m", r"converged at epoch (\d+)"),
        ("epochs_needed", r"at epoch (\d+) (of \d+)?"),
        ("m", r"loss=(\d+)([.]\d+)?"),
        ("m", r"correct: (\d+)/(\d+)"),
    ],
)
def test_a_pattern_with_several_groups_or_the_epoch_as_its_value_is_taken(name: str, regex: str) -> None:
    assert build(LogFile("/logs/out", (MetricDefinition(name, regex),)))["initContainers"]


def test_a_pattern_is_not_expanded_on_the_way() -> None:
    """Kubernetes expands arguments: `$$` is a sign, `$(NAME)` a variable."""
    regex = r"cost: \$$([0-9]+)$(HP_lr)"
    (sidecar,) = build(LogFile("/logs/out", (MetricDefinition(METRIC, regex),)))["initContainers"]
    variables = {item["name"]: item["value"] for item in sidecar["env"]}
    found = expand(sidecar["args"][1], variables).partition("=")[2]
    assert json.loads(found) == {METRIC: regex}


OWN = {"runAsUser": 65532, "runAsGroup": 65532}


@pytest.mark.parametrize(
    ("pod", "container", "user"),
    [
        (None, None, {}),  # the image's; or the platform's, as on OpenShift
        ({"runAsUser": None, "fsGroup": 5}, {}, {}),
        ({"runAsUser": 0}, None, OWN),
        (None, {"runAsUser": 0, "runAsGroup": 0}, OWN),
        ({"runAsUser": 1000}, {"runAsUser": 0}, OWN),
        ({"runAsUser": 0, "runAsGroup": 70}, None, {"runAsUser": 65532, "runAsGroup": 70}),
        ({"runAsUser": 0}, {"runAsUser": 1000}, {"runAsUser": 1000}),
        ({"runAsUser": 1000, "runAsGroup": 2000}, None, {"runAsUser": 1000, "runAsGroup": 2000}),
        ({"runAsGroup": 2000}, {"runAsUser": 1000, "runAsGroup": 3000}, {"runAsUser": 1000, "runAsGroup": 3000}),
    ],
)
def test_the_sidecar_can_start_beside_root_and_read_what_the_trainings_user_writes(
    pod: dict[str, Any] | None, container: dict[str, Any] | None, user: dict[str, int]
) -> None:
    spec = build(LogFile("/logs/out"), spec={"securityContext": pod}, securityContext=container)
    context = spec["initContainers"][0]["securityContext"]
    assert {field: context[field] for field in ("runAsUser", "runAsGroup") if field in context} == user
    assert context["runAsNonRoot"] is True


def test_the_sidecar_says_what_a_quota_may_ask_and_the_setting_changes_it() -> None:
    (sidecar,) = build(LogFile("/logs/out"))["initContainers"]
    for kind in ("requests", "limits"):
        assert sidecar["resources"][kind].keys() == {"cpu", "memory"}
    asked = {"requests": {"cpu": "1"}}
    (sidecar,) = build(LogFile("/logs/out"), PodOptions(IMAGE, asked))["initContainers"]
    assert sidecar["resources"] == asked


def test_without_the_sidecar_a_pod_is_as_it_would_be() -> None:
    pod = {"spec": build(LogFile("/logs/out"), spec={"initContainers": [{"name": "fetch"}]})}
    assert [item["name"] for item in pod["spec"]["initContainers"]] == [NAME, "fetch"]
    bare = without_sidecar(pod)
    assert [item["name"] for item in bare["spec"]["initContainers"]] == ["fetch"]
    assert without_sidecar(bare) == bare


@pytest.mark.parametrize(
    "pattern",
    [
        "(?i)(" + "[!-\ufffd]" * 98 + ")",  # seconds with Python's engine
        "(?i)(" + r"\w{90}" * 80 + ")",
        "(" + r"(?:\pL|\pN|\pM){30}" * 24 + ")",
        "(" * 250 + "a" + ")" * 250,
        "((a*)*)*" * 62,
        "(a{1000})" * 55,
    ],
)
def test_forty_nasty_patterns_cost_the_operator_little(pattern: str) -> None:
    assert len(pattern) <= 501
    begin = time.process_time()
    for number in range(40):
        definition = MetricDefinition(METRIC, f"{number:02d}{pattern}")
        with contextlib.suppress(ValueError):
            build(LogFile("/logs/out", (definition,)))
    assert time.process_time() - begin < 2


@pytest.mark.parametrize(
    "pattern",
    [
        r"loss=(\S+)",
        r"(?i)Validation-accuracy=([-+]?(?:[0-9]*[.]?[0-9]+(?:e[-+]?[0-9]+)?|nan|inf))",
        r"(?i)val[-_ ]accuracy\s*[:=]\s*([-+]?(?:[0-9]*\.)?[0-9]+(?:e[-+]?[0-9]+)?|[-+]?(?:nan|inf))",
        r"^\[\d{4}-\d\d-\d\d .*?\] val/ndcg@10: (?P<value>[^,]+),",
        "\N{GREEK SMALL LETTER EPSILON}=([0-9.]+)",
    ],
)
def test_patterns_of_logs_are_taken(pattern: str) -> None:
    assert build(LogFile("/logs/out", (MetricDefinition(METRIC, pattern),)))


START, END = "2026-05-04T12:00:10Z", "2026-05-04T12:01:00Z"
RUNNING = {"running": {"startedAt": START}}
DONE = {"terminated": {"exitCode": 0, "reason": "Completed", "startedAt": START, "finishedAt": END, "message": "bye"}}
MESSAGE = json.dumps({"epochs": [1], "metrics": {METRIC: [0.1]}, "completed": 1, "thinned": False})
REPORTED = {
    "terminated": {"exitCode": 0, "reason": "Completed", "startedAt": START, "finishedAt": END, "message": MESSAGE}
}


def read(phase: str, training: dict[str, Any], sidecar: dict[str, Any]) -> Attempt:
    status = {
        "phase": phase,
        "containerStatuses": [{"name": "train", "state": training}],
        "initContainerStatuses": [{"name": NAME, "state": sidecar}],
    }
    return parse_pod(pod_body(status), 1, "train", METRIC)


def test_a_training_has_ended_when_its_sidecar_has_reported_the_rest() -> None:
    going = read("Running", RUNNING, RUNNING)
    collecting = read("Running", DONE, RUNNING)
    over = read("Succeeded", DONE, REPORTED)
    assert (going.exit, going.started) == (collecting.exit, collecting.started)
    assert collecting.exit is None
    assert over.exit is not None
    assert over.exit.succeeded
    assert over.history is not None
    assert [value for _, value in over.history.curve] == [0.1]
    assert read("Running", DONE, REPORTED).exit == over.exit


def test_a_sidecar_that_never_ends_does_not_outlive_its_pod() -> None:
    lost = read("Failed", DONE, RUNNING)
    assert lost.exit is not None
    assert lost.history is None
