"""An attempt in the API: a Pod, or the batch Job of an attempt on several nodes. Builds, identifies and parses both."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tuning_operator.api import names
from tuning_operator.api.batchjobs import build_batch_job, parse_batch_job
from tuning_operator.api.podfacts import has_ended, parse_pod
from tuning_operator.api.podoptions import PodOptions
from tuning_operator.api.pods import build_pod, training_container_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tuning_operator.api.job import TuningJob
    from tuning_operator.api.once import Once
    from tuning_operator.core.model.attempt import Attempt
    from tuning_operator.core.model.job import Job
    from tuning_operator.core.model.trial import Trial


_DEFAULTS = PodOptions()


def attempt_kind(job: Job) -> str:
    """Kind of the objects that run a job's attempts: `Pod`, or `Job` (of batch) on several nodes."""
    return "Pod" if job.spec.nodes == 1 else "Job"


def build_attempt(tuning_job: TuningJob, trial: Trial, options: PodOptions = _DEFAULTS) -> dict[str, Any]:
    """Return the manifest of a trial's current attempt.

    Raises:
        ValueError: The template contradicts what is added to it; the message names the field.
    """
    pod = build_pod(tuning_job.job, tuning_job.template, trial, options)
    return pod if attempt_kind(tuning_job.job) == "Pod" else build_batch_job(tuning_job.job, pod)


@dataclass(frozen=True, slots=True)
class Claim:
    """What a Pod or a batch Job says that it is: the attempt of a trial.

    Attributes:
        body: The object; of a batch Job that is gone, and has left Pods behind, what these say of it.
        number: The attempt's.
        owner: Name of the trial that controls it.
        owner_uid: That trial's uid.
        trial: The trial, if it is one of the job's; None for one that is gone, or belongs to an earlier job.
    """

    body: Mapping[str, Any]
    number: int
    owner: str
    owner_uid: str
    trial: Trial | None

    @property
    def name(self) -> str:
        """The object's name."""
        return str(self.body["metadata"]["name"])

    @property
    def uid(self) -> str:
        """The object's uid."""
        return str(self.body["metadata"]["uid"])


def claim_of(body: Mapping[str, Any], job: str, trials: Mapping[str, Trial]) -> Claim | None:
    """Return which trial of a job an object says it runs, by its controller and its name; None for no trial's.

    Args:
        body: The object.
        job: The job's name.
        trials: The job's trials by uid.
    """
    reference = names.controller_of(body)
    if not names.is_ours(reference, names.TRIAL_KIND):
        return None
    trial = trials.get(reference["uid"])
    owner = trial.name if trial else str(reference["name"])
    number = names.attempt_number(body["metadata"]["name"], owner)
    if number is None or (trial is None and not names.is_trial_name(owner, job)):
        return None
    return Claim(body, number, owner, str(reference["uid"]), trial)


def is_over(body: Mapping[str, Any]) -> bool:
    """Whether nothing of a Pod, or of a batch Job, runs or will run any more."""
    if "template" not in body["spec"]:
        return has_ended(body)
    conditions = (body.get("status") or {}).get("conditions") or ()
    return any(item["type"] in {"Complete", "Failed"} and item["status"] == "True" for item in conditions)


def parse_attempts(
    tuning_job: TuningJob,
    claims: Sequence[Claim],
    nodes: Mapping[str, Mapping[int, Mapping[str, Any]]],
    pods: Once[Attempt],
    *,
    last_words: bool = True,
) -> dict[str, tuple[Attempt, ...]]:
    """Read the attempts of a job's trials.

    Args:
        tuning_job: The job.
        claims: The Pods, or batch Jobs, whose claims are true.
        nodes: The Pods of each batch Job, by its uid and by node.
        pods: What was made of the job's Pods before.
        last_words: Whether what its containers said may be shown.

    Returns:
        The attempts by their trial's name; by the trial's uid where it is gone, or belongs to an earlier job.
    """
    name, metric = training_container_name(tuning_job.template), tuning_job.job.spec.objective.metric

    def parse(body: Mapping[str, Any], number: int) -> Attempt:
        return pods.of(body, lambda: parse_pod(body, number, name, metric, last_words=last_words))

    buckets: defaultdict[str, list[Attempt]] = defaultdict(list)
    for claim in claims:
        if attempt_kind(tuning_job.job) == "Pod":
            attempt = parse(claim.body, claim.number)
            if attempt.deleting and not claim.body["spec"].get("nodeName"):
                attempt = replace(attempt, ended=True)  # it has no node, and will have none: a finalizer alone keeps it
        else:
            attempt = parse_batch_job(claim.body, claim.number, nodes.get(claim.uid, {}), parse)
        buckets[claim.trial.name if claim.trial else claim.owner_uid].append(attempt)
    return {owner: tuple(attempts) for owner, attempts in buckets.items()}
