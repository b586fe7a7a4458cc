"""`tune`: the job, the ConfigMap that it owns, and the Pod in which the function runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from tests.unit.client.bodies import FakeSession, job
from tests.unit.docs.schema import as_stored, job_schema, misspelt
from tuning_client import BestTrial, Session, TuningError, TuningJob, UnavailableError, search, tune
from tuning_operator.api.job import parse_job

if TYPE_CHECKING:
    from collections.abc import Mapping

IMAGE, SIDECAR = "registry.example.com/python:3.13", "registry.example.com/sidecar:1"
RANGES = {"rate": search.loguniform(1e-4, 1), "epochs": 3}


def train(rate: float, epochs: int) -> float:
    return rate * epochs


class Cluster(FakeSession):
    """Takes down what is done, in its order; the named step fails."""

    def __init__(self, fails: str = "", error: BaseException | None = None) -> None:
        super().__init__()
        self._fails, self._error = fails, error
        self.done: list[tuple[str, Any]] = []

    def create_job(self, manifest: Mapping[str, Any]) -> dict[str, Any]:
        self._step("create_job", manifest)
        return {**manifest, "metadata": {**manifest["metadata"], "uid": "job-uid"}}

    def create_config_map(self, body: Mapping[str, Any]) -> None:
        self._step("create_config_map", body)

    def patch_job(self, name: str, patch: dict[str, Any]) -> dict[str, Any]:
        self._step("patch_job", (name, patch))
        return {}

    def delete_job(self, name: str, uid: str) -> None:
        self._step("delete_job", (name, uid))

    def _step(self, name: str, what: Any) -> None:
        self.done.append((name, what))
        if name in self._fails.split():
            raise self._error or TuningError("refused")


def made(cluster: Cluster | None = None, **arguments: Any) -> Cluster:
    cluster = cluster or Cluster()
    settings: dict[str, Any] = {"image": IMAGE, "name": "job", "wait": False, **arguments}
    tune(train, RANGES, "loss", session=cast("Session", cluster), **settings)
    return cluster


def template(**arguments: Any) -> dict[str, Any]:
    body = made(**arguments).done[0][1]
    found: dict[str, Any] = body["spec"]["template"]["spec"]
    return found


def test_the_job_starts_once_its_function_is_there_and_owns_it() -> None:
    done = dict(cluster := made().done)
    assert [step for step, _ in cluster] == ["create_job", "create_config_map", "patch_job"]
    assert done["create_job"]["spec"]["suspend"] is True
    assert done["create_config_map"]["metadata"]["ownerReferences"] == [
        {
            "apiVersion": "tuning-operator.dev/v1alpha1",
            "kind": "HyperparameterTuningJob",
            "name": "job",
            "uid": "job-uid",
        }
    ]
    assert done["create_config_map"]["immutable"] is True
    assert "def train(rate: float, epochs: int)" in done["create_config_map"]["data"]["function.py"]
    assert done["patch_job"] == ("job", {"spec": {"suspend": False}})


def test_a_job_that_is_to_wait_stays_suspended() -> None:
    assert [step for step, _ in made(spec={"suspend": True}).done] == ["create_job", "create_config_map"]


@pytest.mark.parametrize("step", ["create_config_map", "patch_job"])
@pytest.mark.parametrize("error", [TuningError("refused"), UnavailableError("away"), KeyboardInterrupt()])
def test_a_step_that_fails_leaves_nothing_behind(step: str, error: BaseException) -> None:
    cluster = Cluster(step, error)
    with pytest.raises(type(error)):
        made(cluster)
    assert cluster.done[-1] == ("delete_job", ("job", "job-uid"))


def test_what_could_not_be_taken_back_is_told() -> None:
    with pytest.raises(TuningError) as refused:
        made(Cluster("create_config_map delete_job"))
    assert refused.value.__notes__ == ["the job job is still there, suspended, and could not be deleted: refused"]


def test_the_operator_understands_the_job() -> None:
    body = made(
        package_image=SIDECAR,
        packages=["numpy"],
        goal="Minimize",
        target=0.1,
        early_stopping="Auto",
        max_trials=7,
        max_parallel_trials=2,
        seed=3,
    ).done[0][1]
    assert list(misspelt(body, job_schema(), "")) == []
    spec = parse_job(as_stored(body)).job.spec
    assert (spec.limits.max_trials, spec.limits.max_parallel_trials, spec.objective.target) == (7, 2, 0.1)
    assert spec.static_parameters == {"epochs": "3"}
    assert body["spec"]["earlyStopping"] == {"type": "Auto"}


def test_an_image_that_has_the_package_needs_nothing_but_the_function() -> None:
    pod = template()
    (training,) = pod["containers"]
    assert "initContainers" not in pod
    assert training["command"] == ["python3", "/tuning/code/function.py"]
    assert pod["volumes"] == [{"name": "tuning-code", "configMap": {"name": "job-function"}}]
    assert training["volumeMounts"] == [{"name": "tuning-code", "mountPath": "/tuning/code", "readOnly": True}]
    assert pod["securityContext"]["runAsNonRoot"] is True


def test_the_package_and_packages_come_by_init_containers() -> None:
    own = {"name": "own", "image": "x"}
    pod = template(
        package_image=SIDECAR,
        packages=["scikit-learn==1.7.2", "numpy"],
        index_url="https://packages.example.com/simple",
        environment={"PYTHONPATH": "/mine", "HOME": "/home"},
        volumes={"/data": {"emptyDir": {}}},
        pod={"initContainers": [own], "securityContext": {}},
    )
    package, install, last = pod["initContainers"]
    assert (package["image"], last) == (SIDECAR, own)
    assert install["image"] == IMAGE
    assert install["command"][-3:] == ["/tuning/installed", "scikit-learn==1.7.2", "numpy"]
    assert {"name": "PIP_INDEX_URL", "value": "https://packages.example.com/simple"} in install["env"]
    (training,) = pod["containers"]
    environment = {item["name"]: item["value"] for item in training["env"]}
    assert environment["PYTHONPATH"] == "/tuning/package/tuning_trainer/start:/tuning/installed:/mine"
    assert environment["HOME"] == "/home"
    assert [mount["mountPath"] for mount in training["volumeMounts"]] == [
        "/data",
        "/tuning/installed",
        "/tuning/package",
        "/tuning/code",
    ]
    assert not pod.get("securityContext")


@pytest.mark.parametrize("packages", [["--index-url=http://x"], [""], [3], "-r x"])
def test_packages_are_no_options(packages: Any) -> None:
    with pytest.raises(ValueError, match="packages must be requirements for pip"):
        made(packages=packages)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"base_image": "x"}, "tune does not take base_image: write image="),
        ({"max_trial_count": 3}, "write max_trials="),
        ({"algorithm": "x"}, "write strategy="),
        ({"trails": 3}, "tune has no argument 'trails'"),
    ],
)
def test_names_of_katibs_and_kubeflows_say_what_to_write(given: dict[str, Any], says: str) -> None:
    with pytest.raises(TypeError, match=says):
        made(**given)


def test_the_best_trial_has_numbers_where_they_were_searched() -> None:
    parameters = {"learning_rate": "0.01", "mini_batch_size": "32", "optimizer": "adam"}
    best = {"name": "resnet-0002", "objective": "0.4", "epoch": 3, "parameters": parameters}
    session = cast("Session", FakeSession(job(bestTrial=best)))
    typed = {"learning_rate": 0.01, "mini_batch_size": 32, "optimizer": "adam"}
    assert TuningJob("resnet", session).best() == BestTrial("resnet-0002", 0.4, 3, typed)
    with pytest.raises(TuningError, match="no trial of resnet has ended with an objective"):
        TuningJob("resnet", cast("Session", FakeSession(job("Running")))).best()
