"""How a pass learns whether the API server takes the Pod template, and what it does when a Pod is refused."""

from __future__ import annotations

import math
import threading
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

import pytest

from tests.unit import builders as build
from tests.unit.runtime.passes import Bench, Body
from tests.unit.simulation.objects import KEY
from tests.unit.simulation.operator import SimulatedOperator
from tuning_operator.api.job import TuningJob
from tuning_operator.api.podoptions import PodOptions
from tuning_operator.api.pods import build_pod
from tuning_operator.api.sidecar import has_sidecar
from tuning_operator.runtime.kubernetes.errors import ApiError, ErrorKind
from tuning_operator.runtime.reconciler import template
from tuning_operator.runtime.reconciler.refusals import FIRST_PAUSE, LONGEST_PAUSE, QUOTA_PAUSE

if TYPE_CHECKING:
    import asyncio

    from tuning_operator.runtime.kubernetes.store import Store


def with_log(it: Bench, runner: asyncio.Runner) -> None:
    """Let the job's training write a log, which a sidecar follows."""
    it.world.job["spec"]["metrics"] = {"source": {"type": "File", "file": {"path": "/logs/out"}}}
    it.operator = SimulatedOperator(it.world, runner, PodOptions("sidecar:1"))


@pytest.mark.parametrize(
    ("refused", "status", "blamed"),
    [
        ("minimum cpu usage per Container is 100m, but request is 10m", "False", True),
        ("violates PodSecurity", "False", False),
    ],
)
def test_a_sidecar_that_is_refused_is_named_when_it_is_the_cause(
    runner: asyncio.Runner, monkeypatch: pytest.MonkeyPatch, refused: str, status: str, blamed: bool
) -> None:
    it = Bench(runner)
    with_log(it, runner)

    async def create_attempt(_namespace: str, body: Body, **_: object) -> Body:
        if has_sidecar(body) or not blamed:
            raise ApiError(ErrorKind.INVALID, refused)
        return body

    monkeypatch.setattr(it.connection, "create_attempt", create_attempt)
    it.reconcile()
    condition = it.condition("TemplateValid")
    assert condition["status"] == status
    assert condition["message"].startswith(refused)
    assert ("--sidecar-resources" in condition["message"]) is blamed


@pytest.mark.parametrize(
    ("container", "path"),
    [({"args": ["$(HP_rl)"]}, "args[0]: $(HP_rl) is not defined"), ({"env": 7}, "env: should be a valid list")],
)
def test_a_template_that_cannot_work_ends_the_job_with_the_fields_name(
    runner: asyncio.Runner, container: Body, path: str
) -> None:
    it = Bench(runner)
    it.world.job["spec"]["template"]["spec"]["containers"][0] |= container
    it.reconcile(2)
    assert (it.status["phase"], it.status["completionReason"]) == ("Failed", "InvalidTemplate")
    assert f"spec.template.spec.containers[0].{path}" in it.status["message"]
    assert it.world.trials == {}


def test_a_template_that_was_accepted_is_not_judged_anew(runner: asyncio.Runner) -> None:
    """An upgrade of the operator must not end jobs that run."""
    it = Bench(runner)
    it.reconcile(3)
    it.world.job["spec"]["template"]["spec"]["containers"][0]["args"] = ["$(nproc)"]
    it.world.befall("vanish", 0)
    it.reconcile(3)
    assert it.status["phase"] == "Running"
    assert len(it.world.pods) == 2


def test_settings_that_do_not_fit_a_template_any_more_are_a_refusal_and_no_internal_error(
    runner: asyncio.Runner,
) -> None:
    it = Bench(runner)
    with_log(it, runner)
    it.world.suggests_slowly = True
    it.reconcile()
    it.operator = SimulatedOperator(it.world, runner, PodOptions())
    it.reconcile(3)
    condition = it.condition("Reconciled")
    assert (condition["status"], condition["reason"]) == ("False", "PodRefused")
    assert "--sidecar-image" in condition["message"]


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (ApiError(ErrorKind.INVALID, "spec.containers[0].image: Required value"), "False", "Required value"),
        (ApiError(ErrorKind.FORBIDDEN, 'serviceaccount "x" not found'), "Unknown", "not found"),
        (ApiError(ErrorKind.QUOTA, "exceeded quota"), "True", "accepts"),
    ],
)
def test_the_api_server_is_asked_about_the_template(
    runner: asyncio.Runner, monkeypatch: pytest.MonkeyPatch, error: ApiError, status: str, words: str
) -> None:
    it = Bench(runner)

    it.world.suggests_slowly = True

    async def create_attempt(*_: object, dry_run: bool = False) -> Body:
        assert dry_run
        raise error

    monkeypatch.setattr(it.connection, "create_attempt", create_attempt)
    it.reconcile()
    condition = it.condition("TemplateValid")
    assert condition["status"] == status
    assert words in condition["message"]
    assert it.status["phase"] == {"False": "Failed", "Unknown": "Pending", "True": "Running"}[status]
    assert it.status.get("completionReason") == ("InvalidTemplate" if status == "False" else None)


def test_nothing_is_concluded_when_the_api_server_says_nothing_of_the_template(
    runner: asyncio.Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    it = Bench(runner)

    async def create_attempt(*_: object, **__: object) -> Body:
        raise ApiError(ErrorKind.UNAVAILABLE, "HTTP 503")

    monkeypatch.setattr(it.connection, "create_attempt", create_attempt)
    with pytest.raises(ApiError, match="503"):  # which is tried again within seconds
        runner.run(it.operator.reconciler.reconcile(KEY))
    assert "status" not in it.world.job


def test_a_template_that_only_we_refuse_is_refused_in_the_same_way(runner: asyncio.Runner) -> None:
    it = Bench(runner)
    it.world.job["spec"]["template"]["spec"]["containers"][0]["env"] = [{"name": "HP_lr", "value": "1"}]
    it.reconcile()
    assert it.condition("TemplateValid")["status"] == "False"
    assert "HP_lr" in it.status["message"]
    assert it.status["phase"] == "Failed"


def test_a_quota_is_waited_for_with_a_condition(runner: asyncio.Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    it = Bench(runner)
    it.world.suggests_slowly = True
    it.reconcile()

    async def full(*_: object, **__: object) -> Body:
        raise ApiError(ErrorKind.QUOTA, 'pods "job-0001-1" is forbidden: exceeded quota: gpus')

    with monkeypatch.context() as patch:
        patch.setattr(it.connection, "create_attempt", full)
        outcome = runner.run(it.operator.reconciler.reconcile(KEY))
        assert outcome.wake_after == FIRST_PAUSE
        it.reconcile(2)
        assert it.condition("QuotaExceeded")["status"] == "True"
        assert "exceeded quota: gpus" in it.condition("QuotaExceeded")["message"]
        assert set(it.world.trials) == {"job-0001", "job-0002"}
    it.operator = SimulatedOperator(it.world, runner)
    it.reconcile(2)
    assert set(it.world.pods) == {"job-0001-1", "job-0002-1"}
    assert it.condition("QuotaExceeded")["status"] == "False"


@pytest.mark.parametrize("kind", [ErrorKind.QUOTA, ErrorKind.INVALID, ErrorKind.FORBIDDEN])
def test_a_refused_pod_is_asked_for_ever_more_seldom(
    runner: asyncio.Runner, monkeypatch: pytest.MonkeyPatch, kind: ErrorKind
) -> None:
    """A policy that is new refuses the second Pod; the first one trains, and each of its epochs leads to a pass."""
    it = Bench(runner)
    it.world.suggests_slowly = True
    it.reconcile()
    asked: list[str] = []
    create = it.connection.create_attempt

    async def only_the_first(namespace: str, body: Body, **_: object) -> Body:
        asked.append(body["metadata"]["name"])
        if it.world.pods:
            raise ApiError(kind, "pods are forbidden: somebody says no")
        return await create(namespace, body)

    monkeypatch.setattr(it.connection, "create_attempt", only_the_first)
    it.reconcile()
    it.world.befall("start", 0)
    for _ in range(600):
        it.world.now += timedelta(seconds=0.5)
        it.reconcile()
    longest = QUOTA_PAUSE if kind is ErrorKind.QUOTA else LONGEST_PAUSE
    assert len(asked) <= 3 + math.log2(longest / FIRST_PAUSE) + 300 / longest.total_seconds()
    shown = it.condition("QuotaExceeded" if kind is ErrorKind.QUOTA else "Reconciled")
    assert shown["message"] == "pods are forbidden: somebody says no"
    assert it.status["trialCounts"]["running"] == 1
    before = len(asked)
    it.world.befall("succeed unscraped", 0)
    it.reconcile()
    assert asked[before:] == ["job-0002-1"], "a slot is free again: tried at once"


class AcceptsAll:
    async def create_attempt(self, _namespace: str, body: dict[str, Any], *, dry_run: bool) -> None:
        assert (body["kind"], dry_run) == ("Pod", True)


async def test_a_template_is_tried_beside_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[int] = []

    def noted(*given: Any) -> dict[str, Any]:
        threads.append(threading.get_ident())
        return build_pod(*given)

    monkeypatch.setattr(template, "build_pod", noted)
    tuning_job = TuningJob(build.job(), {"spec": {"containers": [{"name": "train", "image": "x"}]}}, {}, "1")
    found = await template.try_template(cast("Store", AcceptsAll()), tuning_job, PodOptions())
    assert found.status == "True"
    assert threads
    assert threading.get_ident() not in threads
