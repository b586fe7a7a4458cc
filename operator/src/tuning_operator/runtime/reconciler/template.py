"""Asks the API server whether it accepts a job's Pod template."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tuning_operator.api import names
from tuning_operator.api.pods import build_pod, check_variables
from tuning_operator.api.sidecar import SIDECAR_REFUSED, without_sidecar
from tuning_operator.core.model.conditions import Condition, ConditionType
from tuning_operator.core.model.trial import Trial
from tuning_operator.runtime.kubernetes.errors import ApiError, ErrorKind

if TYPE_CHECKING:
    from tuning_operator.api.job import TuningJob
    from tuning_operator.api.podoptions import PodOptions
    from tuning_operator.runtime.kubernetes.store import Store
    from tuning_operator.runtime.kubernetes.transport import Body


async def try_template(store: Store, tuning_job: TuningJob, options: PodOptions) -> Condition:
    """Ask the API server whether it accepts the Pod template, without creating anything.

    Raises:
        ApiError: It did not say; it is asked again soon.
    """
    job, kind = tuning_job.job, ConditionType.TEMPLATE_VALID
    sample = {parameter.name: parameter.nth(0) for parameter in job.spec.space.parameters}
    probe = Trial(names.trial_name(job.name, 0), 0, sample, seed=0, uid=job.uid)
    try:
        # Whatever a template and the patterns in a specification cost, the jobs of others do not wait for it.
        body = await asyncio.to_thread(build_pod, job, tuning_job.template, probe, options)
        await asyncio.to_thread(check_variables, tuning_job.template, body)
    except ValueError as error:
        return Condition(kind, "False", "Refused", str(error))
    refusal = await _refusal_of(store, job.namespace, body)
    if refusal is None or refusal.kind is ErrorKind.QUOTA:  # which comes after all other checks
        return Condition(kind, "True", "Accepted", "the API server accepts the Pod template")
    bare = without_sidecar(body)
    if bare != body and await _refusal_of(store, job.namespace, bare) is None:
        refusal.message += SIDECAR_REFUSED
    if refusal.kind is ErrorKind.INVALID:
        return Condition(kind, "False", "Refused", refusal.message)
    return Condition(kind, "Unknown", refusal.kind, refusal.message)


async def _refusal_of(store: Store, namespace: str, body: Body) -> ApiError | None:
    """Return why the API server would not create this; None if it would.

    Raises:
        ApiError: It did not say.
    """
    try:
        await store.create_attempt(namespace, body, dry_run=True)
    except ApiError as error:
        if error.kind in {ErrorKind.UNAVAILABLE, ErrorKind.CONFLICT}:
            raise
        return None if error.kind is ErrorKind.ALREADY_EXISTS else error  # that, too, comes after all other checks
    return None
