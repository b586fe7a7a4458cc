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
    from collections.abc import Mapping, Sequence

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
    target.add_argument(
        "--mlflow",
        metavar="DIR|URI",
        help="folder for mlflow.db, or a tracking URI such as file:///data/mlruns or http://mlflow.example.com:5000; "
        "the experiment has the job's name",
    )
    parser.set_defaults(run=partial(run, _export))


def _export(session: Session, parsed: argparse.Namespace) -> int:
    try:
        if parsed.csv:
            HyperparameterTuningJobAnalytics(parsed.job, session).export_csv(parsed.csv)
            return 0
        job = session.job(parsed.job)
        trials = session.trials(job)
        written = _export_to(job, trials, optuna=parsed.optuna, mlflow=parsed.mlflow)
    except ImportError as error:
        raise TuningError(str(error)) from error
    except OSError as error:
        raise TuningError(f"{parsed.csv or parsed.optuna or parsed.mlflow}: {error.strerror or error}") from error
    left_out = len(trials) - written
    if left_out:
        sys.stderr.write(f"left out, since they have not ended: {left_out} of {len(trials)} trials\n")
    return 0


def _export_to(job: Body, trials: Sequence[Body], *, optuna: str | None, mlflow: str | None) -> int:
    """Write the trials for one of the two libraries, both of which are optional; returns how many there were."""
    if optuna:
        from tuning_client.exports.optuna import export as export_to_optuna  # noqa: PLC0415

        return export_to_optuna(job, trials, Path(optuna))
    from tuning_client.exports.mlflow import export as export_to_mlflow  # noqa: PLC0415

    return export_to_mlflow(job, trials, mlflow or "")
