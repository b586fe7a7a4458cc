"""Trains nothing: replays a recorded learning curve, an epoch after each pause. Runs in the trainer's image.

The hyperparameter `run` says which curve, `epoch_seconds` how long an epoch takes.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

from tuning_trainer import report

CURVES = Path(__file__).with_name("curves.json")


def main() -> None:
    """Report the curve to its end."""
    chosen = json.loads(os.environ["HYPERPARAMETERS"])
    curve = json.loads(CURVES.read_text())[int(chosen["run"])]
    for epoch, value in enumerate(curve, start=1):
        time.sleep(float(chosen["epoch_seconds"]))
        report(epoch, {"validation:accuracy": value})


if __name__ == "__main__":
    main()
