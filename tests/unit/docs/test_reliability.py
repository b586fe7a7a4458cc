"""Every promise names its tests, and they exist."""

from __future__ import annotations

import ast
import re

import pytest

from tests.unit.docs.pages import ROOT, section

PAGE = (ROOT / "docs" / "reliability.md").read_text()
HEADINGS = [heading for heading in re.findall(r"^## .+$", PAGE, re.MULTILINE) if "::" in section(PAGE, heading)]


@pytest.mark.parametrize("heading", HEADINGS)
def test_each_promise_is_held_by_tests_that_exist(heading: str) -> None:
    promises = re.findall(r"^- .*\n(?:  .*\n)*", section(PAGE, heading), re.MULTILINE)
    assert promises
    for promise in promises:
        tests = re.findall(r"`(tests/\S+::\w+)`", promise)
        assert tests, promise
        assert [test for test in tests if not exists(test)] == []


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
    assert len(HEADINGS) == len(re.findall(r"^## .+$", PAGE, re.MULTILINE)) >= 8
