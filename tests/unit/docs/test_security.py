"""What security.md promises: the tests that it names exist, and what is installed is locked with hashes."""

from __future__ import annotations

import ast
import re

import pytest

from tests.unit.docs.pages import ROOT, section

PAGE = (ROOT / "docs" / "security.md").read_text()
LOCKS = sorted(
    path.relative_to(ROOT) for path in ROOT.glob("**/*.lock") if not path.relative_to(ROOT).parts[0].startswith(".")
)
INSTALLERS = (
    "Makefile",
    "images/add.sh",
    "images/torch/install.sh",
    "images/torch/tools.sh",
    "images/operator/Dockerfile",
    "images/console/Dockerfile",
)


@pytest.mark.parametrize("named", sorted(set(re.findall(r"`(tests/\S+?\.py::\w+)`", PAGE))))
def test_a_test_that_holds_a_promise_exists(named: str) -> None:
    path, _, name = named.partition("::")
    assert name in {
        node.name
        for node in ast.walk(ast.parse((ROOT / path).read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def test_every_promise_has_a_test() -> None:
    for heading in ("### Promises", "## What a hostile party can do", "## What runs, and how it is locked down"):
        promises = re.findall(r"^- .*\n(?:  .*\n)*", section(PAGE, heading), re.MULTILINE)
        assert len(promises) >= 5
        assert [promise for promise in promises if "::" not in promise] == []


def test_no_promise_is_there_twice() -> None:
    tests = re.findall(r"`(tests/\S+?\.py::\w+)`", PAGE)
    assert sorted(tests) == sorted(set(tests))


def test_what_is_installed_is_locked_with_hashes() -> None:
    assert len(LOCKS) >= 5
    for lock in LOCKS:
        text = (ROOT / lock).read_text()
        packages = re.findall(r"^[a-z0-9].*?(?=^[a-z0-9]|\Z)", text, re.MULTILINE | re.DOTALL)
        assert [package.split()[0] for package in packages if "--hash=sha256:" not in package] == []
        assert "index-url" not in text
    for name in INSTALLERS:
        lines = (ROOT / name).read_text().replace("\\\n", " ").splitlines()
        unlocked = [
            line
            for line in lines
            if re.search(r"pip install|add\.sh", line) and " -r " in line and "--require-hashes" not in line
        ]
        assert unlocked == []
