"""The few calls to an API server that starting a cluster needs, with the standard library alone."""

from __future__ import annotations

import base64
import contextlib
import json
import ssl
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from http.client import HTTPResponse
    from pathlib import Path

_TIMEOUT_SECONDS = 5.0


class Api:
    """Calls with the credentials of a kubeconfig that `kubeconfig.write` made for a user with a token."""

    def __init__(self, kubeconfig: Path) -> None:
        config = json.loads(kubeconfig.read_text())
        cluster = config["clusters"][0]["cluster"]
        self.url: str = cluster["server"]
        self._token: str = config["users"][0]["user"]["token"]
        authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
        https = urllib.request.HTTPSHandler(context=ssl.create_default_context(cadata=authority))
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), https)

    def call(self, method: str, path: str, body: Any = None, *, kind: str = "application/json") -> Any:
        """Send one request and give its JSON answer; raises `urllib.error.HTTPError` or another `OSError`."""
        with self.open(path, None if body is None else json.dumps(body).encode(), method=method, kind=kind) as answer:
            return json.load(answer)

    def open(
        self,
        path: str,
        data: bytes | None = None,
        *,
        method: str | None = None,
        kind: str = "application/json",
        timeout: float = _TIMEOUT_SECONDS,
    ) -> HTTPResponse:
        """Send one request as it is, by default a POST if there is data, and give the answer; raises as `call`."""
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": kind}
        request = urllib.request.Request(self.url + path, data=data, method=method, headers=headers)
        answer: HTTPResponse = self._opener.open(request, timeout=timeout)
        return answer

    def exists(self, path: str) -> bool:
        """Whether the server has this object; raises `OSError` when it does not say."""
        try:
            self.call("GET", path)
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return False
            raise
        return True

    def ready(self) -> bool:
        """Whether the server says that it is ready; False as well when nobody answers."""
        with contextlib.suppress(OSError), self.open("/readyz") as answer:
            return answer.status == 200
        return False

    def flow_schema(self) -> str:
        """The uid of the FlowSchema by which the server takes this user's requests."""
        with self.open("/version") as answer:
            return str(answer.headers["X-Kubernetes-PF-FlowSchema-UID"])


def answers(url: str) -> bool:
    """Whether a plain HTTP server answers this URL with success."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with contextlib.suppress(OSError), opener.open(url, timeout=_TIMEOUT_SECONDS) as answer:
        return bool(answer.status == 200)
    return False
