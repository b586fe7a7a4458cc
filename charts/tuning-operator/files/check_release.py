# ruff: noqa: INP001 - a script of its own, which Helm puts into a Pod
"""What `helm test` runs: does the operator say that it is well, and does its Prometheus answer queries?"""

import json
import os
import sys
import time
import urllib.request

DEADLINE_SECONDS = 60


def ask(url: str) -> str:
    """The body of a successful answer, asked for until the deadline."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - both URLs are the release's own
                return str(answer.read().decode())
        except OSError as error:
            if time.monotonic() > deadline:
                sys.exit(f"{url}: {error}")
            time.sleep(1)


print("operator:", ask(os.environ["HEALTH_URL"]))  # noqa: T201 - for `helm test --logs`
reply = json.loads(ask(os.environ["PROMETHEUS_URL"].rstrip("/") + "/api/v1/query?query=vector(1)"))
if reply["status"] != "success":
    sys.exit(f"Prometheus: {reply}")
print("Prometheus: it answers queries")  # noqa: T201 - as above
