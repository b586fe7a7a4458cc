"""How the console learns what to do: flags, variables, a kubeconfig; and what it says when something is missing."""

from __future__ import annotations

import json
import stat
import sys
from dataclasses import fields
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from tests.unit.docs.pages import ROOT, section, table
from tuning_console import __main__ as command
from tuning_console import files
from tuning_console.local import Kubeconfig
from tuning_console.run import serving
from tuning_console.settings import Settings, parse_settings

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.console.conftest import Lab


def test_flags_win_over_variables_and_both_over_defaults() -> None:
    assert parse_settings([], {}) == Settings()
    variables = {
        "TUNING_CONSOLE_PORT": "81",
        "TUNING_CONSOLE_NAMESPACES": "a, b,",
        "TUNING_CONSOLE_API_SERVER": "https://x",
    }
    assert parse_settings(["--port=82"], variables) == Settings(api_server="https://x", port=82, namespaces=("a", "b"))


@pytest.mark.parametrize("flag", ["--api-server=http://plain", "--port=0", "--port=65536", "--port=x"])
def test_a_bad_setting_is_named(flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse_settings([flag], {})
    assert flag.split("=", maxsplit=1)[0] in capsys.readouterr().err


def test_every_setting_is_on_its_page() -> None:
    listed = {
        row[0]: (row[1], row[2]) for row in table(section((ROOT / "docs" / "console.md").read_text(), "## Settings"))
    }
    assert listed == {
        f"--{field.name.replace('_', '-')}": (f"TUNING_CONSOLE_{field.name.upper()}", str(field.default or ""))
        for field in fields(Settings)
    }


async def test_a_port_that_is_taken_is_said_with_the_remedy(lab: Lab) -> None:
    port = urlsplit(lab.url).port
    assert port
    said = f"cannot listen on port {port}: Address already in use; choose another one with --port"
    with pytest.raises(OSError, match=said):
        await serving(lab.console, "127.0.0.1", port).__aenter__()


def test_pages_that_were_not_built_are_said_to_be_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(files.load, "__defaults__", (tmp_path,))
    assert command.main([]) == 1
    assert "run `make console`" in capsys.readouterr().err


def test_pages_are_kept_in_memory_with_their_kinds(tmp_path: Path) -> None:
    (tmp_path / "assets").mkdir()
    for name in ("index.html", "assets/a.js", "assets/b.css", "assets/c.svg", ".hidden"):
        (tmp_path / name).write_text("text")
    loaded = files.load(tmp_path)
    assert {name: file.kind for name, file in loaded.items()} == {
        "index.html": "text/html; charset=utf-8",
        "assets/a.js": "text/javascript; charset=utf-8",
        "assets/b.css": "text/css; charset=utf-8",
        "assets/c.svg": "image/svg+xml",
    }


def write_kubeconfig(path: Path, user: dict[str, object]) -> str:
    cluster = {"server": "https://api.example.com:6443", "insecure-skip-tls-verify": True}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": "u", "user": user}],
        "contexts": [{"name": "k", "context": {"cluster": "c", "user": "u", "namespace": "team"}}],
        "current-context": "k",
    }
    path.write_text(json.dumps(config))
    return str(path)


async def test_a_kubeconfigs_token_is_shown_to_its_api_server(tmp_path: Path) -> None:
    kubeconfig = Kubeconfig(write_kubeconfig(tmp_path / "config", {"token": "abc"}))
    assert kubeconfig.about == {"context": "k", "server": "https://api.example.com:6443", "namespace": "team"}
    assert await kubeconfig.headers() == {"Authorization": "Bearer abc"}


async def test_a_kubeconfigs_program_gives_the_token(tmp_path: Path) -> None:
    program = tmp_path / "login"
    status = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": "made"}}
    program.write_text(f"#!{sys.executable}\nprint({json.dumps(json.dumps(status))})\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    run = {"apiVersion": "client.authentication.k8s.io/v1", "command": str(program), "interactiveMode": "Never"}
    kubeconfig = Kubeconfig(write_kubeconfig(tmp_path / "config", {"exec": run}))
    assert await kubeconfig.headers() == {"Authorization": "Bearer made"}


async def test_a_kubeconfig_without_a_token_sends_none(tmp_path: Path) -> None:
    assert await Kubeconfig(write_kubeconfig(tmp_path / "config", {})).headers() == {}
