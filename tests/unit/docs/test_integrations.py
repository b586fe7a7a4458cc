"""Health checks of Argo CD and Flux, run by Lua and CEL on objects as the operator writes them."""

from __future__ import annotations

from typing import Any

import cel
import pytest
import yaml
from lupa import lua51, lua54

from tests.unit.docs.pages import ROOT
from tuning_operator.core.model.job import JobPhase
from tuning_operator.core.model.trial import TrialPhase

FOLDER = ROOT / "docs" / "integrations"
SCRIPTS = {
    name.rpartition("_")[2]: text
    for name, text in yaml.safe_load((FOLDER / "argocd-cm.yaml").read_text())["data"].items()
}
(FLUX,) = yaml.safe_load((FOLDER / "flux.yaml").read_text())["spec"]["healthCheckExprs"]


def health(kind: str, status: dict[str, Any] | None, engine: Any, **metadata: Any) -> tuple[str, str | None]:
    """What Argo CD shows; its own Lua is 5.1."""
    lua = engine.LuaRuntime(unpack_returned_tuples=True)
    body = {"metadata": {"name": "x", "generation": 1, **metadata}, **({} if status is None else {"status": status})}
    lua.globals().obj = lua.table_from(body, recursive=True)
    answer = lua.execute(SCRIPTS[kind])
    return answer.status, answer.message


JOB = "HyperparameterTuningJob"
JOB_HEALTH = {
    JobPhase.PENDING: "Progressing",
    JobPhase.RUNNING: "Progressing",
    JobPhase.STOPPING: "Progressing",
    JobPhase.CONFIRMING: "Progressing",
    JobPhase.SUSPENDED: "Suspended",
    JobPhase.COMPLETED: "Healthy",
    JobPhase.STOPPED: "Healthy",
    JobPhase.FAILED: "Degraded",
}
TRIAL_HEALTH = {
    TrialPhase.PENDING: "Progressing",
    TrialPhase.RUNNING: "Progressing",
    TrialPhase.COLLECTING: "Progressing",
    TrialPhase.STOPPING: "Progressing",
    TrialPhase.PAUSED: "Progressing",
    TrialPhase.COMPLETED: "Healthy",
    TrialPhase.EARLY_STOPPED: "Healthy",
    TrialPhase.STOPPED: "Healthy",
    TrialPhase.FAILED: "Degraded",
}


@pytest.fixture(params=[lua51, lua54], ids=["lua5.1", "lua5.4"])
def engine(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.mark.parametrize("phase", list(JobPhase))
def test_argo_shows_every_phase_of_a_job(phase: JobPhase, engine: Any) -> None:
    status = {"phase": str(phase), "progress": "2/9", "observedGeneration": 1}
    assert health(JOB, status, engine) == (JOB_HEALTH[phase], "2/9 trials have ended")
    assert health(JOB, {**status, "message": "all trials have ended"}, engine)[1] == "all trials have ended"


@pytest.mark.parametrize("phase", list(TrialPhase))
def test_argo_shows_every_phase_of_a_trial(phase: TrialPhase, engine: Any) -> None:
    status = {"phase": str(phase), "reason": "OOMKilled"}
    assert health("TuningTrial", status, engine) == (TRIAL_HEALTH[phase], "OOMKilled")


@pytest.mark.parametrize("kind", [JOB, "TuningTrial"])
@pytest.mark.parametrize("status", [None, {}])
def test_argo_waits_for_the_operator(kind: str, status: dict[str, Any] | None, engine: Any) -> None:
    assert health(kind, status, engine) == ("Progressing", "the operator has not looked at it yet")


def test_argo_waits_for_an_edit_of_a_job_that_had_ended(engine: Any) -> None:
    status = {"phase": "Completed", "observedGeneration": 1}
    assert health(JOB, status, engine, generation=2) == ("Progressing", "the operator has yet to see an edit")


@pytest.mark.parametrize(
    ("kind", "bad", "good"),
    [("Stalled", "True", "False"), ("MetricsAvailable", "False", "True"), ("Waiting", "True", "False")],
)
def test_argo_says_what_stands_in_the_way(kind: str, bad: str, good: str, engine: Any) -> None:
    status: dict[str, Any] = {"phase": "Running", "progress": "0/9"}
    status["conditions"] = [{"type": kind, "status": bad, "reason": "Reason", "message": "in words"}]
    assert health(JOB, status, engine) == ("Progressing", f"{kind}: in words")
    status["conditions"] = [{"type": kind, "status": good, "reason": "Reason", "message": "in words"}]
    assert health(JOB, status, engine) == ("Progressing", "0/9 trials have ended")


def flux(status: dict[str, Any], generation: int = 1) -> str:
    """What Flux makes of a job: it compares generations first, then asks in this order."""
    if status.get("observedGeneration", generation) != generation:
        return "inProgress"
    body = {"metadata": {"generation": generation}, "status": status}
    for question in ("inProgress", "failed", "current"):
        if cel.evaluate(FLUX[question], body):
            return question
    return "inProgress"


@pytest.mark.parametrize("phase", list(JobPhase))
def test_flux_is_ready_when_a_job_has_ended_well(phase: JobPhase) -> None:
    expected = {"Healthy": "current", "Degraded": "failed"}.get(JOB_HEALTH[phase], "inProgress")
    assert flux({"phase": str(phase), "observedGeneration": 1}) == expected


def test_flux_waits_for_the_operator_to_see_a_job_and_its_edits() -> None:
    assert flux({}) == "inProgress"
    assert flux({"phase": "Completed", "observedGeneration": 1}, generation=2) == "inProgress"
    assert FLUX["kind"] == JOB
