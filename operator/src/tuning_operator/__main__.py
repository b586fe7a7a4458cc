"""Entry point of the operator: `tuning-operator`, or `python -m tuning_operator`."""

from __future__ import annotations

import tuning_operator.runtime.kubernetes.asyncio_alone  # noqa: F401 - before anything imports kopf or the client

# isort: split
import asyncio
import logging
import os
import sys

import kopf
from prometheus_client import REGISTRY, start_http_server

from tuning_operator.runtime.handlers import build_registry
from tuning_operator.runtime.kubernetes.depth import read_any_depth
from tuning_operator.runtime.operator import Operator
from tuning_operator.runtime.ports import listening, require_free
from tuning_operator.runtime.settings import Settings, parse_settings

logger = logging.getLogger(__name__)

GRACE_SECONDS = 2.0


def main() -> None:
    """Run the operator until a signal ends it."""
    settings = parse_settings(sys.argv[1:])
    _configure_logging(settings)
    read_any_depth()
    with listening("--metrics-port", settings.metrics_port):
        start_http_server(settings.metrics_port)
    with listening("--health-port", settings.health_port):
        require_free(settings.health_port)  # kopf listens on it, later and within its own tasks
    sys.exit(asyncio.run(_run(settings)))


async def _run(settings: Settings) -> int:
    operator = await Operator.create(settings)
    if operator.job_metrics:
        REGISTRY.register(operator.job_metrics)
    running = asyncio.ensure_future(
        kopf.operator(
            registry=build_registry(operator),
            standalone=True,
            clusterwide=not settings.namespaces,
            namespaces=settings.namespaces,
            liveness_endpoint=f"http://0.0.0.0:{settings.health_port}/healthz",
            stop_flag=operator.end,
        )
    )
    await asyncio.wait({running, operator.stopped}, return_when=asyncio.FIRST_COMPLETED)
    await asyncio.wait({running}, timeout=GRACE_SECONDS)
    if not running.done():
        # A remaining watch may wait forever for credentials that nobody renews.
        logger.critical("kopf did not exit")
        os._exit(1)
    running.result()
    return int(operator.end.result())


def _configure_logging(settings: Settings) -> None:
    json = settings.log_format == "json"
    kopf.configure(log_format=kopf.LogFormat.JSON if json else kopf.LogFormat.FULL)
    logging.getLogger().setLevel(settings.log_level.upper())
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)  # probes come every few seconds
    logging.getLogger("kopf").setLevel(logging.WARNING if settings.log_level != "debug" else logging.DEBUG)


if __name__ == "__main__":
    main()
