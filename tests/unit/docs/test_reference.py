"""reference.md and install.md list what the code has: settings, metrics, conditions, Events, rights."""

from __future__ import annotations

import ast
import re
from dataclasses import MISSING, fields
from typing import TYPE_CHECKING

import pytest
import yaml
from prometheus_client.metrics import MetricWrapperBase

from tests.unit.docs.pages import ROOT, section, table
from tuning_operator.core.model.conditions import ConditionType
from tuning_operator.core.model.job import CompletionReason
from tuning_operator.core.report import notices
from tuning_operator.runtime import metrics
from tuning_operator.runtime.job_metrics import JobMetrics
from tuning_operator.runtime.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = (ROOT / "docs" / "reference.md").read_text()
INSTALL = (ROOT / "docs" / "install.md").read_text()
SOURCES = ROOT / "operator" / "src" / "tuning_operator"


def rows(heading: str, page: str = PAGE) -> list[list[str]]:
    return table(section(page, heading))


def test_settings() -> None:
    documented = {flag: default for flag, default, _ in rows("## Settings")}
    expected = {}
    for setting in fields(Settings):
        default = "required" if setting.default is MISSING else setting.default
        if isinstance(default, bool):
            default = str(default).lower()
        flag = f"--{setting.name.replace('_', '-')}"
        expected[flag] = f"{default:g}" if isinstance(default, float | int) else default or ""
    assert documented == expected


def listed(heading: str) -> dict[str, list[str]]:
    """The metrics under a heading, written `name{label}`: labels of each."""
    found = {}
    for metric, meaning in rows(heading):
        name, _, labels = metric.rstrip("}").partition("{")
        assert meaning
        found[name] = labels.split(", ") if labels else []
    return found


def test_metrics() -> None:
    expected = {}
    for metric in vars(metrics).values():
        if isinstance(metric, MetricWrapperBase):
            family = next(iter(metric.describe()))
            suffix = "_total" if family.type == "counter" else ""
            expected[family.name + suffix] = list(metric._labelnames)
            is_histogram = family.name.endswith("_seconds")
            assert suffix or family.type == ("histogram" if is_histogram else "gauge"), "the page says so"
    assert listed("## The operator's own metrics") == expected


def test_metrics_of_jobs() -> None:
    documented = listed("## Metrics of each job")
    *of_jobs, about_all = documented
    for name in of_jobs:
        documented[name][:0] = ["tuning_namespace", "tuning_job"]
    assert documented[about_all] == []
    families = list(JobMetrics().describe())
    assert documented == {family.name: list(family._labelnames) for family in families}  # type: ignore[attr-defined]
    (histogram,) = (family.name for family in families if family.type != "gauge")
    assert histogram.endswith("_slot_turnaround_seconds")


def trees() -> Iterator[ast.Module]:
    for path in SOURCES.rglob("*.py"):
        yield ast.parse(path.read_text())


def calls(name: str) -> Iterator[ast.Call]:
    for tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name:
                yield node


def words(node: ast.AST) -> set[str]:
    return {item.value for item in ast.walk(node) if isinstance(item, ast.Constant) and isinstance(item.value, str)}


def test_event_reasons() -> None:
    documented = {
        reason: kind
        for kind in ("Normal", "Warning")
        for reasons, _ in rows(f"### {kind}")
        for reason in re.findall(r"\w+", reasons)
    }
    reasons = {word for call in calls("Notice") for word in words(call.args[0])}
    reasons |= {reason for reason, _ in notices.ENDS.values()} | set(CompletionReason)
    assert set(documented) == reasons
    failures = {reason for reason in CompletionReason if reason.is_failure}
    assert {reason for reason, kind in documented.items() if kind == "Warning"} >= failures


def test_conditions() -> None:
    """Types, statuses and reasons that the code writes out are in the table; those from elsewhere are described."""
    documented: dict[str, set[tuple[str, str]]] = {}
    kind = ""
    for first, *states, _ in rows("## Conditions"):
        kind = first or kind
        found = re.findall(r"(True|False|Unknown): (\w+)", " ".join(states))
        documented.setdefault(kind, set()).update(found)
    schema = yaml.safe_load((ROOT / "crds" / "tuningjobs.yaml").read_text())["spec"]["versions"][0]["schema"]
    described = schema["openAPIV3Schema"]["properties"]["status"]["properties"]["conditions"]["description"]
    assert [name for name in documented if name not in described] == []
    assert set(documented) == set(ConditionType)
    written = list(written_as_words())
    assert len(written) >= 8
    assert [
        (kind, status, reason) for kind, status, reason in written if (status, reason) not in documented[kind]
    ] == []


def written_as_words() -> Iterator[tuple[str, str, str]]:
    for call in calls("Condition"):
        kind, *rest = call.args
        if isinstance(kind, ast.Attribute) and all(isinstance(argument, ast.Constant) for argument in rest[:2]):
            status, reason = map(ast.literal_eval, rest[:2])
            yield ConditionType[kind.attr], status, reason


CHART = ROOT / "charts" / "tuning-operator"


def test_rights_are_those_of_the_chart() -> None:
    helpers = (CHART / "templates" / "_helpers.tpl").read_text()
    found = re.search(r'define "tuning-operator.rules" -}}\n(.*?){{- end }}', helpers, re.DOTALL)
    assert found
    granted = {
        (group or "core", resource): verbs
        for rule in yaml.safe_load(found.group(1))
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verbs in [", ".join(rule["verbs"])]
    }
    documented = {(group, resource): verbs for group, resource, verbs, _ in rows("## Namespaces and rights", INSTALL)}
    assert documented == granted


def test_all_ways_to_scrape_leave_out_the_nodes_that_do_not_report() -> None:
    index = "__meta_kubernetes_pod_label_batch_kubernetes_io_job_completion_index"
    demo = (ROOT / "cluster" / "manifests" / "prometheus.yaml").read_text()
    for text in (INSTALL, demo, (CHART / "templates" / "podmonitor.yaml").read_text()):
        following = text[text.index(index) :].splitlines()[1:3]
        assert {line.strip() for line in following} == {'regex: "[1-9][0-9]*"', "action: drop"}


@pytest.mark.parametrize("path", ["chart", "operator"])
def test_versions_agree(path: str) -> None:
    """The change log's newest version is the one that is built."""
    newest = re.search(r"^## \[?([0-9.]+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert newest
    files = {"chart": "charts/tuning-operator/Chart.yaml", "operator": "operator/pyproject.toml"}
    assert re.search(rf"^version(: | = \"){re.escape(newest.group(1))}", (ROOT / files[path]).read_text(), re.MULTILINE)


def test_images_are_built_with_the_names_and_the_tag_that_are_pulled() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    text = (ROOT / "images" / "README.md").read_text()
    built = re.findall(r"docker build -f images/(\w+)/Dockerfile -t (\S+)", text)
    names = {image: f"registry.example.com/tuning-operator/{image}:{chart['appVersion']}" for image, _ in built}
    assert {"operator", "trainer"} <= names.keys()
    assert dict(built) == names | {"torch": "tuning-operator/torch"}
