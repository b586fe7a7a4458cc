"""Every example under examples/, shortened, from `apply` to its end: each shows what it is there to show."""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from cluster.operators import GROUP, Cluster, start_operator
from cluster.played_kubelet import NEVER, Kubelet, Training
from cluster.prometheus import Prometheus
from tests.api.operator.shown import (
    EVICTED,
    GATE,
    MOST_TRIALS,
    OUTRANKED,
    Lab,
    brought_of,
    checkpoints_of,
    end_of,
    first_of,
    gauges_of,
    log_of,
    nodes_of,
    queue_of,
    rungs_of,
    start_of,
    steps_of,
    stops_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from cluster.controlplane import ControlPlane
    from cluster.zygote import Zygote

# One operator for the module, so all of it has to run in one process.
pytestmark = [pytest.mark.api, pytest.mark.xdist_group("examples")]

FOLDER = Path(__file__).parents[3] / "examples"
JOB_KIND = "HyperparameterTuningJob"


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
