"""The process of the metrics page: it answers scrapes while training is busy, or holds the interpreter's lock.

A thread of the training would be cheaper, and answer nobody while a library computes with that lock held. So it is a
process, and one that costs little: it runs the interpreter without `site` and loads a few modules of the standard
library, which takes a third of the memory and a fifth of the start of a page by `http.server` and prometheus-client
(`python -m benchmarks.reporter`). `reporting.py` has opened the port before it starts, so that no scrape and no report
waits for it.

It reads lines, `2<tab>1<tab>validation:accuracy<tab>0.5` (epochs that are over, epoch, metric, value) and last
`finish<tab>30.0<tab>1` (the longest to wait, whether somebody is known to fetch the page). It ends when its input does,
or when everybody who fetched the page has the finished one (`scrapers.py`), or is unlikely to fetch it any more.
"""

from __future__ import annotations

import signal
import socket
import sys
import threading
import time

from tuning_trainer.page import OPEN_METRICS, TEXT, Page

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MAX_REQUEST = 16_384
REQUEST_SECONDS = 10.0
# How long a client may take to close its end after the page was sent; only then is it known to have it.
CLOSE_SECONDS = 5.0


def serve(listener: socket.socket, page: Page) -> None:
    """Answer whoever connects, each in a thread; ends when the listener is shut down."""
    while True:
        try:
            connection, (address, *_) = listener.accept()
        except OSError:
            if listener.fileno() < 0 or not listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                return
            time.sleep(0.1)  # too many open files, say: they will be fewer
            continue
        threading.Thread(target=answer, args=(connection, address, page), daemon=True).start()


def answer(connection: socket.socket, address: str, page: Page) -> None:
    """Send the page, and note when the client has received it. A client that disconnects is not an error."""
    began = time.monotonic()
    try:
        with connection:
            connection.settimeout(REQUEST_SECONDS)
            method, path, headers = _request(connection)
            if method != "GET" or path.partition("?")[0] != "/metrics":
                _send(connection, "404 Not Found", TEXT, "the page is /metrics\n")
                return
            # Read before rendering: a page that may lack the last epoch must not count as the final one.
            final = page.finished
            text, values = page.render(began)
            if "application/openmetrics-text" in headers.get("accept", ""):
                _send(connection, "200 OK", OPEN_METRICS, text + "# EOF\n")
            else:
                _send(connection, "200 OK", TEXT, text)
            connection.shutdown(socket.SHUT_WR)
            connection.settimeout(CLOSE_SECONDS)
            agent = headers.get("user-agent", "")
            # A kubelet's probe takes the page and keeps nothing of it.
            if connection.recv(1) == b"" and not agent.startswith("kube-probe/"):
                page.scrapers.fetched(f"{address} {agent}", began, final=final, values=values)
    except (OSError, ValueError):
        return


def _request(connection: socket.socket) -> tuple[str, str, Mapping[str, str]]:
    """Method, path and headers, whose names are in small letters.

    Raises:
        ValueError: it is not a request, or too long.
    """
    received = b""
    while b"\r\n\r\n" not in received:
        part = connection.recv(MAX_REQUEST)
        received += part
        if not part or len(received) > MAX_REQUEST:
            raise ValueError("no request")
    first, *lines = received.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
    method, path, _ = first.split(" ", 2)
    headers = {name.strip().lower(): text.strip() for name, _, text in (line.partition(":") for line in lines)}
    return method, path, headers


def _send(connection: socket.socket, status: str, kind: str, text: str) -> None:
    body = text.encode(errors="replace")
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    connection.sendall(head.encode() + body)


def follow(lines: Iterator[str], page: Page) -> None:
    """Feed the page from the training process; returns when that has gone, or when the end was fetched."""
    for line in lines:
        words = line.rstrip("\n").split("\t")
        if words[0] == "finish":
            page.finished = True
            page.scrapers.wait(time.monotonic(), cap=float(words[1]), expected=words[2] == "1")
            return
        completed, epoch, metric, value = words
        page.add(int(completed), epoch, metric, float(value))


def main(descriptor: int, objective: str) -> None:
    """Serve on a socket that listens until the training process is done with the page.

    Args:
        descriptor: the socket's.
        objective: the metric that a tuner reads; empty if unknown.
    """
    # Signals are for the training process, which decides how the end goes.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    page = Page(objective, time.monotonic())
    listener = socket.socket(fileno=descriptor)
    threading.Thread(target=serve, args=(listener, page), daemon=True).start()
    follow(sys.stdin, page)
