"""Plays the kubelet of a control plane without nodes: Pods "train" as the test says, and serve their metrics.

What the operator sees of a Pod is what a real kubelet would write: bound, Running, terminated with exit code and
termination message, gracefully deleted.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
import urllib.error
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self

from cluster.prometheus import Target

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import TracebackType

    from cluster.api import Api

NEVER = threading.Event()
"""Nobody sets it: a training until then runs until its Pod is deleted."""
_NODE = "test-node"


@dataclass(frozen=True)
class Training:
    """What happens in a Pod.

    Attributes:
        values: the objective of each epoch, from epoch 1.
        epoch_seconds: duration of an epoch.
        exit_code: of the training container, after the last epoch.
        leaves_message: whether the history is in the termination message.
        waits_for_scrape: whether the trainer waits at its end until Prometheus has its last page.
        paced_by_scrapes: whether it waits so after each epoch.
        start_seconds: time from the Pod's creation to the start of its container.
        reason: the container's reason for its exit, if it is not Completed or Error.
        page: what is served instead of the page by the contract.
        message: what is in the termination message instead of the history.
        obstacle: why the container never starts: Unschedulable, or what a kubelet says of an image.
        lingers_seconds: how long the container keeps running after SIGTERM.
        until: when it is set the container may end, after its last epoch.
        clock_ahead: seconds by which the clock of its node is wrong.
        gauges: names of the gauges that it exports instead of keeping the contract, of value and epoch.
        step: distance of the epochs that its log states.
    """

    values: tuple[float, ...]
    epoch_seconds: float = 0.1
    exit_code: int = 0
    leaves_message: bool = True
    waits_for_scrape: bool = False
    paced_by_scrapes: bool = False
    start_seconds: float = 0.0
    reason: str = ""
    page: str | None = None
    message: str | None = None
    obstacle: str = ""
    lingers_seconds: float = 0.0
    until: threading.Event | None = None
    clock_ahead: float = 0.0
    gauges: tuple[str, str] | None = None
    step: float = 1


@dataclass
class Run:
    """One Pod's life so far."""

    name: str
    namespace: str
    uid: str
    parameters: dict[str, Any]
    training: Training
    metric: str
    container: str = "training"
    created: float = field(default_factory=time.monotonic)
    started: float | None = None
    ended: float | None = None
    signalled: float | None = None
    deleted: bool = False
    known: int = 0  # how many epochs' pages Prometheus has

    def epochs(self) -> int:
        """How many epochs are finished by now."""
        if self.started is None:
            return 0
        until = self.ended if self.ended is not None else time.monotonic()
        most = self.known + 1 if self.training.paced_by_scrapes else len(self.training.values)
        return min(len(self.training.values), most, int((until - self.started) / self.training.epoch_seconds))

    def has_reported_all(self) -> bool:
        return self.started is not None and self.epochs() == len(self.training.values)

    def is_done(self) -> bool:
        may_end = self.training.until is None or self.training.until.is_set()
        is_known = self.known == len(self.training.values)
        return self.has_reported_all() and may_end and (is_known or not self.training.waits_for_scrape)

    def page(self) -> str:
        epochs = self.epochs()
        if self.training.page is not None:
            return self.training.page
        if self.training.gauges:
            value, epoch = self.training.gauges
            shown = self.training.values[epochs - 1] if epochs else 0.0
            return f'{value}{{split="validation"}} {shown}\n{value}{{split="train"}} 1\n{epoch} {epochs}\n'
        lines = [
            f'tuning_epoch_value{{metric="{self.metric}",epoch="{epoch * self.training.step:g}"}} {value}'
            for epoch, value in enumerate(self.training.values[:epochs], start=1)
        ]
        if epochs:
            lines.append(f'tuning_latest_value{{metric="{self.metric}"}} {self.training.values[epochs - 1]}')
            lines.append(f"tuning_latest_epoch {epochs * self.training.step:g}")
        return "\n".join([*lines, f"tuning_epochs_completed {epochs}", ""])

    def message(self) -> str:
        if self.training.message is not None:
            return self.training.message
        if not self.training.leaves_message:
            return ""
        epochs = self.epochs()
        values = list(self.training.values[:epochs])
        return json.dumps(
            {
                "epochs": list(range(1, epochs + 1)),
                "metrics": {self.metric: values},
                "completed": epochs,
                "thinned": False,
            }
        )


class Kubelet:
    """Runs all Pods of some namespaces inside a `with` block.

    Args:
        api: the administrator's access.
        namespaces: whose Pods it runs: one, or several.
        train: the training of a Pod, by its hyperparameters and its name; it measures the job's objective.
        poll_seconds: between two looks at the Pods.
    """

    def __init__(
        self,
        api: Api,
        namespaces: str | Sequence[str],
        train: Callable[[Mapping[str, Any], str], Training],
        poll_seconds: float = 0.05,
    ) -> None:
        self._api = api
        self._namespaces = (namespaces,) if isinstance(namespaces, str) else tuple(namespaces)
        self._train = train
        self._poll_seconds = poll_seconds
        self._newest: dict[tuple[str, str], Run] = {}
        self.runs: dict[str, Run] = {}
        self.most_alive = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._serving = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> Self:
        if not self._api.exists(f"/api/v1/nodes/{_NODE}"):
            node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": _NODE}}
            self._api.call("POST", "/api/v1/nodes", node)
        self._thread.start()
        self._serving.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        self._server.shutdown()
        self._server.server_close()

    def target(self, pod: str, namespace: str = "") -> Target:
        """The Pod, of the first namespace unless one is given, as a scrape target; it answers 404 until it runs."""
        address, namespace = f"127.0.0.1:{self._server.server_port}", namespace or self._namespaces[0]
        labels = {"namespace": namespace, "pod": pod, "__metrics_path__": f"/{namespace}/{pod}"}
        return Target(address, labels)

    def _run(self) -> None:
        while not self._stop.wait(self._poll_seconds):
            for namespace in self._namespaces:
                with contextlib.suppress(OSError):  # the API server is away for a moment: a kubelet tries again
                    self._tick(namespace)

    def _tick(self, namespace: str) -> None:
        pods = self._api.call("GET", f"/api/v1/namespaces/{namespace}/pods")["items"]
        alive = [pod for pod in pods if (pod.get("status") or {}).get("phase") not in {"Succeeded", "Failed"}]
        self.most_alive = max(self.most_alive, len(alive))
        for pod in pods:
            if pod["spec"].get("schedulingGates"):
                continue  # no scheduler would have bound it
            run = self.runs.get(pod["metadata"]["uid"]) or self._adopt(pod)
            try:
                self._advance(run, pod)
            except urllib.error.HTTPError as error:
                if error.code not in {404, 409}:
                    raise

    def _adopt(self, pod: Mapping[str, Any]) -> Run:
        metadata = pod["metadata"]
        container = pod["spec"]["containers"][0]
        environment = {entry["name"]: entry.get("value", "") for entry in container["env"]}
        parameters = json.loads(environment["HYPERPARAMETERS"])
        training = self._train(parameters, metadata["name"])
        run = Run(
            metadata["name"],
            metadata["namespace"],
            metadata["uid"],
            parameters,
            training,
            environment.get("TUNING_OBJECTIVE_METRIC", ""),  # not every Pod is a trial's
            container["name"],
        )
        self.runs[run.uid] = self._newest[run.namespace, run.name] = run
        if training.obstacle == "Unschedulable":
            message = "0/1 nodes are available: 1 Insufficient nvidia.com/gpu."
            condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
            self._status(run, {"phase": "Pending", "conditions": [condition]})
        elif not pod["spec"].get("nodeName"):
            binding = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": run.name}}
            self._call(run, "POST", "/binding", {**binding, "target": {"kind": "Node", "name": _NODE}})
        return run

    def _advance(self, run: Run, pod: Mapping[str, Any]) -> None:
        now, training = time.monotonic(), run.training
        if "deletionTimestamp" in pod["metadata"]:
            run.signalled = run.signalled or now
            if run.started is not None and run.ended is None:
                if now - run.signalled < training.lingers_seconds:
                    return
                self._end(run, 137 if training.lingers_seconds else 143)
            run.deleted = True
            self._call(run, "DELETE", "", {"gracePeriodSeconds": 0, "preconditions": {"uid": run.uid}})
        elif training.obstacle:
            if training.obstacle != "Unschedulable":
                self._patch(run, "Pending", {"waiting": {"reason": training.obstacle, "message": "it is not there"}})
        elif (pod.get("status") or {}).get("phase") == "Failed" and run.ended is None:
            run.ended = now  # somebody else has failed it, as when its node is lost
        elif run.started is None and now - run.created >= training.start_seconds:
            run.started = now
            self._patch(run, "Running", {"running": {"startedAt": _now(training.clock_ahead)}})
        elif run.ended is None and run.is_done():
            self._end(run, run.training.exit_code)

    def _end(self, run: Run, exit_code: int) -> None:
        run.ended = time.monotonic()
        training = run.training
        started = datetime.now(UTC).timestamp() - (run.ended - (run.started or run.ended)) + training.clock_ahead
        terminated = {
            "exitCode": exit_code,
            "reason": training.reason or ("Completed" if exit_code == 0 else "Error"),
            "startedAt": _time(started),
            "finishedAt": _now(training.clock_ahead),
            "message": run.message(),
        }
        self._patch(run, "Succeeded" if exit_code == 0 else "Failed", {"terminated": terminated})

    def _patch(self, run: Run, phase: str, state: Mapping[str, Any]) -> None:
        container = {
            "name": run.container,
            "state": dict(state),
            "ready": "running" in state,
            "started": "running" in state,
            "restartCount": 0,
            "image": "test",
            "imageID": "test",
        }
        self._status(run, {"phase": phase, "podIP": "127.0.0.1", "containerStatuses": [container]})

    def _status(self, run: Run, status: Mapping[str, Any]) -> None:
        self._call(run, "PATCH", "/status", {"status": status}, kind="application/merge-patch+json")

    def _call(self, run: Run, method: str, rest: str, body: Any, kind: str = "application/json") -> Any:
        path = f"/api/v1/namespaces/{run.namespace}/pods/{run.name}{rest}"
        return self._api.call(method, path, body, kind=kind)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        kubelet = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"  # a connection and a thread for each target, not for each scrape
            answered: tuple[Run, int] | None = None

            def do_GET(self) -> None:
                if self.answered:  # asked again on this connection: Prometheus was not too late for the answer
                    before, epochs = self.answered
                    before.known = max(before.known, epochs)
                run = kubelet._training(*self.path.removeprefix("/").split("/"))
                self.answered = (run, run.epochs()) if run is not None else None
                page = None if run is None else run.page()
                body = (page or "").encode()
                with contextlib.suppress(BrokenPipeError):  # Prometheus waits no longer than a scrape interval
                    self.send_response(200 if page is not None else 404)
                    self.send_header("Content-Type", "text/plain; version=0.0.4")
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Keep the test's output clean."""

        return Handler

    def _training(self, namespace: str, pod: str) -> Run | None:
        run = self._newest.get((namespace, pod))
        return run if run is not None and run.started is not None and run.ended is None else None


def _now(ahead: float = 0) -> str:
    return _time(datetime.now(UTC).timestamp() + ahead)


def _time(timestamp: float) -> str:
    return datetime.fromtimestamp(timestamp, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
