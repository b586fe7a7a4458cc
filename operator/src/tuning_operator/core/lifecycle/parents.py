"""What a job learns from its parents: which of their trials count, and what stands in the way.

Only a parent's own trials count, not those that it took over from its parents.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from tuning_operator.core.lifecycle.confirm import winner
from tuning_operator.core.model.conditions import MAX_MESSAGE, Condition, ConditionType
from tuning_operator.core.model.observation import Observation, RelatedTrial
from tuning_operator.core.model.parent import Obstacle, Parent
from tuning_operator.core.model.ranking import best_trial, shown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tuning_operator.core.model.job import Job
    from tuning_operator.core.model.spec import JobSpec
    from tuning_operator.core.model.trial import Trial
    from tuning_operator.core.space import Value

MOST_TRIALS, MOST_RELATED = 1000, 150
"""How many trials of a parent are learned from: the best third and a sample of the others. The second is for another
task.
"""

Found = TypeVar("Found", bound=Observation | RelatedTrial)


def missing(name: str) -> Obstacle:
    """Return the obstacle of a parent that does not exist."""
    return Obstacle(
        "ParentMissing", f"parent {name} does not exist", "the job starts once that job exists and has ended"
    )


def obstacle(job: Job, parent: Job) -> Obstacle | None:
    """Return why a job cannot start from a parent, judging by their specifications and the parent's phase."""
    if not parent.phase.is_final:
        cause = f"parent {parent.name} has not ended (it is {parent.phase})"
        return Obstacle("ParentNotFinished", cause, "the job starts when the parent ends; spec.stop ends it now")
    ours, theirs = job.spec.objective, parent.spec.objective
    if (ours.metric, ours.goal) != (theirs.metric, theirs.goal):
        cause = f"the objective of parent {parent.name} is to {theirs.goal} {theirs.metric}"
        return Obstacle("OtherObjective", cause, "recreate the job with the same objective, or without this parent")
    own, known = _names(job.spec), _names(parent.spec)
    differing = own ^ known
    if job.spec.transfer:
        differing &= _tuned(job.spec) | _tuned(parent.spec)  # what differs and is fixed is part of the other task
    if differing:
        names = ", ".join(sorted(differing))
        cause = f"parent {parent.name} and this job do not have the same hyperparameters: {names}"
        remedy = "recreate the job with those of the parent, in spec.parameters or spec.staticParameters"
        return Obstacle("OtherParameters", cause, remedy)
    return None


def inherit(job: Job, parent: Job, trials: Sequence[Trial]) -> Parent:
    """Place the trials of a parent that has ended in the space of its child.

    The child's objective decides which value of a curve counts.
    """
    best_for = job.spec.objective.best_for
    ended = [replace(trial, best_for=best_for) for trial in trials if trial.phase.is_final]
    if best_trial(parent, ended) is None:  # its template may have been to blame: believe nothing
        cause = f"none of the {len(ended)} trials of parent {parent.name} has a finite objective"
        blocked = Obstacle("NoResult", cause, "recreate the job without this parent")
        return Parent(parent.name, parent.uid, parent.completion_time, total=len(ended), obstacle=blocked)
    observations, related, misfit = [], [], ""
    for trial in ended:
        tuned, seen = parent.spec.space.render(trial.parameters), Observation.of(trial)
        try:
            if not job.spec.transfer:
                point = _placed(job.spec, {**parent.spec.static_parameters, **tuned})
                observations.append(replace(seen, parameters=point))
            elif seen.informs:
                related.append(RelatedTrial(_located(job.spec, parent.spec.static_parameters, tuned), trial.objective))
        except ValueError as error:
            misfit = misfit or f", for example {trial.name}: {error}"
    found = Parent(
        parent.name,
        parent.uid,
        parent.completion_time,
        observations=_telling(job, observations, MOST_TRIALS),
        related=_telling(job, related, MOST_RELATED),
        total=len(ended),
        best=None if job.spec.transfer else shown(parent, winner(parent, ended)),
    )
    if found.learned:
        return found
    cause = f"none of the {len(ended)} trials of parent {parent.name} fits this job's space{misfit}"
    remedy = "recreate the job with its ranges and staticParameters, or without this parent"
    return replace(found, obstacle=Obstacle("NothingFits", cause, remedy))


def readiness(parents: Sequence[Parent], *, started: bool) -> Condition:
    """Say whether all parents are ready; a job that has started continues with what is known of them."""
    used, total = sum(parent.learned for parent in parents), sum(parent.total for parent in parents)
    obstacles = [parent.obstacle for parent in parents if parent.obstacle]
    if not obstacles:
        names = ", ".join(parent.name for parent in parents)
        message = f"{used} of the {total} trials of {names} fit this job's space and are used"
        return Condition(ConditionType.PARENTS_READY, "True", "ParentsRead", message[:MAX_MESSAGE])
    if started:
        causes = "; ".join(item.cause for item in obstacles)
        message = f"{causes}: the job continues with the {used} trials of its parents that the operator knows"
    else:
        message = "; ".join(f"{item.cause}: {item.remedy}" for item in obstacles)
    return Condition(ConditionType.PARENTS_READY, "False", obstacles[0].reason, message[:MAX_MESSAGE])


def inherited(parents: Sequence[Parent]) -> tuple[Observation, ...]:
    """Return the trials of the parents that count as a job's own."""
    return tuple(observation for parent in parents for observation in parent.observations)


def related(parents: Sequence[Parent]) -> tuple[tuple[RelatedTrial, ...], ...]:
    """Return the trials of each parent that tuned another task."""
    return tuple(parent.related for parent in parents if parent.related)


def _telling(job: Job, observations: Sequence[Found], most: int) -> tuple[Found, ...]:
    if len(observations) <= most:
        return tuple(observations)
    orient = job.spec.objective.goal.orient
    worth = [-math.inf if each.objective is None else orient(each.objective) for each in observations]
    ranked = [observations[place] for place in sorted(range(len(worth)), key=lambda place: -worth[place])]
    best, rest = ranked[: most // 3], ranked[most // 3 :]
    sample = most - len(best)
    return (*best, *(rest[place * len(rest) // sample] for place in range(sample)))


def _names(spec: JobSpec) -> set[str]:
    return _tuned(spec) | spec.static_parameters.keys()


def _tuned(spec: JobSpec) -> set[str]:
    return {parameter.name for parameter in spec.space.parameters}


def _placed(spec: JobSpec, texts: Mapping[str, str]) -> dict[str, Value]:
    """Return a trial's point in a job's space; raises ValueError if the job would not have tried it."""
    for name, text in spec.static_parameters.items():
        if not _is_same(text, texts[name]):
            raise ValueError(f"static parameter {name}: {texts[name]} is not {text}")
    return spec.space.parse({parameter.name: texts[parameter.name] for parameter in spec.space.parameters})


def _located(spec: JobSpec, fixed: Mapping[str, str], tuned: Mapping[str, str]) -> tuple[float, ...]:
    """Return where a trial of another task lies in a job's space.

    Raises ValueError where a value has no place there, and where a parameter that is fixed here varied there and had
    another value: its effect would be attributed to the others.
    """
    for name, text in tuned.items():
        if name in spec.static_parameters and not _is_same(text, spec.static_parameters[name]):
            raise ValueError(f"static parameter {name}: {text} is not {spec.static_parameters[name]}")
    return spec.space.place({**fixed, **tuned})


def _is_same(one: str, other: str) -> bool:
    """Whether two texts are the same, or the same number."""
    try:
        return one == other or float(one) == float(other)
    except ValueError:
        return False
