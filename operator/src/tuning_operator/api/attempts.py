"""An attempt in the API: a Pod, or the batch Job of an attempt on several nodes. Builds, parses and buckets both."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from tuning_operator.api import names
from tuning_operator.api.batchjobs import build_batch_job, parse_batch_jobs
from tuning_operator.api.podfacts import parse_pod
from tuning_operator.api.podoptions import PodOptions
from tuning_operator.api.pods import build_pod, training_container_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tuning_operator.api.batchjobs import ParsePod
    from tuning_operator.api.job import TuningJob
    from tuning_operator.core.model.attempt import Attempt
    from tuning_operator.core.model.job import Job
    from tuning_operator.core.model.trial import Trial

    Bodies = Sequence[Mapping[str, Any]]

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


def parse_attempts(
    tuning_job: TuningJob,
    trials: Sequence[Trial],
    pods: Bodies,
    batch_jobs: Bodies = (),
    *,
    last_words: bool = True,
) -> dict[str, tuple[Attempt, ...]]:
    """Read the attempts of a job's trials.

    Args:
        tuning_job: The job.
        trials: Its trials.
        pods: Its Pods, listed after the batch Jobs.
        batch_jobs: Its batch Jobs, where it runs on several nodes.
        last_words: Whether what its containers said may be shown.

    Returns:
        The attempts by their trial's name; by the uid of their owner where the trial is gone, or not known.
    """
    name, metric = training_container_name(tuning_job.template), tuning_job.job.spec.objective.metric

    def parse(body: Mapping[str, Any], number: int) -> Attempt:
        return parse_pod(body, number, name, metric, last_words=last_words)

    if attempt_kind(tuning_job.job) == "Pod":
        return _parse_pods(pods, trials, parse)
    return parse_batch_jobs(batch_jobs, pods, trials, parse)


def _parse_pods(bodies: Bodies, trials: Sequence[Trial], parse: ParsePod) -> dict[str, tuple[Attempt, ...]]:
    """Bucket the Pods by the trial that owns them.

    A Pod whose trial somebody deleted is about to end, and holds its slot until then. A new trial may have the old
    one's name, but not its uid. Whoever may create Pods can make one that pretends to be owned: names tell.
    """
    by_uid = {trial.uid: trial.name for trial in trials}
    buckets: defaultdict[str, list[Attempt]] = defaultdict(list)
    for body in bodies:
        for reference in body["metadata"].get("ownerReferences") or ():
            trial = by_uid.get(reference["uid"], reference["name"])
            number = names.attempt_number(body["metadata"]["name"], trial)
            if reference["kind"] == names.TRIAL_KIND and number:
                owner = trial if reference["uid"] in by_uid else reference["uid"]
                buckets[owner].append(parse(body, number))
    return {trial: tuple(attempts) for trial, attempts in buckets.items()}
