"""`report()` and the `Reporter` behind it: every epoch on the metrics page and in the termination message.

A separate process serves the page (`pageprocess.py`); this module decides when it starts, what it shows and how
training ends.
"""

from __future__ import annotations

import atexit
import json
import math
import os
import signal
import sys
import threading
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Self, SupportsFloat, SupportsIndex

from tuning_trainer.environment import check_rank, number_from
from tuning_trainer.history import History, epoch_text, same
from tuning_trainer.lastwords import watch_exit, words_of
from tuning_trainer.models import keep_model
from tuning_trainer.pageprocess import PageProcess
from tuning_trainer.termination import MAX_BYTES, termination_message, write_message

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import FrameType, TracebackType

DEFAULT_PORT = 9464
DEFAULT_FINISH_TIMEOUT = 30.0
DEFAULT_TERMINATION_LOG = Path("/dev/termination-log")
# How long a failed run waits for its last page to be fetched: its curve is of little use.
FAILED_SECONDS = 2.0
# How often, at most, the termination message is written during training.
MESSAGE_SECONDS = 1.0
EXIT_TERMINATED = 128 + signal.SIGTERM


class Reporter:
    """Publishes the metrics of one training run.

    Use it as a context manager, or use `report()`, which keeps one for the process. Training whose termination message
    has no room for all epochs waits at its end until everybody who fetched the page has the finished one; training that
    fails waits two seconds; SIGTERM ends the process with code 143 and waits for nothing (unless the program handles
    the signal itself). A run that is killed outright still leaves a termination message, at most a second old.

    Attributes:
        is_called: the training calls `report` itself.
    """

    def __init__(self, port: int | None = None, finish_timeout: float | None = None) -> None:
        """Start to serve the page.

        Args:
            port: where to serve; 0 for any free port. Default: TUNING_METRICS_PORT, else 9464.
            finish_timeout: longest wait at the end, in seconds. Default: TUNING_FINISH_TIMEOUT, else 30.

        Raises:
            ValueError: an environment variable has no number, or one out of bounds.
            RuntimeError: this is not the process with rank 0.
            OSError: the port cannot be served on; found by the first report.
        """
        check_rank(os.environ)
        if port is None:
            port = int(number_from("TUNING_METRICS_PORT", DEFAULT_PORT, most=65535, whole=True))
        if finish_timeout is None:
            finish_timeout = number_from("TUNING_FINISH_TIMEOUT", DEFAULT_FINISH_TIMEOUT, most=3600)
        self._finish_timeout = finish_timeout
        self._message_bytes = int(number_from("TUNING_TERMINATION_BYTES", MAX_BYTES, most=1 << 20, whole=True))
        self._expected = bool(os.environ.get("TUNING_TRIAL"))
        self._objective = os.environ.get("TUNING_OBJECTIVE_METRIC")
        log = os.environ.get("TUNING_TERMINATION_LOG")
        self._log: Path | None = Path(log) if log else DEFAULT_TERMINATION_LOG
        self._create_log = bool(log)
        self._history = History()
        self.is_called = False
        self._error = ""
        self._notes: dict[str, int | str] = {}
        # Reentrant: the signal handler runs in the thread that may hold it.
        self._lock = threading.RLock()
        self._message_due = -math.inf
        self._is_written = True
        self._owner = os.getpid()
        self._closed = False
        self._page = PageProcess(port, self._objective or "")
        self._handle_sigterm()

    @property
    def port(self) -> int:
        """The port that the page is served on.

        Raises:
            OSError: it cannot be served on.
        """
        return self._page.port

    @property
    def completed(self) -> int:
        """How many epochs were reported."""
        return len(self._history)

    @property
    def message_is_complete(self) -> bool:
        """Whether the termination message could be written, and has room for all that was reported."""
        return self._log is not None and not json.loads(self._message() or '{"thinned": true}')["thinned"]

    def report(self, epoch: SupportsIndex, metrics: Mapping[str, SupportsFloat | SupportsIndex]) -> None:
        """Publish the metrics of an epoch that is over. Threads may report at the same time.

        Args:
            epoch: counted from 1, without gaps.
            metrics: values by name; a value may be NaN or infinite, and is final.

        Raises:
            TypeError: the epoch is not an integer, a metric's name not a string, or its value not a number.
            ValueError: a reported value would change; an epoch is missing; a name is out of bounds.
            RuntimeError: training has been declared over, or this is another process than the reporter's.
            OSError: the port cannot be served on.
        """
        self._check_owner()
        with self._lock:
            if self._closed:
                raise RuntimeError(f"epoch {epoch} was reported after the end of training")
            _ = self.port
            self.is_called = True
            self._publish(*self._history.add(epoch, metrics))

    def place(self, epoch: float, metrics: Mapping[str, float]) -> dict[str, float]:
        """Publish what a log says of an epoch: `History.place`. Where the page cannot be served, in the message alone.

        Returns:
            What was known of these metrics with another value, which stays.

        Raises:
            ValueError: the epoch is out of bounds, or there are too many.
            RuntimeError: this is another process than the reporter's.
        """
        self._check_owner()
        with self._lock:
            number, new = self._history.place(epoch, metrics)
            self._publish(number, new)
            known = {name: self._history.value(number, name) for name in metrics}
        return {name: was for name, was in known.items() if was is not None and not same(was, metrics[name])}

    def note(self, log: Mapping[str, int | str]) -> None:
        """Add to the termination message how the log was read."""
        with self._lock:
            self._is_written = self._is_written and self._notes == log
            self._notes = dict(log)
            self._write_when_due()

    def close(self, *, wait: float | None = None, error: str = "") -> None:
        """Declare the training over: write the termination message and see the finished page fetched.

        Args:
            wait: the longest to wait for that, in seconds. Default: the finish timeout. Where a tuner reads all of it
                in the termination message it is not waited for.
            error: the last words of a training that failed.
        """
        if os.getpid() != self._owner:
            return
        with self._lock:
            if not self._closed:
                self._closed, self._error = True, error
                self._write_message()
                if self._expected and self._is_read() and self.message_is_complete:
                    wait = 0
                cap = self._finish_timeout if wait is None else min(wait, self._finish_timeout)
                if len(self._history) and cap > 0:
                    self._page.send("finish", cap, int(self._expected))
                else:
                    self._page.kill()
        # Not under the lock, so that SIGTERM can end the wait.
        self._page.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, SystemExit) and error.code == EXIT_TERMINATED:
            self.close(wait=0)
        elif error is None or (isinstance(error, SystemExit) and not error.code):
            self.close()
        else:
            self.close(wait=FAILED_SECONDS, error=words_of(error))

    def _check_owner(self) -> None:
        if os.getpid() != self._owner:
            raise RuntimeError("report() was called in a forked process: report from the one that started reporting")

    def _publish(self, epoch: float, new: Mapping[str, float]) -> None:
        for name, value in new.items():
            self._page.send(len(self._history), epoch_text(epoch), name, value)
            self._is_written = False
        self._write_when_due()

    def _message(self) -> bytes:
        return termination_message(
            self._history, self._objective, self._message_bytes, error=self._error, log=self._notes
        )

    def _is_read(self) -> bool:
        """Whether the termination message is where the kubelet reads it: a separate file in the container."""
        return self._log is not None and (self._log == DEFAULT_TERMINATION_LOG or os.path.ismount(self._log))

    def _write_when_due(self) -> None:
        if not self._is_written and time.monotonic() >= self._message_due:
            self._write_message()

    def _write_message(self) -> None:
        """Write the history, if there is one and a reader for it. Safe in a signal handler."""
        if self._log is None or not (len(self._history) or self._notes):
            return
        self._message_due = time.monotonic() + MESSAGE_SECONDS
        self._is_written = True
        try:
            write_message(self._log, self._message(), create=self._create_log)
        except OSError as error:
            # Outside Kubernetes there is no such file, and nobody asked for one.
            if self._create_log:
                warnings.warn(f"cannot write the termination message: {error}", RuntimeWarning, stacklevel=2)
            self._log = None

    def _handle_sigterm(self) -> None:
        """Handle the signal unless the program does: the first process of a container ignores it otherwise."""
        if (
            threading.current_thread() is not threading.main_thread()
            or signal.getsignal(signal.SIGTERM) != signal.SIG_DFL
        ):
            return

        def terminate(number: int, _: FrameType | None) -> None:
            if os.getpid() != self._owner:
                # A forked worker of a data loader has inherited this handler; it just dies.
                signal.signal(number, signal.SIG_DFL)
                os.kill(os.getpid(), number)
                return
            if self._closed:
                # Training is over and only the wait is left: end that, and let the exit code be training's.
                self._page.kill()
                return
            # Another thread may be writing. This one may have been interrupted at it: the pipe is left alone.
            locked = self._lock.acquire(timeout=MESSAGE_SECONDS)
            self._closed = True
            self._write_message()
            if locked:
                self._lock.release()
            self._page.kill()
            sys.exit(EXIT_TERMINATED)

        signal.signal(signal.SIGTERM, terminate)


_default: Reporter | None = None
_default_lock = threading.Lock()


def report(
    epoch: SupportsIndex,
    metrics: Mapping[str, SupportsFloat | SupportsIndex],
    save: Callable[[Path], object] | None = None,
) -> None:
    """Publish the metrics of an epoch that is over: `Reporter.report`, with one reporter for the process.

    Args:
        epoch: counted from 1, without gaps.
        metrics: values by name.
        save: writes the model into a folder that it is given, as in
            `lambda folder: torch.save(model.state_dict(), folder / "model.pt")`. It is called before the epoch is
            published, where TUNING_MODEL_DIR wants models: `models.keep_model`.
    """
    reporter = process_reporter()
    if save is not None:
        keep_model(epoch, metrics, save)
    reporter.report(epoch, metrics)


def process_reporter() -> Reporter:
    """Return the reporter of this process, which says goodbye when the process ends."""
    global _default  # noqa: PLW0603 - one page for one process is the point
    with _default_lock:
        if _default is None:
            _default = Reporter()
            atexit.register(_close_at_exit, _default, watch_exit())
        return _default


def _close_at_exit(reporter: Reporter, exit_words: Callable[[], str]) -> None:
    # The interpreter keeps here what it printed a traceback of.
    uncaught: BaseException | None = getattr(sys, "last_value", None)
    if uncaught is None:
        reporter.close(error=exit_words())
    else:
        reporter.close(wait=FAILED_SECONDS, error=words_of(uncaught))
