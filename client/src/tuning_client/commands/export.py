"""`export`: a job's trials for other tools: a table, a study of Optuna's, runs of MLflow's."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuning_client.analytics import HyperparameterTuningJobAnalytics
from tuning_client.commands.cluster import run
from tuning_client.errors import TuningError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Mapping, Sequence

    from tuning_client.session import Session

    Body = Mapping[str, Any]


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser], flags: argparse.ArgumentParser) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "export",
        parents=[flags],
        help="write the trials for other tools",
        description="Write the trials of a job as a table, as a study for optuna-dashboard, or as runs of "
        "MLflow (`mlflow ui` in that folder shows them). The table includes running trials.",
    )
    parser.add_argument("job")
    target = parser.add_mutually_exclusive_group(required=True)
    target.add_argument("--csv", metavar="FILE", help="a row for each trial, in the columns of SageMaker's analytics")
    target.add_argument("--optuna", metavar="FILE", help="SQLite file; the study has the job's name")
    target.add_argument("--mlflow", metavar="DIR", help="folder for mlflow.db; the experiment has the job's name")
    parser.set_defaults(run=partial(run, _export))


def _export(session: Session, parsed: argparse.Namespace) -> int:
    try:
        if parsed.csv:
            HyperparameterTuningJobAnalytics(parsed.job, session).export_csv(parsed.csv)
            return 0
        job = session.job(parsed.job)
        trials = session.trials(job)
        written = _exporter(to_optuna=bool(parsed.optuna))(job, trials, Path(parsed.optuna or parsed.mlflow))
    except ImportError as error:
        raise TuningError(str(error)) from error
    except OSError as error:
        raise TuningError(f"{parsed.csv or parsed.optuna or parsed.mlflow}: {error.strerror or error}") from error
    left_out = len(trials) - written
    if left_out:
        sys.stderr.write(f"left out, since they have not ended: {left_out} of {len(trials)} trials\n")
    return 0


def _exporter(*, to_optuna: bool) -> Callable[[Body, Sequence[Body], Path], int]:
    """Return the function that writes the trials; both libraries are optional."""
    if to_optuna:
        from tuning_client.exports.optuna import export  # noqa: PLC0415
    else:
        from tuning_client.exports.mlflow import export  # noqa: PLC0415
    return export
