"""A console process, and a browser that can reach nothing but it."""

from __future__ import annotations

import json
import sys
from base64 import b64decode
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Page, sync_playwright

from cluster.api import answers
from cluster.ports import free_ports
from cluster.process import Process, start_on_free_ports

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CHROMIUM = "/usr/bin/chromium"
# Names lead nowhere: a page that wanted something from elsewhere would fail, and is noticed besides.
_FLAGS = ["--no-sandbox", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]


def token_of(kubeconfig: Path) -> str:
    return str(json.loads(kubeconfig.read_text())["users"][0]["user"]["token"])


def start_console(kubeconfig: Path, folder: Path) -> tuple[Process, str]:
    """The console as a Pod runs it, before a kubeconfig's API server, without its credentials; and its address."""
    cluster = json.loads(kubeconfig.read_text())["clusters"][0]["cluster"]
    authority = folder / "ca.crt"
    authority.write_bytes(b64decode(cluster["certificate-authority-data"]))

    def console() -> Process:
        (port,) = free_ports(1)
        flags = [
            f"--api-server={cluster['server']}",
            f"--ca-file={authority}",
            f"--port={port}",
            "--namespaces=research",
        ]
        command = [sys.executable, "-m", "tuning_console", *flags]
        return Process("console", command, folder / "console.log", lambda: answers(f"http://127.0.0.1:{port}/healthz"))

    process = start_on_free_ports(console)
    return process, f"http://127.0.0.1:{process.command[-2].rpartition('=')[2]}"


@contextmanager
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=_FLAGS)
        try:
            yield browser
        finally:
            browser.close()


class Visitor:
    """Somebody in front of their own page.

    Attributes:
        page: the browser's.
        url: the console's.
        foreign: addresses elsewhere that were asked for.
        errors: what the page complained of, but for refusals, which the browser lists by itself.
    """

    def __init__(self, browser: Browser, url: str, theme: str = "light") -> None:
        self._context = browser.new_context(
            viewport={"width": 1440, "height": 900},
            color_scheme="dark" if theme == "dark" else "light",
            timezone_id="America/New_York",
            locale="en-GB",
        )
        self.page: Page = self._context.new_page()
        self.url = url
        self.foreign: list[str] = []
        self.errors: list[str] = []
        self.page.on("request", lambda request: self._see(request.url))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", lambda said: self._hear(said.type, said.text))
        self.page.on("dialog", lambda dialog: self.errors.append(f"dialog: {dialog.message}"))

    def sign_in(self, token: str) -> None:
        self.page.goto(f"{self.url}/#/")
        self.page.get_by_label("Bearer token").fill(token)
        self.page.get_by_role("button", name="Sign in").click()
        self.page.get_by_role("heading", name="Jobs", exact=True).wait_for()

    def go(self, address: str) -> None:
        """Follow a link within the pages: the token lives in their memory."""
        self.page.evaluate("address => { location.hash = address }", address)

    def close(self) -> None:
        self._context.close()
        assert self.foreign == []
        assert self.errors == []

    def _see(self, address: str) -> None:
        parts = urlsplit(address)
        if parts.scheme not in ("data", "blob") and f"{parts.scheme}://{parts.netloc}" != self.url:
            self.foreign.append(address)

    def _hear(self, kind: str, text: str) -> None:
        if kind == "error" and "Failed to load resource" not in text:
            self.errors.append(text)
