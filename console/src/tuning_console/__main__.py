"""Starts the console in a cluster: `tuning-console --help`. On a laptop it is `tuning-client console`."""

from __future__ import annotations

import asyncio
import logging
import ssl
import sys
from typing import TYPE_CHECKING

from tuning_console import files
from tuning_console.access import TokenAccess
from tuning_console.run import api_server, serving, until_stopped
from tuning_console.server import Console
from tuning_console.settings import parse_settings

if TYPE_CHECKING:
    from tuning_console.settings import Settings


async def _serve(settings: Settings, pages: dict[str, files.File]) -> None:
    context = ssl.create_default_context(cafile=settings.ca_file)
    async with api_server(settings.api_server, context) as upstream:
        access = TokenAccess(settings.token_header, settings.namespaces)
        async with serving(Console(upstream, access, pages), "0.0.0.0", settings.port):  # noqa: S104 - a Pod's own address
            await until_stopped()


def main(arguments: list[str] | None = None) -> int:
    """Serve until a signal comes; returns the exit code."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    settings = parse_settings(sys.argv[1:] if arguments is None else arguments)
    try:
        asyncio.run(_serve(settings, files.load()))
    except (files.NotBuiltError, OSError) as error:
        sys.stderr.write(f"tuning-console: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
