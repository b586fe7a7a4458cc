"""Trains nothing: replays a recorded learning curve, an epoch after each pause. Runs in the trainer's image.

The hyperparameter `run` says which curve of the file `curves`, `epoch_seconds` how long an epoch takes. Its checkpoint,
where it has a folder for one, is the number of epochs that it has done.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

from tuning_trainer import report

FOLDER = Path(__file__).parent


def main() -> None:
    """Report the curve to its end."""
    chosen = json.loads(os.environ["HYPERPARAMETERS"])
    curve = json.loads((FOLDER / f"{chosen['curves']}.json").read_text())[int(chosen["run"])]
    folder = os.environ.get("TUNING_CHECKPOINT_DIR")
    checkpoint = Path(folder, "epochs") if folder else None
    done = int(checkpoint.read_text()) if checkpoint and checkpoint.exists() else 0
    for epoch, value in enumerate(curve, start=1):
        if epoch > done:
            time.sleep(float(chosen["epoch_seconds"]))
            if checkpoint:
                checkpoint.parent.mkdir(parents=True, exist_ok=True)
                checkpoint.write_text(str(epoch))
        report(epoch, {"validation:accuracy": value})


if __name__ == "__main__":
    main()
