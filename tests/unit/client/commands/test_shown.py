"""`kubectl tuning list`, `why`, `curves`, `watch` and `what-if`, on fixed objects: what they print."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console

from tests.unit.client.commands.objects import STOP, Cluster, full
from tuning_client.__main__ import main
from tuning_client.commands import cluster, watching

if TYPE_CHECKING:
    from collections.abc import Callable

    Run = Callable[..., tuple[int, str, str]]


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
