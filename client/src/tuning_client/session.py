"""The one place that talks to a cluster: one context and one namespace, chosen at the start and never left."""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from kubernetes import client, config
from urllib3.exceptions import HTTPError

from tuning_client.errors import NotFoundError, TuningError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

GROUP, VERSION = "tuning-operator.dev", "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
JOB_KIND, JOBS, TRIALS = "HyperparameterTuningJob", "tuningjobs", "tuningtrials"
_IN_CLUSTER_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
_TIMEOUT_SECONDS = 30
_SERVER_ERRORS = HTTPStatus.INTERNAL_SERVER_ERROR
_UNREADABLE = (OSError, yaml.YAMLError, AttributeError, KeyError, TypeError, ValueError)
"""What the official client raises for a file that is no kubeconfig."""


class Session:
    """Access to the tuning jobs of one namespace.

    Args:
        namespace: default: the context's, or of the service account inside a cluster.
        context: context of the kubeconfig; default: the current one.
        kubeconfig: file; default: `$KUBECONFIG` or `~/.kube/config`, and where there is none the service account of the
            Pod that this runs in.

    Raises:
        TuningError: neither a kubeconfig nor a service account can be used.
    """

    def __init__(
        self,
        namespace: str | None = None,
        *,
        context: str | None = None,
        kubeconfig: str | os.PathLike[str] | None = None,
    ) -> None:
        self._api, default = _connect(context, kubeconfig)
        self.namespace = namespace or default
        self._objects = client.CustomObjectsApi(self._api)
        self._core = client.CoreV1Api(self._api)

    def __repr__(self) -> str:
        return f"Session(namespace={self.namespace!r}) at {self._api.configuration.host}"

    def create_job(self, manifest: Mapping[str, Any]) -> dict[str, Any]:
        """Create a HyperparameterTuningJob; unknown fields are refused, not ignored."""
        with self._errors():
            return self._objects.create_namespaced_custom_object(
                **self._resource(JOBS), body=manifest, field_validation="Strict", _request_timeout=_TIMEOUT_SECONDS
            )

    def delete_job(self, name: str, uid: str) -> None:
        """Delete a HyperparameterTuningJob with all that it owns, if it is still the one with this uid."""
        with self._errors():
            self._objects.delete_namespaced_custom_object(
                **self._resource(JOBS),
                name=name,
                body=client.V1DeleteOptions(preconditions=client.V1Preconditions(uid=uid)),
                _request_timeout=_TIMEOUT_SECONDS,
            )

    def create_config_map(self, body: Mapping[str, Any]) -> None:
        """Create a ConfigMap."""
        with self._errors():
            self._core.create_namespaced_config_map(
                self.namespace, body, field_validation="Strict", _request_timeout=_TIMEOUT_SECONDS
            )

    def jobs(self, *, all_namespaces: bool = False) -> list[dict[str, Any]]:
        """List the HyperparameterTuningJobs of the namespace, or of all namespaces, by namespace and name."""
        with self._errors():
            if all_namespaces:
                found = self._objects.list_cluster_custom_object(
                    GROUP, VERSION, JOBS, _request_timeout=_TIMEOUT_SECONDS
                )
            else:
                found = self._objects.list_namespaced_custom_object(
                    **self._resource(JOBS), _request_timeout=_TIMEOUT_SECONDS
                )
        return sorted(found["items"], key=lambda job: (job["metadata"]["namespace"], job["metadata"]["name"]))

    def log(self, pod: str, container: str, *, follow: bool = False, tail: int | None = None) -> Iterator[bytes]:
        """Read what a container has written, piece by piece; with `follow` until it ends."""
        options: dict[str, Any] = {} if tail is None else {"tail_lines": tail}
        timeout = (_TIMEOUT_SECONDS, None if follow else _TIMEOUT_SECONDS)
        with self._errors():
            answer = self._core.read_namespaced_pod_log(
                pod,
                self.namespace,
                container=container,
                follow=follow,
                _preload_content=False,
                _request_timeout=timeout,
                **options,
            )
            try:
                yield from answer.stream()
            finally:
                answer.release_conn()

    def job(self, name: str) -> dict[str, Any]:
        """Read a HyperparameterTuningJob."""
        return self._get(JOBS, name)

    def patch_job(self, name: str, patch: Mapping[str, Any]) -> dict[str, Any]:
        """Change fields of a HyperparameterTuningJob by a JSON merge patch."""
        with self._errors():
            return self._objects.patch_namespaced_custom_object(
                **self._resource(JOBS),
                name=name,
                body=patch,
                field_validation="Strict",
                _content_type="application/merge-patch+json",
                _request_timeout=_TIMEOUT_SECONDS,
            )

    def trial(self, name: str) -> dict[str, Any]:
        """Read a TuningTrial."""
        return self._get(TRIALS, name)

    def trials(self, job: Mapping[str, Any]) -> list[dict[str, Any]]:
        """List the TuningTrials of a job by their numbers; those of an earlier job of its name are left out."""
        metadata = job["metadata"]
        with self._errors():
            found = self._objects.list_namespaced_custom_object(
                **self._resource(TRIALS),
                label_selector=f"{GROUP}/job={metadata['name']}",
                _request_timeout=_TIMEOUT_SECONDS,
            )["items"]
        owned = [trial for trial in found if _has_owner(trial, metadata["uid"])]
        return sorted(owned, key=lambda trial: int(trial["spec"]["number"]))

    def _get(self, plural: str, name: str) -> dict[str, Any]:
        with self._errors():
            return self._objects.get_namespaced_custom_object(
                **self._resource(plural), name=name, _request_timeout=_TIMEOUT_SECONDS
            )

    def _resource(self, plural: str) -> dict[str, str]:
        return {"group": GROUP, "version": VERSION, "namespace": self.namespace, "plural": plural}

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except client.ApiException as error:
            raise explain(error, self.namespace) from None
        except (HTTPError, OSError) as error:
            host = self._api.configuration.host
            raise UnavailableError(f"{host} does not answer: {error}; check the context and the network") from error


def _connect(context: str | None, kubeconfig: str | os.PathLike[str] | None) -> tuple[client.ApiClient, str]:
    """A client and its default namespace."""
    # The official client reads KUBECONFIG when it is imported, which in a notebook is too early.
    chosen = os.fspath(kubeconfig) if kubeconfig else os.environ.get("KUBECONFIG")
    try:
        if chosen or context or Path(config.KUBE_CONFIG_DEFAULT_LOCATION).expanduser().exists():
            contexts, current = config.list_kube_config_contexts(chosen)
            named = next((item for item in contexts if item["name"] == context), None) if context else current
            if named is None:
                names = ", ".join(item["name"] for item in contexts)
                raise TuningError(f"there is no context {context!r} in the kubeconfig; it has: {names}")
            api = config.new_client_from_config(chosen, named["name"])
            return api, named["context"].get("namespace") or "default"
        configuration = client.Configuration()
        config.load_incluster_config(client_configuration=configuration)
        return client.ApiClient(configuration), _IN_CLUSTER_NAMESPACE.read_text().strip()
    except config.ConfigException as error:
        raise TuningError(
            f"no cluster to talk to: {error}; set KUBECONFIG, or give kubeconfig= and context= to Session"
        ) from error
    except _UNREADABLE as error:
        raise TuningError(
            f"the kubeconfig {chosen or config.KUBE_CONFIG_DEFAULT_LOCATION} cannot be read: {error}; "
            "try kubectl config view, or give another one as kubeconfig= to Session"
        ) from error


def _has_owner(body: Mapping[str, Any], uid: str) -> bool:
    return any(owner["uid"] == uid for owner in body["metadata"].get("ownerReferences") or ())


def explain(error: client.ApiException, namespace: str) -> TuningError:
    """Turn a refusal into the API server's own words with what to do."""
    try:
        said = json.loads(error.body)["message"]
    except (TypeError, ValueError, KeyError):
        said = None
    status = error.status or 0
    if status == HTTPStatus.NOT_FOUND and said is None:
        return TuningError(
            f"the API server does not know {JOBS}.{GROUP}: install the operator's chart there, or use another context"
        )
    if status == HTTPStatus.NOT_FOUND:
        return NotFoundError(f"{said} in namespace {namespace}: check name, namespace and context")
    if status < HTTPStatus.BAD_REQUEST or status == HTTPStatus.TOO_MANY_REQUESTS or status >= _SERVER_ERRORS:
        return UnavailableError(f"the API server could not answer: {said or error.reason}; try again later")
    remedies: dict[int, str] = {
        HTTPStatus.UNAUTHORIZED: "log in again",
        HTTPStatus.FORBIDDEN: f"ask for the role edit in namespace {namespace}, which the operator's chart extends",
        HTTPStatus.CONFLICT: "choose another name, or omit it to get one with the time in it",
    }
    remedy = remedies.get(status)
    return TuningError(f"{said or error.reason}: {remedy}" if remedy else said or str(error))
