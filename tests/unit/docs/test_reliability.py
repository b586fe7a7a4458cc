"""Every promise names its test, and the tests exist."""

from __future__ import annotations

import ast
import re

import pytest

from tests.unit.docs.pages import ROOT, section, table

PAGE = (ROOT / "docs" / "reliability.md").read_text()
HEADINGS = [
    heading for heading in re.findall(r"^## .+$", PAGE, re.MULTILINE) if "| Promise |" in section(PAGE, heading)
]


@pytest.mark.parametrize("heading", HEADINGS)
def test_each_promise_is_held_by_a_test_that_exists(heading: str) -> None:
    rows = table(section(PAGE, heading))
    assert rows[0][0], "the first row is a promise"
    missing = [test for _, test in rows if not exists(test)]
    assert missing == []


def exists(test: str) -> bool:
    path, _, name = test.partition("::")
    if not (ROOT / path).is_file():
        return False
    body = ast.parse((ROOT / path).read_text()).body
    return name in {node.name for node in body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_a_test_that_does_not_exist_is_noticed() -> None:
    assert exists("tests/unit/docs/test_reliability.py::exists")
    assert not exists("tests/unit/docs/test_reliability.py::no_such_test")
    assert not exists("tests/unit/docs/no_such_file.py::exists")


def test_no_promise_is_left_out_of_the_check() -> None:
    assert len(HEADINGS) >= 6
