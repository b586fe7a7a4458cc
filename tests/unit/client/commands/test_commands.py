"""What holds for every command of `kubectl tuning`: how it starts and ends, and that what others wrote is harmless."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.client.commands.objects import CONDITION, STOP, full, stopped
from tuning_client.__main__ import main
from tuning_client.commands import cluster
from tuning_client.commands.cluster import job_and_trial
from tuning_client.commands.logs import decoded, harmless
from tuning_client.errors import TuningError
from tuning_client.text import duration

if TYPE_CHECKING:
    from collections.abc import Callable

    Run = Callable[..., tuple[int, str, str]]

ESCAPES = "\x1b[31m\x1b]0;title\x07\r\x9b2J"
HOSTILE = f'[bold]it\'s "$(touch /tmp/x)" `id` {ESCAPES}'


def test_a_command_starts_without_the_libraries_of_others() -> None:
    heavy = "{'pandas', 'plotext', 'matplotlib', 'optuna', 'mlflow', 'torch'}"
    script = f"import sys, tuning_client.__main__; print({heavy} & set(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, text=True).stdout
    assert loaded == "set()\n"


def test_logs_are_those_of_the_current_attempts_training_container(run: Run) -> None:
    assert run("logs", "resnet/1") == (0, "epoch 1\né\n", "")
    code, _, err = run("logs", "resnet/1", "--attempt", "9")
    assert code == 1
    assert 'pods "resnet-0001-9" not found; resnet-0001 is Completed: the Pod of a trial that is stopped' in err
    assert "does not name a trial: write resnet/7" in run("logs", "resnet")[2]


@pytest.mark.parametrize("command", ["why resnet", "why resnet/2", "watch resnet", "list", "curves resnet"])
def test_what_others_wrote_is_text_to_a_terminal(run: Run, a_job: dict[str, Any], command: str) -> None:
    hostile = stopped(2)
    hostile["spec"]["parameters"]["optimizer"] = HOSTILE
    hostile["status"] |= {"message": HOSTILE, "reason": HOSTILE, "stopDecision": {**STOP, "message": HOSTILE}}
    a_job["spec"]["objective"]["metric"] = HOSTILE
    a_job["status"] |= {"message": HOSTILE, "conditions": [{**CONDITION, "message": HOSTILE}]}
    code, out, err = run(*command.split(), trials=[full(1), hostile])
    assert code == 0
    assert not {letter for letter in out + err if not letter.isprintable()} - {"\n"}
    if command.startswith("why"):
        assert "[bold]it's" in out, "and no markup"


def test_a_log_is_harmless_on_a_terminal_and_whole_elsewhere() -> None:
    assert harmless("a\tb\r\n\x1b[2Jü") == "a\tb\r\n\N{REPLACEMENT CHARACTER}[2Jü"
    assert "".join(decoded([b"\xe2\x82", b"\xac", b"\xff"])) == "€\N{REPLACEMENT CHARACTER}"


def test_errors_are_a_line_and_exit_code_1(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def refuse(*_args: object, **_keywords: object) -> Any:
        raise TuningError("no cluster to talk to\x1b[2J")

    monkeypatch.setattr(cluster, "Session", refuse)
    assert main(["list"]) == 1
    assert capsys.readouterr().err == "error: no cluster to talk to [2J\n"
    monkeypatch.setattr(cluster, "Session", lambda *_args, **_keywords: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(SystemExit) as usage:
        main(["list", "-o", "xml"])
    assert usage.value.code == 2


@pytest.mark.parametrize(
    ("text", "read"),
    [("a", ("a", None)), ("a/7", ("a", "a-0007")), ("a/a-0007", ("a", "a-0007")), ("a/12345", ("a", "a-12345"))],
)
def test_a_trial_is_a_number_or_a_name(text: str, read: tuple[str, str | None]) -> None:
    assert job_and_trial(text) == read


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (59.6, "1m"), (61, "1m1s"), (3600, "1h"), (3605, "1h"), (4530, "1h15m"), (90_000, "1d1h")],
)
def test_times_are_kubectls(seconds: float, text: str) -> None:
    assert duration(seconds) == text
