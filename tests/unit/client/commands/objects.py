"""A job, its trials and a session that knows them, for tests of the commands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.unit.client.bodies import FakeSession, trial
from tuning_client.errors import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterator

CONDITION = {
    "type": "MetricsAvailable",
    "status": "False",
    "reason": "ConnectionRefused",
    "message": "connection refused",
    "lastTransitionTime": "2026-11-24T10:00:00Z",
}
STOP = {
    "reason": "BelowMedian",
    "epoch": 2,
    "value": "0.05",
    "threshold": "0.3",
    "message": "epoch 2: 0.05 is below 0.3, the median of 3 completed trials",
}


class Cluster(FakeSession):
    """A session that also lists, and that has a log."""

    namespace = "team"
    asked: tuple[Any, ...] = ()

    def jobs(self, *, all_namespaces: bool = False) -> list[dict[str, Any]]:
        del all_namespaces
        return [item for item in self._jobs if not isinstance(item, Exception)]

    def log(self, pod: str, container: str, *, follow: bool = False, tail: int | None = None) -> Iterator[bytes]:
        self.asked = (pod, container, follow, tail)
        if pod.endswith("-9"):
            raise NotFoundError(f'pods "{pod}" not found')
        return iter([b"epoch 1\n\xc3", b"\xa9\n"])


def full(number: int, *args: Any, **status: Any) -> dict[str, Any]:
    """A trial with all that the API server adds."""
    made = trial(number, *args, **status)
    made["spec"]["seed"] = number
    made["metadata"] |= {"uid": f"uid-{number}", "resourceVersion": "1", "namespace": "team"}
    made["status"]["epochs"] = len(made["status"]["curve"]["epochs"])
    return made


def stopped(number: int) -> dict[str, Any]:
    return full(
        number,
        "EarlyStopped",
        "0.05",
        stopDecision=STOP,
        reason="BelowMedian",
        message=STOP["message"],
        objectiveEpoch=2,
        curve={"epochs": [1, 2], "values": ["0.1", "0.05"]},
    )
