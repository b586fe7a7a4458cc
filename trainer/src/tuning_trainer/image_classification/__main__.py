"""Entry point. Serves the metrics page and reads the hyperparameters before anything heavy is loaded."""

from __future__ import annotations

import contextlib
import os
import sys

from tuning_trainer import Reporter, machine
from tuning_trainer.image_classification import hyperparameters
from tuning_trainer.image_classification.interruption import Interruption
from tuning_trainer.image_classification.processes import read
from tuning_trainer.reporting import EXIT_TERMINATED

EXIT_USAGE = 2


def main() -> int:
    """Run one training; returns the exit code."""
    interruption = Interruption()
    # Threads that spin while they wait for each other cost a busy machine, as nodes are, most of its time.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        hp = hyperparameters.read(sys.argv[1:], os.environ)
        machine.cpu_count()
        processes = read(os.environ)
        reporter = Reporter() if processes.is_first else None
    except ValueError as error:
        return _refuse(error)
    with reporter or contextlib.nullcontext():
        # torch takes seconds to load: not before the values are known to be good.
        from tuning_trainer.image_classification.exchange import joined  # noqa: PLC0415
        from tuning_trainer.image_classification.training import DeviceError, Interrupted, Training  # noqa: PLC0415

        try:
            with joined(processes):
                Training(hp, interruption, processes).run(reporter)
        except (hyperparameters.HyperparameterError, DeviceError) as error:
            return _refuse(error)
        except Interrupted:
            sys.exit(EXIT_TERMINATED)
    return 0


def _refuse(error: Exception) -> int:
    sys.stderr.write(f"error: {error}\n")
    return EXIT_USAGE


if __name__ == "__main__":
    sys.exit(main())
