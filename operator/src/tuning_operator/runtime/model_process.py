"""A process that loads the model and answers requests one by one, point by point; it can be killed."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import Pipe
from typing import TYPE_CHECKING, Any

from tuning_operator.core.suggest import load, suggest_each
from tuning_operator.runtime.model_worker import End

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from multiprocessing.connection import Connection

    from tuning_operator.core.suggest import Suggestion, SuggestRequest

    Launch = Callable[[int], subprocess.Popen[bytes]]

LOAD_SECONDS = 120.0
"""Extra time for the first point of a fresh process: it imports PyTorch, on a machine that may be busy."""
MOST_ANSWERS = 1000
"""Answers after which a process is replaced, since its libraries do not release all memory."""


_COMMAND = "from tuning_operator.runtime.model_worker import main; main()"


def launch(descriptor: int) -> subprocess.Popen[bytes]:
    """Start a process that answers on a connection, which it inherits."""
    return subprocess.Popen(  # noqa: S603 - the command is our own
        [sys.executable, "-c", _COMMAND, str(descriptor)],
        pass_fds=[descriptor],
        stdin=subprocess.DEVNULL,
    )


class ModelError(Exception):
    """The model failed, or its process did; the message says how."""


class _Worker:
    """A running process, with the thread that waits for what it says."""

    def __init__(self, start: Launch) -> None:
        self._connection: Connection
        self._connection, theirs = Pipe()
        with theirs:
            self._process = start(theirs.fileno())
        self._thread = ThreadPoolExecutor(1, "model")
        self._thread.submit(self._connection.send, suggest_each)
        self.has_loaded = False
        self.answers = 0

    def load(self) -> None:
        """Have it import the model; it works on nothing else meanwhile."""
        self._thread.submit(self._connection.send, load)

    async def send(self, message: SuggestRequest | None, seconds: float) -> None:
        await self._call(self._connection.send, message, seconds=seconds)

    async def receive(self, seconds: float) -> Suggestion | End:
        message: Suggestion | End = await self._call(self._connection.recv, seconds=seconds)
        self.has_loaded = True
        return message

    async def _call(self, function: Callable[..., Any], *arguments: Any, seconds: float) -> Any:
        async with asyncio.timeout(seconds if self.has_loaded else seconds + LOAD_SECONDS):
            return await asyncio.get_running_loop().run_in_executor(self._thread, function, *arguments)

    @property
    def lives(self) -> bool:
        return self._process.poll() is None

    async def exit_code(self) -> int:
        """Wait for its end."""
        return await asyncio.to_thread(self._process.wait)

    def kill(self) -> None:
        """End it at once, which also ends a call under way."""
        self._process.kill()
        self._thread.submit(self._process.wait)
        self._thread.submit(self._connection.close)
        self._thread.shutdown(wait=False)


class ModelProcess:
    """A process that starts when it is first asked, and again after it has ended.

    Args:
        start: Starts a process that answers on the connection with a file descriptor.
    """

    def __init__(self, start: Launch = launch) -> None:
        self._start = start
        self._worker: _Worker | None = None

    @property
    def runs(self) -> bool:
        """Whether it has been started and has not ended."""
        return self._worker is not None and self._worker.lives

    def start(self) -> None:
        """Start it, if it does not run, and have it load the model ahead of the first question."""
        if not self.runs:
            self.end()
            self._worker = _Worker(self._start)
            self._worker.load()

    async def answer(
        self, request: SuggestRequest, seconds: float, go_on: Callable[[], bool] = lambda: True
    ) -> AsyncGenerator[Suggestion, None]:
        """Yield suggestions for the numbers of a request, each when it is computed.

        Args:
            request: The question.
            seconds: How long each suggestion may take before the process is killed.
            go_on: Asked after each suggestion; if it returns False the rest is left out.

        Raises:
            ModelError: The model failed, or its process died.
            TimeoutError: A suggestion took too long.
        """
        if not self.runs or (self._worker and self._worker.answers >= MOST_ANSWERS):
            self.end()
        worker = self._worker = self._worker or _Worker(self._start)
        message: Suggestion | End | None = None
        wanted = True
        try:
            await worker.send(request, seconds)
            while not isinstance(message := await worker.receive(seconds), End):
                if wanted:
                    yield message
                    wanted = go_on()
                    if not wanted:
                        await worker.send(None, seconds)
        except (EOFError, ConnectionError) as error:
            raise ModelError(f"the suggestion process died with exit code {await worker.exit_code()}") from error
        finally:
            if not isinstance(message, End):
                self.end()  # it is in the middle of an answer that nobody waits for
        worker.answers += 1
        if message.error:
            raise ModelError(f"the model failed: {message.error}") from RuntimeError(message.trace)

    def end(self) -> None:
        """End the process, if it runs."""
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.kill()
