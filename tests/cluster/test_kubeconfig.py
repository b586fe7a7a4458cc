from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from cluster import kubeconfig

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def authority(tmp_path: Path) -> Path:
    path = tmp_path / "ca.crt"
    path.write_text("-----BEGIN CERTIFICATE-----")
    return path


def test_what_is_written_is_accepted_and_private(tmp_path: Path, authority: Path) -> None:
    path = kubeconfig.write(
        tmp_path / "config", url="https://127.0.0.1:1", authority=authority, user=kubeconfig.token_user("t")
    )
    kubeconfig.require_test_context(path)
    assert path.stat().st_mode & 0o077 == 0


def test_another_context_is_refused_by_name(tmp_path: Path, authority: Path) -> None:
    path = kubeconfig.write(
        tmp_path / "config", url="https://127.0.0.1:1", authority=authority, user=kubeconfig.token_user("t")
    )
    config = json.loads(path.read_text())
    path.write_text(json.dumps(config | {"current-context": "production"}))
    with pytest.raises(kubeconfig.WrongContextError, match=r"'production'.*make cluster"):
        kubeconfig.require_test_context(path)


@pytest.mark.parametrize(
    "text",
    [
        "apiVersion: v1\nkind: Config\ncurrent-context: tuning-operator-test\n",
        "{}",
        "[]",
        "",
    ],
)
def test_a_file_that_is_not_ours_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config"
    path.write_text(text)
    with pytest.raises(kubeconfig.WrongContextError, match="not a kubeconfig that the test cluster wrote"):
        kubeconfig.require_test_context(path)


def test_a_missing_file_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(kubeconfig.WrongContextError, match="make cluster"):
        kubeconfig.require_test_context(tmp_path / "none")
