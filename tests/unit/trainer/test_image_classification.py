"""The algorithm as a container runs it: a process, its environment, its metrics page, its exit code."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING

import pytest

from tests.unit.trainer.pictures import write_idx
from tests.unit.trainer.runs import free_port, until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.unit.trainer.runs import Run

    Start = Callable[..., Run]

MODULE = ("-m", "tuning_trainer.image_classification")
SMALL = ("--num-layers=0", "--image-shape=1,8,8", "--mini-batch-size=16")


@pytest.mark.slow
def test_all_epochs_are_seen_by_a_scraper(start: Start, tmp_path: Path) -> None:
    run = start(
        *(*MODULE, *SMALL, "--data", str(write_idx(tmp_path / "idx"))),
        HYPERPARAMETERS=json.dumps({"learning_rate": 0.01, "epochs": 20, "optimizer": "adam"}),
        TUNING_TRIAL="fashion-0001",
    )
    page = run.scrape_when(lambda page: page.finished == 1)
    assert run.end() == (0, "")
    curve = [page.values["validation:accuracy", epoch] for epoch in range(1, 21)]
    assert curve[-1] > 0.9
    assert run.message()["metrics"]["validation:accuracy"] == curve


@pytest.mark.slow
def test_it_trains_where_nothing_of_linux_is_known(start: Start, tmp_path: Path) -> None:
    """As on a Mac: no affinity, no /proc, /sys or /dev/shm for Python to look into."""
    script = """
        import os, runpy, shutil, sys

        def hide(event, arguments):
            if event == "open" and str(arguments[0]).startswith(("/proc", "/sys", "/dev/shm")):
                raise FileNotFoundError(arguments[0])

        def usage(path, known=shutil.disk_usage):
            hide("open", [path])
            return known(path)

        def stat(path, *others, known=os.stat, **options):
            hide("open", [path])
            return known(path, *others, **options)

        del os.sched_getaffinity
        os.stat, shutil.disk_usage = stat, usage
        sys.addaudithook(hide)
        sys.argv[0] = "image_classification"
        runpy.run_module("tuning_trainer.image_classification", run_name="__main__", alter_sys=True)
    """
    where = str(write_idx(tmp_path / "idx"))
    hyperparameters = {"data": where, "epochs": 2, "num_layers": 0, "image_shape": "1,8,8", "mini_batch_size": 16}
    run = start(script=script, HYPERPARAMETERS=json.dumps(hyperparameters), TUNING_CPU_THREADS="")
    assert run.end() == (0, "")
    assert run.message()["completed"] == 2


@pytest.mark.slow
def test_sigterm_in_an_epoch_leaves_a_checkpoint_and_the_message(start: Start, tmp_path: Path) -> None:
    run = start(
        *(*MODULE, *SMALL, "--data", str(write_idx(tmp_path / "idx", 2000)), "--epochs=100000"),
        *("--checkpoint-dir", str(tmp_path / "checkpoints")),
        TUNING_TRIAL="fashion-0001",
    )
    run.scrape_when(lambda page: page.completed >= 2)
    run.process.send_signal(signal.SIGTERM)
    code, errors = run.end()
    assert (code, errors) == (143, "")
    assert run.message()["completed"] >= 2
    assert (tmp_path / "checkpoints" / "fashion-0001.pt").exists()


@pytest.mark.slow
def test_sigterm_before_training_ends_at_once(start: Start, tmp_path: Path) -> None:
    run = start(*MODULE, *SMALL, "--data", str(write_idx(tmp_path / "idx")), "--epochs=100000")
    # The metrics page is up before torch is loaded, and that takes long enough.
    until(lambda: run.scrape().finished == 0)
    run.process.send_signal(signal.SIGTERM)
    assert run.end()[0] == 143


@pytest.mark.parametrize(
    ("arguments", "environment", "error"),
    [
        ([], {}, "data is missing: give the folder of the images with --data"),
        (["--data=/", "--optimizer=sdg"], {}, "optimizer is 'sdg' (from --optimizer): give one of sgd, adam"),
        (["--data=/nowhere"], {}, "data is '/nowhere', which is not a folder: give the folder of the images"),
        (["--data=/"], {"HP_epochs": "0"}, "epochs is '0' (from HP_epochs): give an integer from 1"),
        (["--data=/"], {"TUNING_CPU_THREADS": "all"}, "TUNING_CPU_THREADS is 'all': give an integer from 1"),
        (["--data=/"], {"TUNING_METRICS_PORT": "all"}, "TUNING_METRICS_PORT is 'all': give a whole number"),
    ],
)
def test_bad_values_end_with_code_2(
    start: Start, arguments: list[str], environment: dict[str, str], error: str
) -> None:
    code, errors = start(*MODULE, *arguments, **environment).end()
    assert code == 2
    assert errors.startswith("error: ")
    assert error in errors
    assert len(errors.splitlines()) == 1


def test_flags_explain_themselves(start: Start) -> None:
    run = start(*MODULE, "--help")
    output, _ = run.process.communicate(timeout=20)
    assert run.process.returncode == 0
    assert "--augmentation-type" in output
    assert "one of none, crop, crop_color" in " ".join(output.split())


@pytest.mark.slow
def test_two_processes_train_as_one_would(start: Start, tmp_path: Path) -> None:
    """Their parts of a batch are of different sizes."""
    flags = (*MODULE, *SMALL, "--mini-batch-size=15", "--data", str(write_idx(tmp_path / "idx")), "--epochs=3")
    at = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()), "NNODES": "2", "TUNING_FINISH_TIMEOUT": "0"}
    alone = start(*flags, TUNING_FINISH_TIMEOUT="0")
    together = [start(*flags, **at, NODE_RANK=str(rank)) for rank in (0, 1)]
    for run in (alone, *together):
        code, errors = run.end()
        assert code == 0, errors
    expected, found = alone.message()["metrics"], together[0].message()["metrics"]
    assert list(found) == list(expected)
    for name, values in expected.items():
        assert found[name] == pytest.approx(values, abs=1e-4), name
    assert not together[1].log.exists(), "the first one reports"
