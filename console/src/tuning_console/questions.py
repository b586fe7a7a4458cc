"""All that is ever asked of the API server: get, list, watch, and the log of Pods."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Literal

from tuning_console.errors import ConsoleError

GROUP = "tuning-operator.dev"
_OURS = f"/apis/{GROUP}/v1alpha1"
_CORE = "/api/v1"
_NAME = re.compile(r"[a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?")
_TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
LOG_LINES = 2_000
LOG_BYTES = 512 * 1024

Verb = Literal["get", "list", "watch", "log"]


@dataclass(frozen=True)
class Question:
    """One GET request.

    Attributes:
        verb: what RBAC knows it as; `log` is `get` of `pods/log`.
        path: of the API server.
        query: its parameters.
        accept: the form of the answer.
    """

    verb: Verb
    path: str
    query: dict[str, str] = field(default_factory=dict)
    accept: str = "application/json"

    def with_query(self, **more: str) -> Question:
        """The same with more parameters."""
        return replace(self, query=self.query | more)

    def watched(self, resource_version: str, seconds: float) -> Question:
        """The same list, as a watch of changes after a resource version."""
        more = {
            "watch": "true",
            "resourceVersion": resource_version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(max(1, int(seconds))),
        }
        return replace(self, verb="watch", query=self.query | more)


def jobs(namespace: str | None) -> Question:
    """The jobs of a namespace, or of all."""
    return Question("list", f"{_OURS}{_in(namespace)}/tuningjobs")


def one_job(namespace: str, job: str) -> Question:
    """A job as a list of one: such a list can be watched."""
    return replace(jobs(namespace), query={"fieldSelector": f"metadata.name={checked(job)}"})


def job(namespace: str, name: str) -> Question:
    """A job."""
    return Question("get", f"{_OURS}{_in(namespace)}/tuningjobs/{checked(name)}")


def trials(namespace: str, job: str) -> Question:
    """The trials of a job."""
    query = {"labelSelector": f"{GROUP}/job={checked(job)}"}
    return Question("list", f"{_OURS}{_in(namespace)}/tuningtrials", query)


def trial_columns(namespace: str, job: str) -> Question:
    """The trials of a job as kubectl prints them: without their curves, so a hundredth of the size."""
    return replace(trials(namespace, job).with_query(includeObject="None"), accept=_TABLE)


def trial(namespace: str, name: str) -> Question:
    """A trial."""
    return Question("get", f"{_OURS}{_in(namespace)}/tuningtrials/{checked(name)}")


def pods(namespace: str, trial: str) -> Question:
    """The Pods of a trial, one for each attempt and node that is still there."""
    return Question("list", f"{_CORE}{_in(namespace)}/pods", {"labelSelector": f"{GROUP}/trial={checked(trial)}"})


def log(namespace: str, pod: str, container: str) -> Question:
    """The last lines of a container."""
    query = {"tailLines": str(LOG_LINES), "limitBytes": str(LOG_BYTES), "timestamps": "false"}
    if container:
        query["container"] = checked(container)
    # It is text, and yet the API server refuses to be asked for text.
    return Question("log", f"{_CORE}{_in(namespace)}/pods/{checked(pod)}/log", query, accept="*/*")


def events(namespace: str, kind: str, name: str) -> Question:
    """The Events about an object; by the core API, which the role `view` may read."""
    query = {"fieldSelector": f"involvedObject.kind={kind},involvedObject.name={checked(name)}"}
    return Question("list", f"{_CORE}{_in(namespace)}/events", query)


def checked(name: str) -> str:
    """A name that Kubernetes may have given: nothing else reaches a path or a selector."""
    if not _NAME.fullmatch(name):
        raise ConsoleError(HTTPStatus.BAD_REQUEST, f"{name[:80]!r} is not a Kubernetes name: check the address")
    return name


def _in(namespace: str | None) -> str:
    return "" if namespace is None else f"/namespaces/{checked(namespace)}"
