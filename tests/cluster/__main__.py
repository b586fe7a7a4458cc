"""Command line of the test cluster: `python -m tests.cluster --help`, from the root of the checkout."""

from __future__ import annotations

import argparse

from tests.cluster import build, packages


def main() -> None:
    """Run one command."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.cluster", description="A real one-node Kubernetes for tests."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("packages", help="install the operating system's packages that are missing (apt, as root)")
    commands.add_parser("build", help="build Kubernetes, kubectl and helm, when the sources changed")
    arguments = parser.parse_args()
    match arguments.command:
        case "packages":
            packages.ensure()
        case "build":
            build.build()


if __name__ == "__main__":
    main()
