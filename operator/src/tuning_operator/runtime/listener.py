"""Decides what an event of a trial or an attempt leads to: a pass over its job, at once, soon or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tuning_operator.api import names
from tuning_operator.api.podfacts import has_ended
from tuning_operator.runtime.kubernetes.store import PODS
from tuning_operator.runtime.queue import JobKey

if TYPE_CHECKING:
    from collections.abc import Callable

    from tuning_operator.runtime.kubernetes.store import Store
    from tuning_operator.runtime.kubernetes.transport import Body
    from tuning_operator.runtime.queue import WorkQueue

SOON = 0.5
"""Seconds after which a job hears of a Pod that holds a slot: it has several events before it runs; nobody waits."""


class Listener:
    """Hears what watches tell.

    Args:
        store: Takes events in, and knows which are news.
        queue: The jobs that need a pass.
        quota_freed: Called with a namespace in which a Pod has ended or gone.
    """

    def __init__(self, store: Store, queue: WorkQueue[JobKey], quota_freed: Callable[[str], None]) -> None:
        self._store = store
        self._queue = queue
        self._quota_freed = quota_freed

    def heard(self, plural: str, event: str, body: Body) -> None:
        """Handle an event: if it is news, run a pass over the job that the object's label names."""
        metadata, deleted = body["metadata"], event == "DELETED"
        holds_a_slot = plural == PODS and not deleted and not has_ended(body)
        if plural == PODS:
            self._store.departed.note(body, deleted=deleted)
            if not holds_a_slot:
                self._quota_freed(metadata["namespace"])
        job = (metadata.get("labels") or {}).get(names.LABEL_JOB)
        if self._store.heard(plural, event, body) and job:
            key = JobKey(metadata["namespace"], job)
            if holds_a_slot:
                self._queue.add_after(key, SOON)
            else:
                self._queue.add(key)

    def missed(self, plural: str, namespace: str | None) -> None:
        """Look again at the jobs whose events may have been missed; no namespace stands for all."""
        for key in self._store.doubt(plural, namespace):
            self._queue.add(key)
