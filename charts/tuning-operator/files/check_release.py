# ruff: noqa: INP001 - a standalone script that Helm puts into a Pod
"""What `helm test` runs: does the operator say that it is well, and does its Prometheus answer queries?

It has the operator's own settings, so that Prometheus is asked with the same certificates, token and headers.
"""

import asyncio
import os
import sys
import time
import urllib.request

from tuning_operator.runtime.prometheus.answers import PrometheusError
from tuning_operator.runtime.prometheus.client import Prometheus
from tuning_operator.runtime.settings import parse_settings

DEADLINE = time.monotonic() + 60


def health(url: str) -> str:
    """The body of a successful answer, asked for until the deadline."""
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - the URL is the release's own
                return str(answer.read().decode())
        except OSError as error:
            if time.monotonic() > DEADLINE:
                sys.exit(f"{url}: {error}")
            time.sleep(1)


async def ask() -> None:
    """Return once Prometheus has answered a question."""
    prometheus = Prometheus.configured(parse_settings([]))
    try:
        while True:
            try:
                return await prometheus.check()
            except PrometheusError as error:
                if time.monotonic() > DEADLINE:
                    sys.exit(f"Prometheus: {error}")
                await asyncio.sleep(1)
    finally:
        await prometheus.close()


print("operator:", health(os.environ["HEALTH_URL"]))  # noqa: T201 - for `helm test --logs`
asyncio.run(ask())
print("Prometheus: it answers queries")  # noqa: T201 - as above
