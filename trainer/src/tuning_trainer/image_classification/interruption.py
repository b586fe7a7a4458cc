"""SIGTERM: at once while a run gets ready, after the current step while it trains."""

from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING

from tuning_trainer.reporting import EXIT_TERMINATED

if TYPE_CHECKING:
    from types import FrameType


class Interruption:
    """Takes SIGTERM from its creation on. Before `training` is set there is nothing to save: the signal exits."""

    def __init__(self) -> None:
        self.requested = False
        self.training = False
        signal.signal(signal.SIGTERM, self._take)

    def _take(self, _: int, __: FrameType | None) -> None:
        self.requested = True
        if not self.training:
            sys.exit(EXIT_TERMINATED)
