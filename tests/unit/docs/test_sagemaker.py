"""The table of SageMaker's API has every field, and a test for every promise."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.unit.docs.pages import ROOT, section, table

PAGE = ROOT / "docs" / "sagemaker.md"
FIELDS = [line for line in (Path(__file__).parent / "sagemaker_api.txt").read_text().splitlines() if line[0] != "#"]
PREFIXES = {"C.": "HyperParameterTuningJobConfig.", "T.": "TrainingJobDefinition."}
OPERATIONS = {operation: f"{operation}HyperParameterTuningJob" for operation in ("Create", "Describe")}


def rows(operation: str) -> list[list[str]]:
    return table(section(PAGE.read_text(), f"## {OPERATIONS[operation]}"))


def fields(cell: str) -> list[str]:
    """The fields that a row is about, in full."""
    named = re.findall(r"`([^`]+)`", f"`{cell}`")
    return [PREFIXES.get(name[:2], name[:2]) + name[2:] for name in named]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_field_of_the_api_has_a_row_and_every_row_a_field(operation: str) -> None:
    wanted = {field.split()[1] for field in FIELDS if field.startswith(operation)}
    there = {field for row in rows(operation) for field in fields(row[0])} - {"ScalingType"}
    assert {name for name in wanted if not name.startswith(tuple(there))} == set()
    assert {row for row in there if not any(name.startswith(row) for name in wanted)} == set()


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_counterpart_is_shown_by_a_test_and_every_no_is_none(operation: str) -> None:
    wrong = []
    for sagemaker, here, shown in rows(operation):
        link = re.fullmatch(r"\[(test_\w+)\]\((\S+)\)", shown)
        if re.match(r"no\b", here):
            good = shown == ""
        else:
            test = (PAGE.parent / link[2]).resolve() if link else None
            good = bool(
                link and test and test.exists() and re.search(rf"^def {link[1]}\(", test.read_text(), re.MULTILINE)
            )
        if not good:
            wrong.append((sagemaker, here, shown))
    assert wrong == []


def test_every_name_of_the_sdk_has_a_row() -> None:
    text = section(PAGE.read_text(), "## The names of the Python SDK")
    said = {name.removesuffix("()") for name in re.findall(r"`([^`]+)`", text)}
    lines = (Path(__file__).parent / "sagemaker_sdk.txt").read_text().splitlines()
    wanted: set[str] = set()
    for name, *arguments in (line.split() for line in lines if line[0] != "#"):
        each = name in {"Estimator", "HyperparameterTuner", "HyperparameterTuner.fit", "HyperparameterTuner.attach"}
        wanted |= {f"{name}({argument}=)" for argument in arguments} if each else {name}
    assert wanted - said == set()
