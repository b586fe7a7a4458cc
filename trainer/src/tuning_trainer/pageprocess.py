"""The metrics page as the training sees it: a separate process that serves the page, and a pipe that feeds it."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import warnings
from pathlib import Path

# Without `site` and the user's settings: what an image has start with each interpreter can take seconds.
PROGRAM = (
    "import sys; sys.path.append(sys.argv[1]); from tuning_trainer.serving import main; "
    "main(int(sys.argv[2]), sys.argv[3])"
)


class PageProcess:
    """Serves the page (`serving.py`) while the training computes; what fails here never ends the training."""

    def __init__(self, port: int, objective: str) -> None:
        """Open the port, and start the process that serves on it: clients that connect before it is there wait.

        Args:
            port: where to serve; 0 for any free port.
            objective: the metric whose values stay on the page longest; empty for none.
        """
        self._port = port
        self._trouble: OSError | None = None
        self._process: subprocess.Popen[str] | None = None
        try:
            self._process = self._started(objective)
        except OSError as error:
            self._trouble = error

    def _started(self, objective: str) -> subprocess.Popen[str]:
        with _listener(self._port) as listener:
            self._port = listener.getsockname()[1]
            descriptor = listener.fileno()
            arguments = [str(Path(__file__).parent.parent), str(descriptor), objective]
            return subprocess.Popen(  # noqa: S603 - this interpreter, our own module
                [sys.executable, "-I", "-S", "-X", "utf8", "-c", PROGRAM, *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                pass_fds=[descriptor],
                encoding="utf-8",
            )

    @property
    def port(self) -> int:
        """The port that the page is served on.

        Raises:
            OSError: it cannot be served on.
        """
        if self._trouble is not None:
            raise OSError(
                f"cannot serve metrics on port {self._port}: {self._trouble.strerror}. If another process of this "
                f"training reports: in distributed training only rank 0 reports. If it is another program's: "
                f"TUNING_METRICS_PORT chooses another port"
            ) from self._trouble
        return self._port

    def send(self, *words: object) -> None:
        """Send a line of words; without effect if nothing serves."""
        if self._process is None or self._process.stdin is None:
            return
        try:
            self._process.stdin.write("\t".join(map(str, words)) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            warnings.warn(
                "the metrics page has died: epochs are kept in the termination message only",
                RuntimeWarning,
                stacklevel=4,
            )

    def kill(self) -> None:
        """End the process at once. Safe in a signal handler: leaves the pipe alone."""
        if self._process is not None:
            self._process.kill()

    def wait(self) -> None:
        """Wait until the process has ended: it keeps the time that `send("finish", …)` allowed."""
        if self._process is None:
            return
        self._process.wait()
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()


def _listener(port: int) -> socket.socket:
    """Listen on all addresses, of IPv4 and, where there is one, IPv6."""
    return socket.create_server(
        ("", port),
        family=socket.AF_INET6 if socket.has_dualstack_ipv6() else socket.AF_INET,
        dualstack_ipv6=socket.has_dualstack_ipv6(),
        backlog=128,
    )
