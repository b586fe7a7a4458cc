"""The commands of `kubectl tuning`, which are those of `tuning-client` too: each shows, and none changes anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tuning_client.commands import best, curves, export, listing, logs, watching, what_if, why
from tuning_client.commands.cluster import flags

if TYPE_CHECKING:
    import argparse

__all__ = ["add_to"]


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the commands that look at a cluster."""
    for module in (listing, watching, curves, why, best, what_if, logs, export):
        module.add_to(commands, flags())
