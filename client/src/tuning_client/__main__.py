"""Command line: `tuning-client --help`, which is also `kubectl tuning --help`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from tuning_client import commands as of_clusters
from tuning_client.convert import ConversionError, convert
from tuning_client.convert.files import read, write
from tuning_client.convert.job import rename_repeated
from tuning_client.text import plain


def kubectl() -> int:
    """Run one command as kubectl's plugin."""
    return main(program="kubectl tuning")


def main(arguments: list[str] | None = None, program: str = "tuning-client") -> int:
    """Run one command; returns the exit code."""
    parsed = commands_of(program).parse_args(arguments)
    code: int = parsed.run(parsed)
    return code


def commands_of(program: str) -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    parser = argparse.ArgumentParser(prog=program, description="Inspect tuning jobs, and convert manifests to them.")
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser(
        "convert",
        help="turn a manifest of SageMaker, Katib or Kubeflow into a HyperparameterTuningJob",
        description=(
            "Write HyperparameterTuningJobs to standard output, and what has no counterpart or another meaning to "
            "standard error. Takes SageMaker's CreateHyperParameterTuningJob request, the HyperParameterTuningJob of "
            "ACK or of AWS's older operator, Katib's Experiment and Kubeflow's OptimizationJob, as YAML or JSON; also "
            "several documents, lists, and the output of `kubectl get -o yaml`. Exits with 1 if one of them cannot be "
            "converted; the others are written."
        ),
    )
    command.add_argument("file", help="the file, or - for standard input")
    command.set_defaults(run=lambda parsed: _convert(parsed.file))
    command = commands.add_parser(
        "console",
        help="show jobs and their curves in the browser",
        description="Start the read-only console on 127.0.0.1, with the kubeconfig's credentials, and open it.",
    )
    command.add_argument("--kubeconfig", help="file; default: $KUBECONFIG or ~/.kube/config")
    command.add_argument("--context", help="context of the kubeconfig; default: the current one")
    command.add_argument("--port", type=int, default=0, help="default: a free one")
    command.add_argument("--no-browser", action="store_true", help="only print the address")
    command.set_defaults(run=_console)
    of_clusters.add_to(commands)
    return parser


def _console(parsed: argparse.Namespace) -> int:
    try:
        from tuning_console.local import run  # noqa: PLC0415 - a distribution that only those install who want it
    except ModuleNotFoundError as error:
        _say(f"the console is not installed ({error}): pip install 'tuning-client[console]'")
        return 1
    return run(parsed.kubeconfig, parsed.context, parsed.port, open_browser=not parsed.no_browser)


def _convert(name: str) -> int:
    try:
        documents, notes, errors = read(sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes())
    except (OSError, ConversionError) as error:
        _say(f"{name}: {error}")
        return 1
    _say(*(f"- {note}" for note in notes))
    jobs: list[dict[str, Any]] = []
    for number, document in enumerate(documents, start=1):
        where = f"document {number}: " if len(documents) > 1 else ""
        try:
            converted = convert(document, among_others=bool(where))
        except ConversionError as error:
            errors.append(f"{where}{error}")
            continue
        jobs += converted.jobs
        errors += [f"{where}{error}" for error in converted.errors]
        _say(*([where.strip()] if where and converted.notes else []), *(f"- {note}" for note in converted.notes))
    _say(*(f"- {note}" for note in rename_repeated(jobs)))
    if jobs:
        sys.stdout.buffer.write(write(jobs).encode())
        sys.stdout.buffer.flush()
    elif not errors:
        errors.append("has nothing to convert")
    _say(*(f"{name}: {error}" for error in errors))
    return 1 if errors else 0


def _say(*lines: str) -> None:
    """Write lines to standard error, without what a terminal would obey."""
    for line in lines:
        sys.stderr.write(f"{plain(line)}\n")


if __name__ == "__main__":
    sys.exit(main())
