"""Watches all trials and their Pods, so that a test can say what never happened."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from kubernetes import client, config, watch
from urllib3.exceptions import HTTPError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from types import TracebackType

JOB, TRIAL = "tuning-operator.dev/job", "tuning-operator.dev/trial"
GPU = "nvidia.com/gpu"


@dataclass
class PodHistory:
    """One Pod, from its creation on; times are of this process's monotonic clock."""

    name: str
    namespace: str
    job: str
    trial: str
    gpus: int
    created: float
    ended: float | None = None
    deleted: bool = False
    running: bool = False
    scheduling: list[str] = field(default_factory=list)


@dataclass
class TrialHistory:
    """One trial: every set of parameters that it was ever seen with, which should be one; and its messages."""

    name: str
    namespace: str
    job: str
    parameters: set[str] = field(default_factory=set)
    reasons: set[str] = field(default_factory=set)
    deleted: bool = False


class Recorder:
    """Records inside a `with` block.

    Args:
        kubeconfig: the test cluster's.
    """

    def __init__(self, kubeconfig: Path) -> None:
        self._api = config.new_client_from_config(str(kubeconfig))
        self._api.configuration.proxy = None
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._pods: dict[str, PodHistory] = {}
        self._trials: dict[str, TrialHistory] = {}
        self._most_gpus: dict[str, int] = {}
        core, custom = client.CoreV1Api(self._api), client.CustomObjectsApi(self._api)
        self._threads = [
            threading.Thread(target=self._follow, args=(core.list_pod_for_all_namespaces, self._see_pod), daemon=True),
            threading.Thread(target=self._follow, args=(self._list_trials(custom), self._see_trial), daemon=True),
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()
        self._api.close()

    def pods(self, namespace: str) -> list[PodHistory]:
        """All Pods of trials that there ever were, in the order of their creation."""
        with self._lock:
            return sorted(
                (pod for pod in self._pods.values() if pod.namespace == namespace), key=lambda pod: pod.created
            )

    def trials(self, namespace: str) -> list[TrialHistory]:
        """All trials that there ever were."""
        with self._lock:
            return sorted(
                (trial for trial in self._trials.values() if trial.namespace == namespace),
                key=lambda trial: trial.name,
            )

    def most_gpus(self, namespace: str) -> int:
        """The most GPUs that the namespace's running Pods held at the same time."""
        with self._lock:
            return self._most_gpus.get(namespace, 0)

    @staticmethod
    def _list_trials(custom: client.CustomObjectsApi) -> Callable[..., Any]:
        def list_trials(**options: Any) -> Any:
            return custom.list_cluster_custom_object("tuning-operator.dev", "v1alpha1", "tuningtrials", **options)

        # The watch looks at this for the type of what it gets: plain dictionaries.
        list_trials.__doc__ = custom.list_cluster_custom_object.__doc__
        return list_trials

    def _follow(self, listing: Callable[..., Any], see: Callable[[str, Mapping[str, Any]], None]) -> None:
        """Watch without a gap: each watch continues where the last one ended; the first starts with everything."""
        version: str | None = None
        options = {"label_selector": JOB, "timeout_seconds": 2, "allow_watch_bookmarks": True, "deserialize": False}
        while not self._stop.is_set():
            try:
                for event in watch.Watch().stream(listing, resource_version=version, **options):
                    version = event["object"]["metadata"]["resourceVersion"]
                    if event["type"] != "BOOKMARK":
                        see(event["type"], event["object"])
            except (client.ApiException, HTTPError, OSError):
                self._stop.wait(0.2)  # the API server is away for a moment

    def _see_pod(self, kind: str, body: Mapping[str, Any]) -> None:
        metadata, status, now = body["metadata"], body.get("status") or {}, time.monotonic()
        requests = (item.get("resources", {}).get("requests", {}) for item in body["spec"]["containers"])
        with self._lock:
            pod = self._pods.setdefault(
                metadata["uid"],
                PodHistory(
                    metadata["name"],
                    metadata["namespace"],
                    metadata["labels"][JOB],
                    metadata["labels"][TRIAL],
                    sum(int(request.get(GPU, 0)) for request in requests),
                    now,
                ),
            )
            pod.deleted |= kind == "DELETED"
            over = pod.deleted or status.get("phase") in {"Succeeded", "Failed"} or _all_terminated(status)
            pod.running = status.get("phase") == "Running" and not over
            if over and pod.ended is None:
                pod.ended = now
            for condition in status.get("conditions") or ():
                if condition["type"] == "PodScheduled" and condition["status"] == "False":
                    pod.scheduling.append(condition.get("message", ""))
            held = sum(
                other.gpus for other in self._pods.values() if other.running and other.namespace == pod.namespace
            )
            self._most_gpus[pod.namespace] = max(held, self._most_gpus.get(pod.namespace, 0))

    def _see_trial(self, kind: str, body: Mapping[str, Any]) -> None:
        metadata, status = body["metadata"], body.get("status") or {}
        with self._lock:
            trial = self._trials.setdefault(
                metadata["uid"], TrialHistory(metadata["name"], metadata["namespace"], metadata["labels"][JOB])
            )
            trial.deleted |= kind == "DELETED"
            trial.parameters.add(json.dumps(body["spec"], sort_keys=True))
            trial.reasons.add(f"{status.get('reason', '')}: {status.get('message', '')}")


def _all_terminated(status: Mapping[str, Any]) -> bool:
    """Whether the containers have ended; the Pod's phase follows a second later."""
    states = [item["state"] for item in status.get("containerStatuses") or ()]
    return bool(states) and all("terminated" in state for state in states)
