"""The client against a real API server: what it creates is taken, and refusals keep the server's words."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from kubernetes import client, config

from tests.unit.client.documents import EXAMPLES, ODD_TEXTS, converted
from tuning_client import (
    CategoricalParameter,
    ContinuousParameter,
    Estimator,
    HyperparameterTuner,
    IntegerParameter,
    NotFoundError,
    Session,
    TuningError,
    TuningJobCompletionCriteriaConfig,
    UnavailableError,
    search,
    tune,
)
from tuning_client.convert.files import write
from tuning_client.names import is_label

if TYPE_CHECKING:
    from pathlib import Path

    from cluster.controlplane import ControlPlane

pytestmark = pytest.mark.api


@pytest.fixture
def session(kubeconfig: Path, namespace: str) -> Session:
    return Session(namespace, kubeconfig=kubeconfig)


def tuner(session: Session, **changes: Any) -> HyperparameterTuner:
    arguments: dict[str, Any] = {
        "hyperparameter_ranges": {
            "learning_rate": ContinuousParameter(1e-5, 1.0, scaling_type="Logarithmic"),
            "momentum": ContinuousParameter(0.5, 0.99, scaling_type="ReverseLogarithmic"),
            "mini_batch_size": IntegerParameter(16, 64),
            "optimizer": CategoricalParameter(["sgd", "adam"]),
        },
        "max_jobs": 20,
        "max_parallel_jobs": 2,
        "max_runtime_in_seconds": 3600,
        "completion_criteria_config": TuningJobCompletionCriteriaConfig(
            max_number_of_training_jobs_not_improving=5, complete_on_convergence=True, target_objective_metric_value=0.9
        ),
        "early_stopping_type": "Auto",
        "random_seed": 7,
        "session": session,
        **changes,
    }
    return HyperparameterTuner(Estimator("registry.example.com/trainer:1"), "validation:accuracy", **arguments)


def test_a_job_is_created_with_all_that_the_arguments_say(session: Session) -> None:
    search = tuner(session, tags={"team": "vision"})
    search.fit(wait=False)
    assert search.latest_tuning_job is not None
    stored = search.latest_tuning_job.resource()
    expected = search.manifest(stored["metadata"]["name"])
    assert stored["metadata"]["name"].startswith("trainer-")
    assert stored["metadata"]["labels"] == {"team": "vision"}
    assert {name: stored["spec"][name] for name in ("limits", "seed")} == {
        name: expected["spec"][name] for name in ("limits", "seed")
    }
    for name in ("objective", "earlyStopping"):
        assert stored["spec"][name].items() >= expected["spec"][name].items(), "and defaults"
    assert search.describe()["HyperParameterTuningJobStatus"] == "InProgress"
    assert search.analytics().dataframe().empty
    HyperparameterTuner.attach(stored["metadata"]["name"], session).fit(job_name="again", wait=False)
    assert session.job("again")["spec"] == stored["spec"]


def test_what_the_server_refuses_is_told_in_its_words(session: Session) -> None:
    with pytest.raises(TuningError, match=r"spec\.parameters\[0\]\.continuous\.max: .*must be greater than min"):
        tuner(session, hyperparameter_ranges={"x": ContinuousParameter(1, 0)}).fit(wait=False)
    with pytest.raises(TuningError, match=r'unknown field "spec\.limit"'):
        tuner(session, spec={"limit": {"maxTrials": 3}}).fit(wait=False)
    tuner(session).fit(job_name="taken", wait=False)
    with pytest.raises(TuningError, match='"taken" already exists: choose another name'):
        tuner(session).fit(job_name="taken", wait=False)
    with pytest.raises(NotFoundError, match=rf'"nothing" not found in namespace {session.namespace}: check name'):
        HyperparameterTuner.attach("nothing", session)


def square(rate: float) -> float:
    return rate**2


def tuned(session: Session, name: str) -> None:
    tune(square, {"rate": search.uniform(0, 1)}, "loss", image="x", name=name, session=session, wait=False)


def test_a_function_belongs_to_its_job_which_then_starts(session: Session, kubeconfig: Path) -> None:
    tuned(session, "fine")
    job = session.job("fine")
    assert job["spec"]["suspend"] is False
    core = client.CoreV1Api(config.new_client_from_config(str(kubeconfig)))
    stored = core.read_namespaced_config_map("fine-function", session.namespace)
    (owner,) = stored.metadata.owner_references
    assert (owner.name, owner.uid) == ("fine", job["metadata"]["uid"])
    assert "def square(rate: float) -> float:" in stored.data["function.py"]


def test_a_function_that_cannot_be_stored_leaves_no_job(session: Session) -> None:
    session.create_config_map({"metadata": {"name": "taken-function"}})
    with pytest.raises(TuningError, match='"taken-function" already exists: choose another name'):
        tuned(session, "taken")
    with pytest.raises(NotFoundError):
        session.job("taken")


def test_a_session_keeps_to_its_context_and_namespace(kubeconfig: Path, namespace: str) -> None:
    assert Session(kubeconfig=kubeconfig).namespace == "default"
    assert Session(namespace, kubeconfig=kubeconfig, context="tuning-operator-test").namespace == namespace
    with pytest.raises(TuningError, match="no context 'prod' in the kubeconfig; it has: tuning-operator-test"):
        Session(kubeconfig=kubeconfig, context="prod")


def test_a_server_that_does_not_answer_is_a_passing_trouble(kubeconfig: Path, tmp_path: Path) -> None:
    config = json.loads(kubeconfig.read_text())
    config["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:1"
    elsewhere = tmp_path / "kubeconfig"
    elsewhere.write_text(json.dumps(config))
    with pytest.raises(UnavailableError, match=r"https://127\.0\.0\.1:1 does not answer"):
        Session(kubeconfig=elsewhere).job("x")


def test_converted_manifests_are_accepted(control_plane: ControlPlane, namespace: str) -> None:
    jobs = [converted(name) for name in EXAMPLES]
    for number, job in enumerate(jobs):
        job["metadata"] = {**job["metadata"], "namespace": namespace, "name": f"job-{number}"}
    created = control_plane.kubectl("create", "--dry-run=server", "--validate=strict", "-f=-", stdin=write(jobs))
    assert created.count("created (server dry run)") == len(EXAMPLES)


def test_kubectl_reads_every_text_as_it_was_written(control_plane: ControlPlane, namespace: str) -> None:
    values = [text for text in ODD_TEXTS if text and text.isprintable()]
    names = [text for text in ODD_TEXTS if is_label(text, "")]
    job = converted("katib-grid.yaml")
    job["metadata"] = {"namespace": namespace, "name": "odd", "annotations": {name: name for name in names}}
    job["spec"] |= {"strategy": "Random", "parameters": [{"name": "x", "categorical": {"values": values}}]}
    job["spec"]["staticParameters"] = {"y": "n", "n": "1e-3", "on": "", "x0": "0o17"}
    stored = json.loads(control_plane.kubectl("create", "--validate=strict", "-o=json", "-f=-", stdin=write([job])))
    assert stored["spec"]["parameters"][0]["categorical"]["values"] == values
    assert stored["spec"]["staticParameters"] == job["spec"]["staticParameters"]
    assert stored["metadata"]["annotations"].items() >= job["metadata"]["annotations"].items()
