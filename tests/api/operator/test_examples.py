"""Every example under examples/, shortened, from `apply` to its end: each shows what it is there to show."""

from __future__ import annotations

import contextlib
import itertools
import re
import threading
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from cluster.operators import GROUP, Cluster, start_operator
from cluster.played_kubelet import NEVER, Kubelet, Training
from cluster.prometheus import Prometheus
from cluster.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from cluster.controlplane import ControlPlane
    from cluster.zygote import Zygote

# One operator for the module, so all of it has to run in one process.
pytestmark = [pytest.mark.api, pytest.mark.xdist_group("examples")]

FOLDER = Path(__file__).parents[3] / "examples"
JOB_KIND = "HyperparameterTuningJob"
MOST_TRIALS = 12
JOB_LABEL = "tuning-operator.dev/job"
MOUNT = "checkpoints"
GATE = "kueue.x-k8s.io/admission"
MERGE = "application/merge-patch+json"
OUTRANKED = (1, 3, 5)
"""Trials that Hyperband stops at epoch 1, whoever comes there first: its first bracket has two better ones, 6 and 8."""
EVICTED = threading.Event()
"""Until then the training of the example that resumes does not end, however late its test begins."""


@dataclass(frozen=True)
class Lab:
    """One operator for the jobs of all examples, which are in one namespace."""

    cluster: Cluster
    kubelet: Kubelet

    def end(self, job: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """The status of a job that has completed, and those of its trials with their parameters."""
        status = self.cluster.wait_for_phase("Completed", name=job)["status"]
        trials = [trial for trial in self.cluster.trials() if trial["metadata"]["labels"][JOB_LABEL] == job]
        return status, [{"parameters": trial["spec"]["parameters"], **trial["status"]} for trial in trials]

    def pods(self, job: str) -> dict[str, dict[str, Any]]:
        pods = self.cluster.pods()
        return {pod["metadata"]["name"]: pod for pod in pods if pod["metadata"]["labels"].get(JOB_LABEL) == job}

    def pod_path(self, name: str) -> str:
        return f"/api/v1/namespaces/{self.cluster.namespace}/pods/{name}"


def steps_of(lab: Lab, job: str) -> None:
    """Every point of the grid once, and no more."""
    status, trials = lab.end(job)
    assert (status["completionReason"], status["progress"]) == ("SpaceExhausted", "12/12")
    assert status["suggestion"] == {"trial": 12, "source": "Grid", "message": "point 12 of 12 of the grid"}
    points = itertools.product(("16", "32"), ("sgd", "adam"), ("0.001", "0.01", "0.1"))
    names = ("mini_batch_size", "optimizer", "learning_rate")
    assert Counter(tuple(trial["parameters"][name] for name in names) for trial in trials) == Counter(points)


def rungs_of(lab: Lab, job: str) -> None:
    """Some are stopped at a rung, the best of all by nobody."""
    status, trials = lab.end(job)
    stopped = {number: trial for number, trial in enumerate(trials, 1) if trial["phase"] == "EarlyStopped"}
    assert set(OUTRANKED) <= set(stopped) <= {*OUTRANKED, 6}, "6 only where it met 8 and one other"
    assert len(stopped) == status["trialCounts"]["earlyStopped"]
    assert {trial["stopDecision"]["reason"] for trial in stopped.values()} == {"BelowRung"}
    assert all("at epoch 1 (bracket 1 of 4)" in stopped[number]["stopDecision"]["message"] for number in OUTRANKED)
    assert status["bestTrial"]["name"] == f"{job}-0009"


def stops_of(lab: Lab, job: str) -> None:
    """Trials that are behind are stopped, and say why."""
    status, trials = lab.end(job)
    assert [trial["phase"] for trial in trials] == ["Completed"] * 3 + ["EarlyStopped"] * 2
    assert status["earlyStopping"]["stopped"] == 2
    assert all(float(trial["stopDecision"]["value"]) < 0.9 for trial in trials[3:])


def end_of(lab: Lab, job: str) -> None:
    """Without improvement it ends; what trains may finish, Pods go at once, and the rest when it is time."""
    status, trials = lab.end(job)
    assert status["completionReason"] == "NoImprovement"
    assert 4 <= len(trials) < MOST_TRIALS
    assert (trials[1]["phase"], trials[1]["epochs"]) == ("Completed", 10)
    wait_until(lambda: not lab.pods(job), "all Pods are deleted")
    lab.cluster.patch_job({"spec": {"ttlSecondsAfterFinished": 1}}, job)
    wait_until(lambda: job not in {item["metadata"]["name"] for item in lab.cluster.jobs()}, "the job is deleted")


def gauges_of(lab: Lab, job: str) -> None:
    """Curves come from plain gauges, joined by the time of their samples."""
    _, trials = lab.end(job)
    assert [trial["curve"] for trial in trials] == [{"epochs": [1, 2, 3], "values": ["0.1", "0.2", "0.3"]}] * 2


def log_of(lab: Lab, job: str) -> None:
    """The sidecar that reads the log stands in for the training's own report."""
    _, trials = lab.end(job)
    assert [trial["curve"]["epochs"] for trial in trials] == [[1, 2, 3]] * 2
    for pod in lab.pods(job).values():
        assert [item["name"] for item in pod["spec"]["initContainers"]] == ["tuning-metrics"]


def brought_of(lab: Lab, job: str) -> None:
    """An init container brings the package to where PYTHONPATH finds it."""
    _, trials = lab.end(job)
    assert [trial["phase"] for trial in trials] == ["Completed"] * 2
    for pod in lab.pods(job).values():
        (brings,), (training,) = pod["spec"]["initContainers"], pod["spec"]["containers"]
        (path,) = (item["value"] for item in training["env"] if item["name"] == "PYTHONPATH")
        mounts = {item["name"]: item["mountPath"] for item in training["volumeMounts"]}
        assert path.startswith(f"{mounts['tuning']}/")
        assert brings["volumeMounts"][0] == {"name": "tuning", "mountPath": brings["command"][-1]}


def checkpoints_of(lab: Lab, job: str) -> None:
    """A second attempt has the folder of the first one."""
    first, second = f"{job}-0001-1", f"{job}-0001-2"
    wait_until(
        lambda: any(run.name == first and run.epochs() >= 1 for run in lab.kubelet.runs.values()),
        "it trains",
        describe=lambda: lab.cluster.job(job).get("status"),
    )
    before = folder(lab.pods(job)[first])
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": first}}
    lab.cluster.api.call("POST", f"{lab.pod_path(first)}/eviction", eviction)
    wait_until(lambda: second in lab.pods(job), "the second attempt begins")
    EVICTED.set()  # not before: a kubelet that has not seen the eviction yet would let the first attempt complete
    _, (trial,) = lab.end(job)
    assert (trial["attempt"], trial["disruptions"], trial["failures"]) == (2, 1, 0)
    assert folder(lab.pods(job)[second]) == before
    claim, path = before
    assert claim == "checkpoints"
    assert re.fullmatch(rf"/checkpoints/{job}-0001-[0-9a-f]{{8}}", path)


def folder(pod: Mapping[str, Any]) -> tuple[str, str]:
    """Claim and folder of where a Pod keeps its checkpoints."""
    (claim,) = (item["persistentVolumeClaim"]["claimName"] for item in pod["spec"]["volumes"] if item["name"] == MOUNT)
    (container,) = pod["spec"]["containers"]
    environment = {item["name"]: item.get("value") for item in container["env"]}
    return claim, environment["TUNING_CHECKPOINT_DIR"]


def queue_of(lab: Lab, job: str) -> None:
    """Pods wait at the gate of the queue that their label names, and train when they are admitted."""
    wait_until(lambda: len(lab.pods(job)) == 2, "two Pods wait")
    for pod in lab.pods(job).values():
        assert pod["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "team-a"
        assert pod["spec"]["schedulingGates"] == [{"name": GATE}]
    counts = lab.cluster.job(job)["status"]["trialCounts"]
    assert (counts["running"], counts["failed"]) == (0, 0)
    for name in lab.pods(job):
        lab.cluster.api.call("PATCH", lab.pod_path(name), {"spec": {"schedulingGates": None}}, kind=MERGE)
    _, trials = lab.end(job)
    assert [(trial["phase"], trial["attempt"], trial["disruptions"]) for trial in trials] == [("Completed", 1, 0)] * 2


def first_of(lab: Lab, job: str) -> None:
    """It asks for nothing that a fresh cluster lacks: no GPU, no volume, no account, no image of somebody else's."""
    _, trials = lab.end(job)
    assert [trial["phase"] for trial in trials] == ["Completed"] * 2
    for pod in lab.pods(job).values():
        (container,) = pod["spec"]["containers"]
        assert container["image"].startswith("localhost/tuning-operator/")
        assert set(container["resources"]["limits"]) == {"memory"}
        assert pod["spec"].get("volumes", []) == []
        assert "initContainers" not in pod["spec"]


def nodes_of(lab: Lab, job: str) -> None:
    """Each trial has its Pods, which know who they are and where the first one is; that one reports."""
    _, trials = lab.end(job)
    assert [(trial["phase"], trial["objective"]) for trial in trials] == [("Completed", "0.3")] * 2
    assert {node_of(pod) for pod in lab.pods(job).values()} == {
        (f"{job}-000{trial}-1", rank, "2", f"{job}-000{trial}-1-0.nodes-{job}") for trial in (1, 2) for rank in "01"
    }


def node_of(pod: Mapping[str, Any]) -> tuple[str, str, str, str]:
    """Batch Job, rank, number of nodes and the first one's address, as a Pod of several nodes has them."""
    environment = {item["name"]: item.get("value") for item in pod["spec"]["containers"][0]["env"]}
    labels = pod["metadata"]["labels"]
    rank = labels["batch.kubernetes.io/job-completion-index"]
    return labels["batch.kubernetes.io/job-name"], rank, environment["NNODES"], environment["MASTER_ADDR"]


def start_of(lab: Lab, job: str) -> None:
    """It waits for the job of another example, and the model starts from that one's trials as well."""
    status, trials = lab.end(job)
    parent = lab.cluster.job("fashion-mnist-hyperband")["status"]
    assert parent["completionTime"] <= status["startTime"]
    condition = lab.cluster.condition("ParentsReady", job)
    assert (condition["status"], condition["reason"]) == ("True", "ParentsRead")
    assert "of the 9 trials of fashion-mnist-hyperband" in condition["message"]
    assert len(trials) == 3
    assert status["suggestion"]["source"] == "Model"
    assert " of related jobs (correlation with this one: " in status["suggestion"]["message"]
    assert "overallBestTrial" not in status


@dataclass(frozen=True)
class Example:
    """How an example runs here.

    Attributes:
        shows: waits for its end and looks at what it is about; it gets the job's name.
        trains: what happens in the Pod of a trial, by the trial's number.
        shorter: what of its job's specification is made smaller.
        scraped: how many of its trials have their metrics read; the others' are in the termination message.
    """

    shows: Callable[[Lab, str], None]
    trains: Callable[[int], Training] = lambda _: Training((0.1, 0.2, 0.3), epoch_seconds=0.3)
    shorter: Mapping[str, Any] = field(default_factory=dict)
    scraped: int = 0


def limits(trials: int, parallel: int) -> dict[str, Any]:
    return {"limits": {"maxTrials": trials, "maxParallelTrials": parallel}}


EXAMPLES = {
    "checkpoints.yaml": Example(
        checkpoints_of, lambda _: Training((0.5,) * 4, epoch_seconds=0.5, until=EVICTED), shorter=limits(1, 1)
    ),
    "completion.yaml": Example(
        end_of,
        lambda number: Training((0.5,) * 10, epoch_seconds=0.5 if number == 2 else 0.02),
        shorter={**limits(MOST_TRIALS, 2), "completion": {"maxTrialsWithoutImprovement": 3}},
    ),
    "fashion-mnist.yaml": Example(
        stops_of,
        lambda number: Training((0.9,) * 10, 0.05) if number <= 3 else Training((0.1,) * 9, 0.1, until=NEVER),
        shorter=limits(5, 3),
        scraped=5,
    ),
    "gauges.yaml": Example(
        gauges_of,
        lambda _: Training(
            (0.1, 0.2, 0.3),
            leaves_message=False,
            waits_for_scrape=True,
            paced_by_scrapes=True,
            gauges=("accuracy", "epochs_finished"),
        ),
        shorter=limits(2, 2),
        scraped=2,
    ),
    "grid.yaml": Example(
        steps_of,
        lambda _: Training((0.5,), epoch_seconds=0.05),
        shorter={
            "parameters": [{"name": "mini_batch_size", "integer": {"max": 32}}, {}, {}],
            "limits": {"maxParallelTrials": 6},
        },
    ),
    "hyperband.yaml": Example(
        rungs_of,
        # Those that are to be stopped wait for it before the next rung.
        lambda number: (
            Training((number / 100,) * 2, 0.1, until=NEVER)
            if number in OUTRANKED
            else Training((number / 100,) * 10, 0.1)
        ),
        shorter=limits(9, 9),
        scraped=9,
    ),
    "kueue.yaml": Example(
        queue_of,
        # The gate, which Kueue adds to Pods with the label.
        shorter={**limits(2, 2), "template": {"spec": {"schedulingGates": [{"name": GATE}]}}},
    ),
    "log-file.yaml": Example(
        log_of,
        lambda _: Training((0.1, 0.2, 0.3), epoch_seconds=0.3, leaves_message=False, waits_for_scrape=True),
        shorter=limits(2, 2),
        scraped=2,
    ),
    "nodes.yaml": Example(nodes_of, shorter=limits(2, 2)),
    "quickstart.yaml": Example(first_of, shorter=limits(2, 2)),
    "tensorboard.yaml": Example(
        log_of,
        lambda _: Training((0.1, 0.2, 0.3), epoch_seconds=0.3, leaves_message=False, waits_for_scrape=True),
        shorter=limits(2, 2),
        scraped=2,
    ),
    "unmodified-image.yaml": Example(brought_of, shorter=limits(2, 2)),
    "warm-start.yaml": Example(
        start_of,
        lambda number: Training((number / 10,), epoch_seconds=0.1),
        shorter=limits(3, 1),  # one after the other: the model takes over after two
    ),
}


def job_of(name: str) -> dict[str, Any]:
    """The example's job."""
    documents = yaml.safe_load_all((FOLDER / name).read_text())
    (job,) = (document for document in documents if document["kind"] == JOB_KIND)
    return dict(job)


def merged(value: Any, patch: Any) -> Any:
    """A value with smaller parts; lists item by item, one that there is not is added."""
    if isinstance(value, dict):
        return value | {name: merged(value.get(name), part) for name, part in patch.items()}
    if isinstance(value, list):
        return [merged(item, part) for item, part in zip(value, patch, strict=True)]
    return patch


@pytest.fixture(scope="module")
def lab(control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory, zygote: Zygote) -> Iterator[Lab]:
    directory, namespace = tmp_path_factory.mktemp("examples"), control_plane.create_namespace("examples")
    cluster = Cluster(control_plane.kubeconfig, namespace)
    jobs = {name: job_of(name) for name in EXAMPLES}
    trains = {job["metadata"]["name"]: EXAMPLES[name].trains for name, job in jobs.items()}

    def train(_parameters: Mapping[str, Any], pod: str) -> Training:
        job, number = re.fullmatch(r"(.+)-([0-9]{4})-[0-9]+(?:-[0-9]+-[a-z0-9]{5})?", pod).groups()  # type: ignore[union-attr]
        return trains[job](int(number))

    with contextlib.ExitStack() as stack:
        kubelet = stack.enter_context(Kubelet(cluster.api, namespace, train))
        # Those whose metrics nobody needs are left out: a few hundred scrapes a second would keep a processor busy.
        targets = [
            kubelet.target(f"{jobs[name]['metadata']['name']}-{trial:04d}-1")
            for name, example in EXAMPLES.items()
            for trial in range(1, example.scraped + 1)
        ]
        prometheus = stack.enter_context(Prometheus(directory / "prometheus", targets, scrape_interval=0.5))
        operator = start_operator(
            control_plane.kubeconfig,
            [namespace],
            prometheus.url,
            directory / "operator.log",
            "--sidecar-image=registry.example.com/sidecar:1",
            zygote=zygote,
        )
        stack.callback(operator.stop)
        for name, job in jobs.items():
            cluster.apply({**job, "spec": merged(job["spec"], EXAMPLES[name].shorter)})
        yield Lab(cluster, kubelet)


@pytest.mark.parametrize("path", sorted((FOLDER / "frameworks").glob("*.yaml")), ids=lambda path: path.stem)
def test_a_frameworks_recipe_is_accepted_as_it_is(lab: Lab, path: Path) -> None:
    documents = list(yaml.safe_load_all(path.read_text()))
    assert [document["kind"] for document in documents] == ["ConfigMap", JOB_KIND]
    for kind, document in zip(
        ("/api/v1/namespaces/{}/configmaps", f"{GROUP}/namespaces/{{}}/tuningjobs"), documents, strict=True
    ):
        where = f"{kind.format(lab.cluster.namespace)}?dryRun=All&fieldValidation=Strict"
        lab.cluster.api.call("POST", where, document)
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "recipe"}, **documents[1]["spec"]["template"]}
    pod["spec"] = {**pod["spec"], "restartPolicy": "Never"}
    lab.cluster.api.call(
        "POST", f"/api/v1/namespaces/{lab.cluster.namespace}/pods?dryRun=All&fieldValidation=Strict", pod
    )


def test_every_example_is_run() -> None:
    missing = sorted({path.name for path in FOLDER.glob("*.yaml")} - set(EXAMPLES))
    assert missing == [], "give each an entry in EXAMPLES: how it is shortened, how it trains, and what it has to show"


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_accepted_as_it_is_and_shows_what_it_is_about(lab: Lab, name: str) -> None:
    job = job_of(name)
    path = f"{GROUP}/namespaces/{lab.cluster.namespace}/tuningjobs?dryRun=All&fieldValidation=Strict"
    as_it_is = {**job, "metadata": {**job["metadata"], "name": "as-it-is"}}
    lab.cluster.api.call("POST", path, as_it_is)
    EXAMPLES[name].shows(lab, job["metadata"]["name"])
