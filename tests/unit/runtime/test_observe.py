from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, cast

from tests.unit import builders as build
from tuning_operator.api.job import TuningJob
from tuning_operator.api.podoptions import PodOptions
from tuning_operator.api.pods import build_pod
from tuning_operator.runtime.reconciler import observe

if TYPE_CHECKING:
    import pytest

    from tuning_operator.runtime.kubernetes.store import Store


class AcceptsAll:
    async def create_attempt(self, _namespace: str, body: dict[str, Any], *, dry_run: bool) -> None:
        assert (body["kind"], dry_run) == ("Pod", True)


async def test_a_template_is_tried_beside_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[int] = []

    def noted(*given: Any) -> dict[str, Any]:
        threads.append(threading.get_ident())
        return build_pod(*given)

    monkeypatch.setattr(observe, "build_pod", noted)
    template = {"spec": {"containers": [{"name": "train", "image": "x"}]}}
    tuning_job = TuningJob(build.job(), template, {}, "1")
    found = await observe._try_template(cast("Store", AcceptsAll()), tuning_job, PodOptions())
    assert found.status == "True"
    assert threads
    assert threading.get_ident() not in threads
