"""The commands of `kubectl tuning`, on fixed objects: what they print, how they end, and what they make harmless."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from rich.console import Console

from tests.unit.client.bodies import FakeSession, job, trial
from tuning_client.__main__ import main
from tuning_client.commands import cluster, watching
from tuning_client.commands.cluster import job_and_trial
from tuning_client.commands.logs import decoded, harmless
from tuning_client.errors import NotFoundError, TuningError
from tuning_client.text import duration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Run = Callable[..., tuple[int, str, str]]

ESCAPES = "\x1b[31m\x1b]0;title\x07\r\x9b2J"
HOSTILE = f'[bold]it\'s "$(touch /tmp/x)" `id` {ESCAPES}'
CONDITION = {
    "type": "MetricsAvailable",
    "status": "False",
    "reason": "ConnectionRefused",
    "message": "connection refused",
    "lastTransitionTime": "2026-11-24T10:00:00Z",
}
STOP = {
    "reason": "BelowMedian",
    "epoch": 2,
    "value": "0.05",
    "threshold": "0.3",
    "message": "epoch 2: 0.05 is below 0.3, the median of 3 completed trials",
}


class Cluster(FakeSession):
    """A session that also lists, and that has a log."""

    namespace = "team"
    asked: tuple[Any, ...] = ()

    def jobs(self, *, all_namespaces: bool = False) -> list[dict[str, Any]]:
        del all_namespaces
        return [item for item in self._jobs if not isinstance(item, Exception)]

    def log(self, pod: str, container: str, *, follow: bool = False, tail: int | None = None) -> Iterator[bytes]:
        self.asked = (pod, container, follow, tail)
        if pod.endswith("-9"):
            raise NotFoundError(f'pods "{pod}" not found')
        return iter([b"epoch 1\n\xc3", b"\xa9\n"])


def full(number: int, *args: Any, **status: Any) -> dict[str, Any]:
    """A trial with all that the API server adds."""
    made = trial(number, *args, **status)
    made["spec"]["seed"] = number
    made["metadata"] |= {"uid": f"uid-{number}", "resourceVersion": "1", "namespace": "team"}
    made["status"]["epochs"] = len(made["status"]["curve"]["epochs"])
    return made


def stopped(number: int) -> dict[str, Any]:
    return full(
        number,
        "EarlyStopped",
        "0.05",
        stopDecision=STOP,
        reason="BelowMedian",
        message=STOP["message"],
        objectiveEpoch=2,
        curve={"epochs": [1, 2], "values": ["0.1", "0.05"]},
    )


@pytest.fixture
def a_job() -> dict[str, Any]:
    made = job(
        bestTrial={"name": "resnet-0001", "objective": "0.4", "epoch": 3},
        progress="2/4",
        trialCounts={"running": 1, "earlyStopped": 1},
        totalTrainingSeconds=4530,
        earlyStopping={"stopped": 1, "epochsSaved": 1, "secondsSaved": 12},
        conditions=[CONDITION],
    )
    made["metadata"] |= {"namespace": "team", "resourceVersion": "1"}
    return made


@pytest.fixture
def run(
    a_job: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Run a command against these trials (of which there are three); returns exit code, output and errors."""

    def with_trials(*arguments: str, trials: list[dict[str, Any]] | None = None) -> tuple[int, str, str]:
        session = Cluster(a_job, trials=[full(1), stopped(2), full(3, "Running", None)] if trials is None else trials)
        monkeypatch.setattr(cluster, "Session", lambda *_args, **_keywords: session)
        code = main(list(arguments))
        out, err = capsys.readouterr()
        return code, out, err

    return with_trials


def test_a_command_starts_without_the_libraries_of_others() -> None:
    heavy = "{'pandas', 'plotext', 'matplotlib', 'optuna', 'mlflow', 'torch'}"
    script = f"import sys, tuning_client.__main__; print({heavy} & set(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, text=True).stdout
    assert loaded == "set()\n"


def test_why_names_the_decision_to_pause(run: Run) -> None:
    paused = full(1, "Paused", None, pauseDecision={**STOP, "reason": "OutOfReach"}, reason="OutOfReach")
    _, out, _ = run("why", "resnet/1", trials=[paused])
    assert "resnet-0001 is Paused (OutOfReach)" in out
    assert f"paused: OutOfReach: {STOP['message']} (epoch 2, value 0.05, threshold 0.3)" in out.splitlines()


def test_list_has_a_line_for_each_job(run: Run) -> None:
    code, out, _ = run("list")
    header, line = map(str.rstrip, out.splitlines())
    assert code == 0
    assert header.split() == [
        "NAME",
        "PHASE",
        "BEST",
        "TRIAL",
        "DONE",
        "RUNNING",
        "STOPPED",
        "FAILED",
        "TRAINING",
        "SAVED",
        "AGE",
    ]
    assert line.split()[:-1] == ["resnet", "Completed", "0.4", "0001", "2/4", "1", "1", "0", "1h15m", "12s"]
    assert run("list", "-A")[1].splitlines()[1].split()[0] == "team"
    assert run("list", "-o", "name")[1] == "resnet\n"
    assert json.loads(run("list", "-o", "json")[1])["items"][0]["metadata"]["name"] == "resnet"


def test_a_namespace_without_jobs_says_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(cluster, "Session", lambda *_args, **_keywords: Cluster(ValueError()))
    assert main(["list"]) == 0
    assert capsys.readouterr().out == "No jobs in namespace team.\n"


def test_why_tells_a_jobs_conditions_and_what_became_of_its_trials(run: Run) -> None:
    code, out, _ = run("why", "resnet")
    lines = [line.strip() for line in out.splitlines()]
    assert code == 0
    assert lines[0] == "resnet is Completed"
    assert "best so far: resnet-0001 with 0.4 at epoch 3" in lines
    assert "MetricsAvailable  False   ConnectionRefused: connection refused, since 2026-11-24T10:00:00Z" in lines
    assert f"resnet-0002 stopped early: {STOP['message']}" in lines
    assert "resnet-0003 training" in lines


@pytest.mark.parametrize("name", ["resnet/2", "resnet/resnet-0002"])
def test_why_tells_the_decision_about_a_trial_with_its_numbers(run: Run, name: str) -> None:
    code, out, _ = run("why", name)
    assert code == 0
    assert f"stopped: BelowMedian: {STOP['message']} (epoch 2, value 0.05, threshold 0.3)" in out.splitlines()
    assert "validation:accuracy: 0.05 at epoch 2 of 2 known" in out.splitlines()
    assert json.loads(run("why", name, "-o", "json")[1])["metadata"]["name"] == "resnet-0002"


def test_why_of_a_trial_that_is_not_there_is_an_error(run: Run) -> None:
    assert run("why", "resnet/99") == (1, "", "error: resnet has no trial resnet-0099 in namespace team\n")
    assert run("why", "resnet/")[0] == 1


def test_curves_are_drawn_in_eighty_columns_without_colour(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    code, out, _ = run("curves", "resnet")
    assert code == 0
    assert max(map(len, out.splitlines())) <= 80
    assert "\x1b" not in out
    assert "resnet: validation:accuracy" in out
    assert out.splitlines()[-2:] == [
        "best: resnet-0001, 0.4 at epoch 3",
        "1 running, 1 stopped; x: where a trial was stopped",
    ]
    assert sum(line.count("x") for line in out.splitlines()[1:-4]) == 1, "one cross"


def test_curves_can_be_chosen(run: Run) -> None:
    printed = json.loads(run("curves", "resnet", "--state", "stopped", "-o", "json")[1])
    assert [(item["trial"], item["values"], item["stopDecision"]["epoch"]) for item in printed] == [
        ("resnet-0002", ["0.1", "0.05"], 2)
    ]
    assert [item["trial"] for item in json.loads(run("curves", "resnet", "--top", "1", "-o", "json")[1])] == [
        "resnet-0001"
    ]
    assert run("curves", "resnet", "--top", "0")[0] == 1


def test_a_job_without_values_has_no_curves_to_draw(run: Run) -> None:
    nothing = full(1, "Running", None, curve={"epochs": [1], "values": ["NaN"]})
    assert (
        run("curves", "resnet", trials=[nothing])[1] == "resnet: no trial has reported a finite validation:accuracy\n"
    )


def test_the_best_is_a_manifest_that_trains_it_again(run: Run, a_job: dict[str, Any]) -> None:
    a_job["spec"]["template"]["metadata"] = {
        "labels": {"team": "vision", "tuning-operator.dev/job": "resnet"},
        "annotations": {"tuning-operator.dev/x": "y"},
    }
    a_job["spec"]["template"]["spec"]["containers"][0]["env"] = [
        {"name": "HP_optimizer", "value": "other"},
        {"name": "DATA", "value": "/data"},
    ]
    code, out, _ = run("best", "resnet")
    made = yaml.safe_load(out)
    assert code == 0
    assert (made["kind"], made["spec"]["restartPolicy"]) == ("Pod", "Never")
    assert made["metadata"] == {"name": "resnet-best", "labels": {"team": "vision"}}
    env = {item["name"]: item["value"] for item in made["spec"]["containers"][0]["env"]}
    assert env["HP_optimizer"] == "adam"
    assert env["HP_epochs"] == "3"
    assert env["DATA"] == "/data"
    assert json.loads(env["HYPERPARAMETERS"]) == {
        "epochs": 3,
        "learning_rate": 0.001,
        "mini_batch_size": 32,
        "optimizer": "adam",
    }
    batch = json.loads(run("best", "resnet", "-o", "json", "--kind", "Job")[1])
    assert batch["spec"]["template"] == {"metadata": {"labels": {"team": "vision"}}, "spec": made["spec"]}


def test_the_best_may_train_longer_and_leaves_its_model_beside_the_trials(run: Run, a_job: dict[str, Any]) -> None:
    a_job["spec"]["template"]["spec"]["containers"][0]["env"] = [{"name": "TUNING_MODEL_DIR", "value": "/models/"}]
    made = yaml.safe_load(run("best", "resnet", "--set", "epochs=100", "--set", "learning_rate=0.5")[1])
    env = {item["name"]: item["value"] for item in made["spec"]["containers"][0]["env"]}
    assert (env["HP_epochs"], env["HP_learning_rate"], env["HP_mini_batch_size"]) == ("100", "0.5", "32")
    assert json.loads(env["HYPERPARAMETERS"])["epochs"] == 100
    assert env["TUNING_MODEL_DIR"] == "/models/resnet-best"
    assert env["TUNING_OBJECTIVE_GOAL"] == "Maximize"
    assert "TUNING_TRIAL" not in env, "nobody waits for its metrics"
    assert "HP_epochs=7\n" in run("best", "resnet", "-o", "env", "--set", "epochs=7")[1]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("epochs", "--set epochs: write NAME=VALUE, where NAME is one of epochs, learning_rate, mini_batch_size"),
        ("epoch=3", "--set epoch=3: write NAME=VALUE, where NAME is one of epochs"),
        ("learning_rate=fast", "--set learning_rate=fast: learning_rate is a number: write one"),
    ],
)
def test_what_is_no_value_of_a_hyperparameter_is_refused(run: Run, given: str, says: str) -> None:
    code, out, err = run("best", "resnet", "--set", given)
    assert (code, out) == (1, "")
    assert says in err


def test_variables_reach_a_shell_as_they_are(run: Run, a_job: dict[str, Any]) -> None:
    odd = 'it\'s "$(touch /tmp/x)" `id` \\ $HOME $$(X)\nnext ü'
    a_job["spec"]["staticParameters"]["odd"] = odd
    code, out, _ = run("best", "resnet", "-o", "env")
    assert code == 0
    script = 'eval "$1"; printf %s "$HP_odd"'
    shown = subprocess.run(["sh", "-c", script, "sh", out], capture_output=True, check=True, text=True).stdout
    assert shown == odd
    made = yaml.safe_load(run("best", "resnet")[1])
    env = {item["name"]: item["value"] for item in made["spec"]["containers"][0]["env"]}
    assert env["HP_odd"] == odd.replace("$", "$$"), "Kubernetes would expand $(NAME)"


def test_there_is_no_best_without_a_result_and_no_pod_of_several_nodes(run: Run, a_job: dict[str, Any]) -> None:
    a_job["spec"]["nodes"] = 4
    assert "trains on 4 nodes" in run("best", "resnet")[2]
    del a_job["status"]["bestTrial"]
    code, out, err = run("best", "resnet", "-o", "env")
    assert (code, out) == (1, "")
    assert "no trial of resnet has ended with an objective" in err


def test_watch_tells_a_line_for_each_event_and_fails_with_the_job(run: Run, a_job: dict[str, Any]) -> None:
    code, out, _ = run("watch", "resnet")
    assert code == 0
    assert f"resnet-0002 stopped early, 0.05 after 2/3 epochs, 25 s: {STOP['message']}" in out
    a_job["status"]["phase"] = "Failed"
    assert run("watch", "resnet")[0] == 1


def test_watch_on_a_terminal_is_a_picture_that_fits(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def terminal(**options: Any) -> Console:
        return Console(force_terminal=True, width=80, height=24, color_system=None, **options)

    monkeypatch.setattr(watching, "Console", terminal)
    code, out, _ = run("watch", "resnet")
    assert code == 0
    assert "TRIAL" in out
    assert "stopped early" in out
    assert "2/4 trials" in out
    assert max(len(line) for line in re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", out).splitlines()) <= 80
    assert capsys.readouterr().err == ""


def test_what_if_names_the_trials_that_a_rule_stops_and_what_it_cannot_know(run: Run) -> None:
    trials = [full(1), full(2, startTime="2026-11-24T11:00:00Z", completionTime="2026-11-24T11:00:30Z")]
    trials[1]["status"]["curve"]["values"] = ["0.01", "0.02", "0.03"]
    arguments = ("what-if", "resnet", "--rule", "Median", "--set", "minCompletedTrials=1")
    code, out, _ = run(*arguments, trials=trials)
    assert code == 0
    row = next(line for line in out.splitlines() if line.startswith("0002"))
    assert "epoch 2: 0.02 is below 0.15, the median of 1 completed trials" in row
    assert "stopped: 1 of 2 trials; saved: 1 epochs, 8s of 50s (16%)" in out
    assert "winner: resnet-0001 with 0.4 would have been kept" in out
    assert "- after the first difference other hyperparameters would have been suggested" in out
    printed = json.loads(run(*arguments, "-o", "json", trials=trials)[1])
    assert printed["rule"] == {"type": "Median", "median": {"minCompletedTrials": 1}}
    assert printed["trials"][1]["stop"]["epoch"] == 2


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (
            ["Median", "--set", "quantil=1"],
            "median.quantil: is not a field of the rule; its fields are statistic, quantile,",
        ),
        (["Median", "--set", "quantile=2"], "quantile must be above 0 and below 1, not 2"),
        (["Median", "--set", "quantile"], "write FIELD=VALUE"),
        (["Auto", "--set", "quantile=0.3"], "the rule Auto has no fields to set"),
        (["Hyperband", "--set", "minResource=1"], "maxResource: Field required"),
    ],
)
def test_a_rule_that_is_none_is_refused_by_the_fields_name(run: Run, rule: list[str], said: str) -> None:
    code, out, err = run("what-if", "resnet", "--rule", *rule)
    assert (code, out) == (1, "")
    assert said in err


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
