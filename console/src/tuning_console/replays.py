"""Has a job replayed under another early stopping rule, in a process that a time limit ends.

The rules are the operator's own; an extra of this distribution brings them.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, cast

from tuning_console import bodies
from tuning_console.errors import ConsoleError
from tuning_console.upstream import MAX_ANSWER

if TYPE_CHECKING:
    from asyncio import StreamReader, StreamWriter
    from collections.abc import AsyncIterator, Iterator

    from tuning_console.bodies import Body

SECONDS = 60.0
_WAITING = 8
_MAX_RULE = 2_000
_COMMAND = (sys.executable, "-m", "tuning_console.replay")
# One thread: the arrays are small, and other replays need the processors.
_ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


def parse_rule(text: str) -> Body:
    """Take a rule as it is in a job, in JSON; whether it makes sense the replay says.

    Raises:
        ConsoleError: It is not an object.
    """
    try:
        rule = json.loads(text[:_MAX_RULE])
    except (ValueError, RecursionError):
        rule = None
    if not isinstance(rule, dict):
        raise _refusal('the query has no rule: add one in JSON, such as rule={"type":"Median"}')
    return rule


@dataclass
class Replays:
    """Replays, one at a time, and one of each caller.

    Attributes:
        seconds: how long one may take.
        command: what replays.
    """

    seconds: float = SECONDS
    command: tuple[str, ...] = _COMMAND
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    _callers: set[str] = field(default_factory=set)

    @property
    def waiting(self) -> int:
        """How many callers wait for theirs, the running one included."""
        return len(self._callers)

    async def run(self, caller: str, rule: Body, job: Body, pages: AsyncIterator[Body]) -> Body:
        """Replay a job.

        Args:
            caller: whose turn it takes.
            rule: as in `spec.earlyStopping`, or `spec.hyperband` with the type Hyperband.
            job: as the API server has it.
            pages: its trials, in pages of a list.

        Raises:
            ConsoleError: the rule is not understood, the job is too large, or others wait already.
        """
        with self._place(caller):
            async with self._turn:
                answer = await self._replayed(rule, job, pages)
        if "result" in answer:
            return dict(answer["result"])
        if not answer["installed"]:
            raise ConsoleError(HTTPStatus.NOT_IMPLEMENTED, f"this console has no rules to replay: {answer['error']}")
        raise _refusal(answer["error"])

    @contextlib.contextmanager
    def _place(self, caller: str) -> Iterator[None]:
        if caller in self._callers:
            raise ConsoleError(HTTPStatus.TOO_MANY_REQUESTS, "another replay of yours still runs: wait for it")
        if len(self._callers) >= _WAITING:
            raise ConsoleError(HTTPStatus.TOO_MANY_REQUESTS, f"{_WAITING} replays wait already: try again later")
        self._callers.add(caller)
        try:
            yield
        finally:
            self._callers.discard(caller)

    async def _replayed(self, rule: Body, job: Body, pages: AsyncIterator[Body]) -> Any:
        process = await asyncio.create_subprocess_exec(
            *self.command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env=os.environ | _ENVIRONMENT,
        )
        try:
            async with asyncio.timeout(self.seconds):
                return await _asked(process, _lines(rule, job, pages))
        except TimeoutError:
            message = f"the replay took more than {self.seconds:g} s and was ended: {_ELSEWHERE}"
            raise ConsoleError(HTTPStatus.GATEWAY_TIMEOUT, message) from None
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()


async def _asked(process: asyncio.subprocess.Process, lines: AsyncIterator[bytes]) -> Any:
    questions, answers = cast("StreamWriter", process.stdin), cast("StreamReader", process.stdout)
    # It may end early, and says why on its other stream.
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        async for line in lines:
            questions.write(line)
            await questions.drain()
    questions.close()
    answer = await answers.read()
    if not answer:
        raise _refusal(f"the replay failed, probably for lack of memory: {_ELSEWHERE}")
    return json.loads(answer)


async def _lines(rule: Body, job: Body, pages: AsyncIterator[Body]) -> AsyncIterator[bytes]:
    size = 0
    for body in (rule, job):
        yield json.dumps(body).encode() + b"\n"
    async for page in pages:
        for trial in bodies.owned(page["items"], job["metadata"]["uid"]):
            line = json.dumps(bodies.manifest(trial)).encode() + b"\n"
            size += len(line)
            if size > MAX_ANSWER:
                raise _refusal(f"the job's trials are larger than {MAX_ANSWER >> 20} MiB: {_ELSEWHERE}")
            yield line


_ELSEWHERE = "use `kubectl tuning what-if`, which has no limits"


def _refusal(message: str) -> ConsoleError:
    return ConsoleError(HTTPStatus.UNPROCESSABLE_ENTITY, message)
