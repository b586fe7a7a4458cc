"""Training scripts as users write them, each in a real process, read over HTTP."""

from __future__ import annotations

import json
import signal
import socket
import textwrap
import time
from typing import TYPE_CHECKING

import pytest

from tests.unit.trainer.runs import until
from tuning_trainer import Reporter
from tuning_trainer.environment import check_rank
from tuning_trainer.scrapers import FINAL_FETCHES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.unit.trainer.runs import Run

    Start = Callable[..., Run]

TWENTY_EPOCHS = """
    import time
    from tuning_trainer import report
    for epoch in range(1, 21):
        time.sleep(0.03)
        report(epoch, {"validation:accuracy": epoch / 20, "train:loss": 1 / epoch})
    print("trained", flush=True)
"""
ENDLESS = """
    import time
    from tuning_trainer import report
    report(1, {"validation:accuracy": 0.5})
    report(2, {"validation:accuracy": 0.75})
    print("reported", flush=True)
    time.sleep(60)
"""


def test_a_slow_scraper_gets_20_of_20_epochs(start: Start) -> None:
    run = start(script=TWENTY_EPOCHS)
    early = run.scrape_when(lambda page: page.completed >= 1)
    assert early.completed < 20
    last = run.scrape_when(lambda page: page.finished == 1)
    assert run.end() == (0, "")
    accuracy = {epoch: value for (metric, epoch), value in last.values.items() if metric == "validation:accuracy"}
    assert accuracy == {epoch: epoch / 20 for epoch in range(1, 21)}
    assert last.completed == 20
    assert early.values.items() <= last.values.items()
    assert run.message()["metrics"]["validation:accuracy"] == [epoch / 20 for epoch in range(1, 21)]


@pytest.mark.slow
def test_a_run_shorter_than_the_scrape_interval_waits_for_its_scrapes(start: Start) -> None:
    run = start(script=TWENTY_EPOCHS, TUNING_TRIAL="fashion-0001")
    assert run.line() == "trained"
    with pytest.raises(TimeoutError):
        wait(run, 1.0)
    for _ in range(FINAL_FETCHES):
        assert run.process.poll() is None
        assert run.scrape().completed == 20
    assert wait(run, 15.0) == 0


def wait(run: Run, seconds: float) -> int:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if (code := run.process.poll()) is not None:
            return code
        time.sleep(0.02)
    raise TimeoutError


def test_without_a_scraper_nothing_is_waited_for(start: Start) -> None:
    run = start(script=TWENTY_EPOCHS)
    assert run.line() == "trained"
    assert wait(run, 15.0) == 0
    assert run.message()["completed"] == 20


def test_the_wait_has_a_cap(start: Start) -> None:
    run = start(script=TWENTY_EPOCHS, TUNING_TRIAL="fashion-0001", TUNING_FINISH_TIMEOUT="0.3")
    assert run.line() == "trained"
    assert wait(run, 15.0) == 0


def test_sigterm_ends_the_process_at_once_with_its_message(start: Start) -> None:
    run = start(script=ENDLESS, TUNING_TRIAL="fashion-0001")
    assert run.line() == "reported"
    run.process.send_signal(signal.SIGTERM)
    assert wait(run, 15.0) == 143
    assert run.message()["metrics"] == {"validation:accuracy": [0.5, 0.75]}


def test_sigterm_while_waiting_for_the_scrape_keeps_the_exit_code_of_training(start: Start) -> None:
    run = start(script=TWENTY_EPOCHS, TUNING_TRIAL="fashion-0001")
    run.line()
    message_complete(run)
    run.process.send_signal(signal.SIGTERM)
    assert wait(run, 15.0) == 0


def message_complete(run: Run) -> None:
    end = time.monotonic() + 5
    while not (run.log.exists() and run.message()["completed"] == 20):
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_script_with_its_own_sigterm_handler_keeps_it(start: Start) -> None:
    run = start(
        script="""
        import signal, sys, time
        from tuning_trainer import report
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
        report(1, {"a": 1})
        print("reported", flush=True)
        time.sleep(60)
        """
    )
    run.line()
    run.process.send_signal(signal.SIGTERM)
    assert run.end()[0] == 7
    assert run.message()["completed"] == 1


def test_a_killed_process_leaves_a_message(start: Start) -> None:
    run = start(script=ENDLESS)
    run.line()
    run.process.kill()
    run.process.wait()
    assert run.message()["metrics"] == {"validation:accuracy": [0.5]}, "the second epoch came within a second"


@pytest.mark.slow
def test_a_failing_script_does_not_wait_long(start: Start) -> None:
    run = start(
        script="""
        from tuning_trainer import report
        report(1, {"a": 1})
        raise LookupError("no such layer")
        """,
        TUNING_TRIAL="fashion-0001",
    )
    began = time.monotonic()
    code, errors = run.end()
    assert code == 1
    assert "no such layer" in errors
    assert time.monotonic() - began < 20, "without the exception it would wait for 30 seconds"
    assert run.message()["completed"] == 1


@pytest.mark.slow
def test_a_failing_block_does_not_wait_long(start: Start) -> None:
    run = start(
        script="""
        from tuning_trainer import Reporter
        with Reporter() as reporter:
            reporter.report(1, {"a": 1})
            raise LookupError("no such layer")
        """,
        TUNING_TRIAL="fashion-0001",
    )
    began = time.monotonic()
    assert run.end()[0] == 1
    assert time.monotonic() - began < 20, "without the exception it would wait for 30 seconds"


def test_the_page_answers_while_training_holds_the_interpreter_lock(start: Start) -> None:
    run = start(
        script="""
        import ctypes
        from tuning_trainer import report
        report(1, {"a": 1})
        print("holding", flush=True)
        ctypes.PyDLL(None).sleep(60)
        """
    )
    assert run.line() == "holding"
    began = time.monotonic()
    until(lambda: run.scrape().completed == 1)
    assert time.monotonic() - began < 30, "half of the time for which the lock is held"


def test_threads_may_report_at_the_same_time(start: Start) -> None:
    run = start(
        script="""
        import threading
        from tuning_trainer import report
        for epoch in range(1, 11):
            threads = [threading.Thread(target=report, args=(epoch, {f"m{i}": epoch * i})) for i in range(8)]
            for thread in threads: thread.start()
            for thread in threads: thread.join()
        """,
        TUNING_TRIAL="fashion-0001",
    )
    for _ in range(FINAL_FETCHES):
        page = run.scrape_when(lambda page: page.finished == 1)
    assert run.end() == (0, "")
    assert page.values == {(f"m{i}", epoch): epoch * i for epoch in range(1, 11) for i in range(8)}


def test_a_port_in_use_is_an_error_that_names_it(start: Start) -> None:
    with socket.create_server(("", 0), family=socket.AF_INET6, dualstack_ipv6=True) as listener:
        port = listener.getsockname()[1]
        code, errors = start(script=TWENTY_EPOCHS, TUNING_METRICS_PORT=str(port)).end()
    assert code == 1
    assert f"cannot serve metrics on port {port}: Address already in use" in errors
    assert "only rank 0 reports" in errors
    assert "TUNING_METRICS_PORT chooses another" in errors


@pytest.mark.parametrize(
    "ranks",
    [
        {"RANK": "1"},
        {"RANK": "2", "LOCAL_RANK": "0"},
        {"SLURM_PROCID": "3"},
        {"OMPI_COMM_WORLD_RANK": "1"},
        {"LOCAL_RANK": "1"},
    ],
)
def test_another_rank_is_told_that_rank_0_alone_reports(ranks: dict[str, str]) -> None:
    with pytest.raises(RuntimeError, match="in distributed training only rank 0 reports"):
        check_rank(ranks)


@pytest.mark.parametrize("ranks", [{}, {"RANK": "0", "LOCAL_RANK": "1"}, {"RANK": ""}, {"RANK": "first"}])
def test_rank_0_reports(ranks: dict[str, str]) -> None:
    check_rank(ranks)


def test_a_training_of_another_rank_ends_with_that_error(start: Start) -> None:
    code, errors = start(script=TWENTY_EPOCHS, RANK="1").end()
    assert code == 1
    assert "only rank 0 reports" in errors.splitlines()[-1]


@pytest.mark.parametrize(
    ("ending", "code", "words"),
    [
        ('raise LookupError("no such layer")', 1, "LookupError: no such layer"),
        ('import sys; sys.exit("out of data")', 1, "out of data"),
        ("import sys; sys.exit(3)", 3, "sys.exit(3) at <string>, line 5"),
        ('raise LookupError("x" * 9000 + "\\n\\x1b\\ud800the end")', 1, "the end"),
    ],
)
@pytest.mark.parametrize("epochs", [1, 300])
def test_a_failing_training_leaves_its_last_words_beside_its_curve(
    start: Start, ending: str, code: int, words: str, epochs: int
) -> None:
    run = start(
        script=f"""
        from tuning_trainer import report
        for epoch in range({epochs}):
            report(epoch, {{"a": epoch / 7}})
        {ending}
        """
    )
    assert run.end()[0] == code
    assert run.log.stat().st_size <= 4096
    message = run.message()
    assert message["error"].endswith(words)
    assert (message["epochs"][-1], message["completed"]) == (epochs - 1, epochs)
    assert message["thinned"] == (epochs == 300)


@pytest.mark.parametrize("ending", ["", "import sys; sys.exit()", "import sys; sys.exit(0)"])
def test_a_training_that_ends_well_has_no_last_words(start: Start, ending: str) -> None:
    run = start(script=f"from tuning_trainer import report\nreport(1, {{'a': 1}})\n{ending}")
    assert run.end() == (0, "")
    assert "error" not in run.message()


def test_the_error_of_a_block_is_its_last_words(start: Start) -> None:
    run = start(
        script="""
        from tuning_trainer import Reporter
        with Reporter() as reporter:
            reporter.report(1, {"a": 1})
            raise SystemExit("out of data")
        """
    )
    assert run.end()[0] == 1
    assert run.message()["error"] == "out of data"


@pytest.mark.parametrize("room", [200, 1000, 4096])
def test_the_message_keeps_within_the_room_that_it_is_given(start: Start, room: int) -> None:
    run = start(
        script="""
        from tuning_trainer import report
        for epoch in range(1, 301):
            report(epoch, {"validation:accuracy": epoch / 7})
        raise LookupError("no such layer")
        """,
        TUNING_TERMINATION_BYTES=str(room),
    )
    run.end()
    assert run.log.stat().st_size <= room
    assert run.message()["epochs"][-1] == 300
    assert run.message()["thinned"]


READ = """
    import pathlib, sys
    from tuning_trainer import reporting
    reporting.DEFAULT_TERMINATION_LOG = pathlib.Path(sys.argv[1])
    for epoch in range(1, int(sys.argv[2]) + 1):
        reporting.report(epoch, {"a": epoch / 7})
    print("trained", flush=True)
"""


def test_the_end_waits_for_nobody_where_the_message_has_all(start: Start, tmp_path: Path) -> None:
    """As in a container: the kubelet reads the message from where it is by default."""
    (tmp_path / "message").touch()
    arguments = ["-c", textwrap.dedent(READ), str(tmp_path / "message")]
    environment = {"TUNING_TRIAL": "fashion-0001", "TUNING_TERMINATION_LOG": "", "TUNING_FINISH_TIMEOUT": "3"}
    whole = start(*arguments, "20", **environment)
    assert whole.line() == "trained"
    assert wait(whole, 2.5) == 0
    assert json.loads((tmp_path / "message").read_text())["completed"] == 20
    thinned = start(*arguments, "300", **environment)
    assert thinned.line() == "trained"
    with pytest.raises(TimeoutError):
        wait(thinned, 1.0)


def test_reporting_from_a_forked_process_is_an_error(start: Start) -> None:
    run = start(
        script="""
        import os
        from tuning_trainer import report
        report(1, {"a": 1})
        if os.fork() == 0:
            report(2, {"a": 2})
        else:
            os.wait()
        """
    )
    code, errors = run.end()
    assert code == 0
    assert "report() was called in a forked process" in errors
    assert run.message()["epochs"] == [1]


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("TUNING_METRICS_PORT", "http"),
        ("TUNING_METRICS_PORT", "65536"),
        ("TUNING_METRICS_PORT", "94.5"),
        ("TUNING_FINISH_TIMEOUT", "-1"),
        ("TUNING_FINISH_TIMEOUT", "nan"),
        ("TUNING_TERMINATION_BYTES", "4 KiB"),
    ],
)
def test_bad_settings_are_named(monkeypatch: pytest.MonkeyPatch, variable: str, text: str) -> None:
    monkeypatch.setenv(variable, text)
    with pytest.raises(ValueError, match=rf"{variable} is '{text}': give a (whole )?number from 0 to"):
        Reporter()


def test_after_the_end_nothing_is_reported() -> None:
    with Reporter(port=0) as reporter:
        reporter.report(1, {"a": 1})
    with pytest.raises(RuntimeError, match="epoch 2 was reported after the end of training"):
        reporter.report(2, {"a": 2})
