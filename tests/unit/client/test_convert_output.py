"""What a converted trial prints stays visible, and its metrics are found in it."""

from __future__ import annotations

import re
from typing import Any

import pytest
import re2

from tests.unit.client.documents import load, said
from tests.unit.client.samples import container_of, katib, made, sagemaker, training
from tuning_client.convert import convert
from tuning_client.logs import NUMBER, OUTPUT, shown_and_kept


def test_what_a_converted_trial_prints_stays_visible() -> None:
    result = convert(katib())
    container = container_of(result)
    assert container["command"][:3] == shown_and_kept([])
    assert container["command"][3] == "python3"
    assert {"name": "PYTHONUNBUFFERED", "value": "1"} in container["env"]
    assert container["terminationMessagePolicy"] == "FallbackToLogsOnError"
    assert made(result)["podCleanup"] == "Keep"
    assert "by sh, mkfifo and tee, which the image must have" in said(result)
    assert "spec.trialTemplate.retain: Katib deletes the Pods of trials that have ended" in said(result)
    own = [{"name": "PYTHONUNBUFFERED", "value": "0"}]
    assert container_of(convert(katib({"env": own})))["env"] == own


def test_an_image_whose_program_is_not_known_keeps_it() -> None:
    document = katib()
    words = training(document).pop("command")
    training(document)["args"] = words
    result = convert(document)
    assert "command" not in container_of(result)
    assert "the image's own entry point is not known here, so let it write to" in said(result)


def test_the_shells_own_expansions_stay_the_shells() -> None:
    script = "echo $(date) $$ $(HP_lr) $(RUN) $$(x) $(cat $(pwd)/y) ${HOME}"
    result = convert(katib({"command": ["sh", "-c", script], "env": [{"name": "RUN", "value": "1"}]}))
    assert container_of(result)["command"][5] == ("echo $$(date) $$ $(HP_lr) $(RUN) $$(x) $$(cat $$(pwd)/y) ${HOME}")


@pytest.mark.parametrize(
    ("path", "container", "becomes", "says"),
    [
        ("/metrics.log", {}, "/var/log/tuning/metrics.log", "is in /, where the volume for it would hide"),
        ("/opt/metrics.log", {}, "/var/log/tuning/metrics.log", "is in /opt"),
        ("/opt/pytorch-mnist/m.log", {}, "/var/log/tuning/m.log", "would hide /opt/pytorch-mnist/mnist.py"),
        ("/usr/local/app/m.log", {}, "/var/log/tuning/m.log", "is in /usr/local/app"),
        ("m.log", {}, "/var/log/tuning/m.log", "is in a folder that only the image knows"),
        ("m.log", {"workingDir": "/job"}, "/var/log/tuning/m.log", "would hide /job"),
        ("/job/logs/../m.log", {"workingDir": "/job/src"}, "/var/log/tuning/m.log", "would hide /job/src"),
        ("/katib/./m.log", {}, "/katib/m.log", "is written /katib/m.log here"),
        ("/katib/m.log", {}, "/katib/m.log", "an empty volume is mounted at /katib"),
        ("/katib/m.log", {"volumeMounts": [{"name": "x", "mountPath": "/katib/"}]}, "/katib/m.log", ""),
        ("/dev/stdout", {}, OUTPUT, "the container's command writes it to"),
    ],
)
def test_a_log_file_is_where_a_volume_may_be(path: str, container: dict[str, Any], becomes: str, says: str) -> None:
    source = {"collector": {"kind": "File"}, "source": {"fileSystemPath": {"path": path, "kind": "File"}}}
    words = ["python3", "/opt/pytorch-mnist/mnist.py", f"--log={path}", f"--other={path}.old"]
    result = convert(katib({"command": words, **container}, metricsCollectorSpec=source))
    assert made(result)["metrics"]["source"]["file"]["path"] == becomes
    assert says in said(result)
    if path != "/dev/stdout":
        assert container_of(result)["command"][2:] == [f"--log={becomes}", f"--other={path}.old"]


def test_a_log_that_may_be_beside_the_program_is_moved_if_the_command_names_it() -> None:
    source = {"collector": {"kind": "File"}, "source": {"fileSystemPath": {"path": "/app/m.log", "kind": "File"}}}

    def path(*command: str) -> str:
        result = convert(katib({"command": [*command]}, metricsCollectorSpec=source))
        found: str = made(result)["metrics"]["source"]["file"]["path"]
        assert "the volume for it would hide the program" in said(result) or found == "/app/m.log"
        return found

    assert path("python", "train.py", "--log=/app/m.log") == "/var/log/tuning/m.log"
    assert path("python", "train.py") == "/app/m.log"
    assert path("python", "/opt/train.py", "--log=/app/m.log") == "/app/m.log"


def test_patterns_find_what_a_training_that_diverges_prints() -> None:
    definitions = [{"Name": "loss", "Regex": "loss=([0-9.]+)"}]
    result = convert(sagemaker(AlgorithmSpecification={"MetricDefinitions": definitions}))
    (definition,) = made(result)["metrics"]["source"]["file"]["metricDefinitions"]
    assert definition["regex"] == f"loss={NUMBER}"
    assert "the value's group was made to take signs, exponents, nan and inf" in said(result)
    for document in (katib(), load("katib-file-metrics-collector.yaml")):
        for item in made(convert(document))["metrics"]["source"]["file"]["metricDefinitions"]:
            for number in ("nan", "-inf", "2.5e-05", "1"):
                line = f"{item['name']}={number} {{metricName: {item['name']}, metricValue: {number}}}"
                assert [match.group(1) for match in re2.finditer(item["regex"], line)] == [number]
                assert [match.group(1) for match in re.finditer(item["regex"], line)] == [number]


def test_each_metric_has_the_first_filter_that_can_name_it() -> None:
    formats = ["(loss): ([0-9.]+)", "([a-z]+) is ([0-9.]+)"]
    source = {"source": {"filter": {"metricsFormat": formats}}}
    result = convert(katib(metricsCollectorSpec=source))
    found = {item["name"]: item["regex"] for item in made(result)["metrics"]["source"]["file"]["metricDefinitions"]}
    assert found == {"accuracy": rf"(?:^|[^\w|-])accuracy is {NUMBER}", "loss": rf"(?:^|[^\w|-])loss: {NUMBER}"}


def test_a_filter_that_is_none_of_re2s_is_mentioned() -> None:
    source = {"source": {"filter": {"metricsFormat": [r"(?<=x)(accuracy)=([0-9.]+)"]}}}
    result = convert(katib(metricsCollectorSpec=source))
    assert "metrics" not in made(result)
    assert "neither lookaround nor backreferences" in said(result)
