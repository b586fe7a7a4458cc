"""kubectl, helm and plain requests on the test cluster, whatever the user's own kubeconfig says."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from cluster import paths
from cluster.api import Api
from cluster.kubeconfig import require_test_context

_PROGRAMS = Path(__file__).parent
LIMIT_SECONDS = 900
"""What waits longer waits for something that will not come, such as the removal of a volume that a Pod still uses."""


class CommandError(RuntimeError):
    """kubectl or helm failed; the message has its words."""


@dataclass(frozen=True)
class Tools:
    """Runs the cluster's own kubectl and helm."""

    kubeconfig: Path

    @classmethod
    def for_test_cluster(cls) -> Tools:
        """Raises `WrongContextError` when the kubeconfig is missing or not the test cluster's."""
        require_test_context(paths.kubeconfig())
        return cls(paths.kubeconfig())

    @cached_property
    def api(self) -> Api:
        """The API server, for what is asked too often for a kubectl each time."""
        return Api(self.kubeconfig)

    def kubectl(self, *words: str | Path, stdin: str | None = None) -> str:
        """Run kubectl and give its output; raises `CommandError` with its words when it fails."""
        return self._run("kubectl", *words, stdin=stdin)

    def helm(self, *words: str | Path) -> str:
        """Run helm and give its output; raises `CommandError` with its words when it fails."""
        return self._run("helm", *words)

    def _run(self, program: str, *words: str | Path, stdin: str | None = None) -> str:
        return call(_PROGRAMS / program, *words, stdin=stdin)


def call(program: str | Path, *words: str | Path, stdin: str | None = None) -> str:
    """Run a program and return its output; raises `CommandError` with its words when it is missing, fails or hangs."""
    command = f"{Path(program).name} {' '.join(map(str, words))}"
    try:
        done = subprocess.run(
            [program, *words], input=stdin, capture_output=True, text=True, check=False, timeout=LIMIT_SECONDS
        )
    except subprocess.TimeoutExpired as error:
        raise CommandError(f"{command} has not ended within {LIMIT_SECONDS} s") from error
    except FileNotFoundError as error:
        raise CommandError(f"{command} failed: {Path(program).name} is not installed") from error
    if done.returncode:
        raise CommandError(f"{command} failed:\n{done.stderr.strip() or done.stdout.strip()}")
    return done.stdout
