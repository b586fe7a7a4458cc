"""The console on a laptop: with the kubeconfig's credentials, for the browser that it opens, on 127.0.0.1 alone."""

from __future__ import annotations

import asyncio
import ssl
import sys
import webbrowser
from typing import TYPE_CHECKING, Any

from kubernetes import client, config

from tuning_console import files
from tuning_console.access import AUTHORIZATION, LocalAccess
from tuning_console.run import api_server, serving, until_stopped
from tuning_console.server import Console

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_HOST = "127.0.0.1"


class Kubeconfig:
    """A context of a kubeconfig: where its API server is, and how it is asked.

    Args:
        path: the file; default: `$KUBECONFIG` or `~/.kube/config`.
        context: default: the current one.
    """

    def __init__(self, path: str | None = None, context: str | None = None) -> None:
        contexts, current = config.list_kube_config_contexts(path)
        named = next((item for item in contexts if item["name"] == context), None) if context else current
        if named is None:
            raise config.ConfigException(f"there is no context {context!r} in the kubeconfig")
        self._api = client.Configuration()
        config.load_kube_config(path, named["name"], client_configuration=self._api)
        self.url: str = self._api.host
        self.about = {
            "context": named["name"],
            "server": self.url,
            "namespace": named["context"].get("namespace") or "default",
        }

    def tls(self) -> ssl.SSLContext:
        """Whom to trust, and the certificate to show if there is one."""
        trusted = ssl.create_default_context(cafile=self._api.ssl_ca_cert)
        if not self._api.verify_ssl:
            trusted.check_hostname, trusted.verify_mode = False, ssl.CERT_NONE
        if self._api.cert_file:
            trusted.load_cert_chain(self._api.cert_file, self._api.key_file)
        return trusted

    async def headers(self) -> Mapping[str, str]:
        """The credentials of the moment: a token that has run out is renewed as the kubeconfig says."""
        # It may start a program, as kubeconfigs of cloud providers do.
        settings = await asyncio.to_thread(self._api.auth_settings)
        given = next((setting["value"] for setting in settings.values() if setting["value"]), None)
        return {AUTHORIZATION: given} if given else {}


async def serve(kubeconfig: Kubeconfig, pages: dict[str, files.File], port: int, show: Callable[[str], Any]) -> None:
    """Serve until a signal comes.

    Args:
        kubeconfig: whose credentials are used.
        pages: the built pages.
        port: 0 for any.
        show: gets the address with the one-time secret, once the console listens.
    """
    async with api_server(kubeconfig.url, kubeconfig.tls()) as upstream:
        access = LocalAccess(kubeconfig.headers, kubeconfig.about)
        async with serving(Console(upstream, access, pages), _HOST, port) as access.port:
            show(f"http://{_HOST}:{access.port}/#secret={access.secret}")
            await until_stopped()


def run(kubeconfig: str | None, context: str | None, port: int, *, open_browser: bool) -> int:
    """Serve the console for one person; returns the exit code."""

    def show(address: str) -> None:
        sys.stdout.write(f"The console is at {address}\nThe link works once. Ctrl+C ends the console.\n")
        sys.stdout.flush()
        if open_browser:
            webbrowser.open(address)

    try:
        asyncio.run(serve(Kubeconfig(kubeconfig, context), files.load(), port, show))
    except (config.ConfigException, files.NotBuiltError, OSError) as error:
        sys.stderr.write(f"tuning-client console: {error}\n")
        return 1
    return 0
