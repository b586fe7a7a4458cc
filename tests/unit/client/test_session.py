"""Whatever a kubeconfig is: a session, or the one error that says which file it is and what to do."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tuning_client.errors import TuningError
from tuning_client.session import Session

if TYPE_CHECKING:
    from pathlib import Path

CONFIG: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Config",
    "current-context": "mine",
    "contexts": [{"name": "mine", "context": {"cluster": "there", "user": "me", "namespace": "team"}}],
    "clusters": [{"name": "there", "cluster": {"server": "https://127.0.0.1:1"}}],
    "users": [{"name": "me", "user": {"token": "t"}}],
}


def test_the_namespace_is_the_contexts(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text(yaml.safe_dump(CONFIG))
    assert Session(kubeconfig=path).namespace == "team"
    assert Session("other", kubeconfig=path).namespace == "other"


@pytest.mark.parametrize(
    "content", ["", "a: [", "[]", "text", "\0\0", "contexts:\n", "contexts: 3\ncurrent-context: a\n"]
)
def test_a_file_that_is_no_kubeconfig_is_named(content: str, tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text(content)
    with pytest.raises(TuningError, match="kubeconfig= ") as raised:
        Session(kubeconfig=path)
    assert str(path) in str(raised.value)


def test_a_folder_is_no_kubeconfig(tmp_path: Path) -> None:
    with pytest.raises(TuningError, match=r"cannot be read: .* is a directory|cannot be read: .*Is a directory"):
        Session(kubeconfig=tmp_path)


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("current-context", "another"),
        ("clusters", []),
        ("clusters", [{"name": "there", "cluster": {"server": "https://x", "certificate-authority": "/nowhere"}}]),
        ("users", [{"name": "me", "user": {"client-certificate": "/nowhere", "client-key": "/nowhere"}}]),
    ],
)
def test_what_is_missing_in_a_kubeconfig_is_said(part: str, value: Any, tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text(yaml.safe_dump(copy.deepcopy(CONFIG) | {part: value}))
    with pytest.raises(TuningError, match=r"no cluster to talk to: .*; set KUBECONFIG, or give kubeconfig="):
        Session(kubeconfig=path)


def test_a_context_that_does_not_exist_is_named_with_those_that_do(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text(yaml.safe_dump(CONFIG))
    with pytest.raises(TuningError, match="there is no context 'elsewhere' in the kubeconfig; it has: mine"):
        Session(kubeconfig=path, context="elsewhere")
