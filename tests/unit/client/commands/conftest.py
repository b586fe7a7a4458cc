"""A job and a way to run a command on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.client.bodies import job
from tests.unit.client.commands.objects import CONDITION, Cluster, full, stopped
from tuning_client.__main__ import main
from tuning_client.commands import cluster

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def a_job() -> dict[str, Any]:
    made = job(
        bestTrial={"name": "resnet-0001", "objective": "0.4", "epoch": 3},
        progress="2/4",
        trialCounts={"running": 1, "earlyStopped": 1},
        totalTrainingSeconds=4530,
        earlyStopping={"stopped": 1, "epochsSaved": 1, "secondsSaved": 12},
        conditions=[CONDITION],
    )
    made["metadata"] |= {"namespace": "team", "resourceVersion": "1"}
    return made


@pytest.fixture
def run(
    a_job: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Run a command against these trials (of which there are three); returns exit code, output and errors."""

    def with_trials(*arguments: str, trials: list[dict[str, Any]] | None = None) -> tuple[int, str, str]:
        session = Cluster(a_job, trials=[full(1), stopped(2), full(3, "Running", None)] if trials is None else trials)
        monkeypatch.setattr(cluster, "Session", lambda *_args, **_keywords: session)
        code = main(list(arguments))
        out, err = capsys.readouterr()
        return code, out, err

    return with_trials
