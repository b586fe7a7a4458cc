"""Command line: `tuning-client --help`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import yaml

from tuning_client.convert import ConversionError, convert


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="tuning-client", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser(
        "convert",
        help="turn a manifest of SageMaker or Katib into a HyperparameterTuningJob",
        description=(
            "Writes the HyperparameterTuningJob to standard output, and what has no counterpart or another meaning to "
            "standard error. Takes SageMaker's CreateHyperParameterTuningJob request, the HyperParameterTuningJob of "
            "ACK or of AWS's older operator, and Katib's Experiment, as YAML or JSON."
        ),
    )
    command.add_argument("file", help="the file, or - for standard input")
    parsed = parser.parse_args(arguments)
    return _convert(parsed.file)


def _convert(name: str) -> int:
    try:
        text = sys.stdin.read() if name == "-" else Path(name).read_text()
        documents = [document for document in yaml.safe_load_all(text) if document is not None]
        converted = [convert(document) for document in documents]
    except (OSError, yaml.YAMLError, ConversionError) as error:
        sys.stderr.write(f"{name}: {error}\n")
        return 1
    jobs = [job for result in converted for job in result.jobs]
    yaml.safe_dump_all(jobs, sys.stdout, sort_keys=False, width=120, allow_unicode=True)
    for result in converted:
        for note in result.notes:
            sys.stderr.write(f"- {note}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
