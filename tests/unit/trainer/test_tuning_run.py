"""`tuning-run`, and the folder on PYTHONPATH by itself, which is how a Pod brings the package into any image."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import tuning_trainer

PACKAGE = Path(tuning_trainer.__file__).parent
RUN = "import sys; from tuning_trainer.run import main; main()"
# A framework that takes its callbacks where XGBoost does, and reports three rounds.
FRAMEWORK = """
class TrainingCallback:
    pass

class CallbackContainer:
    def __init__(self, callbacks, metric=None):
        self.callbacks = list(callbacks)
"""
TRAINING = """
import xgboost.callback
container = xgboost.callback.CallbackContainer([])
for callback in container.callbacks:
    callback.before_training(None)
    for epoch in range(3):
        callback.after_iteration(None, epoch, {"valid": {"loss": [1 / (epoch + 1)]}})
print(len(container.callbacks))
"""


def tuning_run(*command: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", RUN, *command],
        env=clean() | environment,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )


def clean() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("TUNING_", "PYTHONPATH", "RANK"))}


def trial(folder: Path) -> dict[str, str]:
    return {
        "TUNING_TRIAL": "job-0001",
        "TUNING_OBJECTIVE_METRIC": "valid-loss",
        "TUNING_METRICS_PORT": "0",
        "TUNING_FINISH_TIMEOUT": "0",
        "TUNING_TERMINATION_LOG": str(folder / "message"),
    }


@pytest.fixture
def training(tmp_path: Path) -> Path:
    framework = tmp_path / "xgboost"
    framework.mkdir()
    (framework / "__init__.py").write_text("class Booster: ...\n")
    (framework / "callback.py").write_text(FRAMEWORK)
    (framework / "collective.py").write_text("def get_rank():\n    return 0\n")
    (tmp_path / "train.py").write_text(TRAINING)
    return tmp_path


@pytest.mark.parametrize("settings", [True, False], ids=["trial", "no trial"])
def test_a_script_gets_the_adapters_in_a_trial_alone(training: Path, settings: bool) -> None:
    done = tuning_run(sys.executable, "train.py", folder=training, **(trial(training) if settings else {}))
    assert (done.returncode, done.stderr, done.stdout) == (0, "", f"{int(settings)}\n")
    message = training / "message"
    assert message.exists() == settings
    if settings:
        assert '"epochs":[1,2,3],"metrics":{"valid-loss":[1.0,0.5,0.3333333333333333]}' in message.read_text()


def test_a_folder_brings_the_package_to_a_python_that_has_none(training: Path) -> None:
    """As the init container does; what lies beside the package takes the place of nothing that the image has."""
    shutil.copytree(PACKAGE, training / "brought" / "tuning_trainer")
    (training / "brought" / "prometheus_client").symlink_to(package_of("prometheus_client"))
    (training / "brought" / "theirs.py").write_text("ours = True\n")
    (training / "theirs.py").write_text("ours = False\n")
    (training / "train.py").write_text(TRAINING + "import theirs, tuning_trainer\nprint(theirs.ours, tuning_trainer)\n")
    environment = clean() | trial(training) | {"PYTHONPATH": str(training / "brought/tuning_trainer/start")}
    # Without its site-packages, as an image that knows nothing of us.
    command = [os.path.realpath(sys.executable), "train.py"]
    done = subprocess.run(
        command, env=environment, cwd=training, capture_output=True, text=True, check=False, timeout=180
    )
    assert (done.returncode, done.stderr) == (0, "")
    count, origin = done.stdout.splitlines()
    assert count == "1"
    assert origin.startswith("False ")
    assert f"{training}/brought/tuning_trainer" in origin
    assert '"completed":3' in (training / "message").read_text()


def test_a_folder_brings_report_to_a_script_that_runs_outside_of_a_trial(training: Path) -> None:
    """As the manifest that `kubectl tuning best` writes does."""
    shutil.copytree(PACKAGE, training / "brought" / "tuning_trainer")
    (training / "brought" / "prometheus_client").symlink_to(package_of("prometheus_client"))
    (training / "train.py").write_text("from tuning_trainer import report\nreport(1, {'loss': 0.5})\n")
    environment = clean() | trial(training) | {"PYTHONPATH": str(training / "brought/tuning_trainer/start")}
    del environment["TUNING_TRIAL"]
    command = [os.path.realpath(sys.executable), "train.py"]
    done = subprocess.run(
        command, env=environment, cwd=training, capture_output=True, text=True, check=False, timeout=180
    )
    assert (done.returncode, done.stderr) == (0, "")


def package_of(name: str) -> Path:
    return Path(str(__import__(name).__file__)).parent


def test_the_exit_code_and_signals_are_the_trainings(tmp_path: Path) -> None:
    assert tuning_run(sys.executable, "-c", "raise SystemExit(7)", folder=tmp_path).returncode == 7
    script = "import sys, time; print('up', flush=True); time.sleep(60)"
    process = subprocess.Popen(
        [sys.executable, "-c", RUN, sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, env=clean()
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    before = time.monotonic()
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=180)
    assert process.returncode == -signal.SIGTERM
    assert time.monotonic() - before < 30


def test_a_sitecustomize_of_the_image_is_run_as_well(tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text("import builtins\nbuiltins.theirs = 'theirs'\n")
    done = tuning_run(sys.executable, "-c", "print(theirs)", folder=tmp_path, PYTHONPATH=str(tmp_path / "site"))
    assert (done.stdout, done.stderr) == ("theirs\n", "")


def test_an_adapter_that_does_not_fit_the_framework_leaves_the_training_alone(training: Path) -> None:
    (training / "xgboost" / "callback.py").write_text(FRAMEWORK.replace("CallbackContainer", "Renamed"))
    (training / "train.py").write_text("import xgboost.callback\nprint('trained')\n")
    done = tuning_run(sys.executable, "train.py", folder=training, **trial(training))
    assert (done.returncode, done.stdout) == (0, "trained\n")
    assert done.stderr.count("reporting to the tuner ends here") == 1
    assert "CallbackContainer" in done.stderr


@pytest.mark.parametrize(
    ("command", "code", "words"),
    [([], 2, "usage: tuning-run"), (["./nothing"], 127, "No such file"), (["/"], 126, "Permission denied")],
)
def test_a_command_that_cannot_be_run_says_why(tmp_path: Path, command: list[str], code: int, words: str) -> None:
    done = tuning_run(*command, folder=tmp_path)
    assert done.returncode == code
    assert words in done.stderr


def test_importing_the_package_imports_no_framework() -> None:
    frameworks = ("torch", "lightning", "transformers", "keras", "xgboost", "lightgbm", "sklearn", "accelerate")
    script = f"""
import sys
import tuning_trainer, tuning_trainer.integrations.hooks, tuning_trainer.integrations.entry_points
print([name for name in {frameworks} if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=clean())
    assert done.stdout == "[]\n"
