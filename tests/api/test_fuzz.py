"""What the API server accepts the operator understands: jobs and statuses that Hypothesis makes up."""

from __future__ import annotations

import json
import urllib.error
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cluster.api import Api
from cluster.operators import GROUP, job_manifest
from cluster.prometheus import Prometheus
from tests.api.job_specs import SPECS
from tuning_operator.api.fields import InvalidJobError
from tuning_operator.api.job import parse_job
from tuning_operator.api.pods import build_pod
from tuning_operator.api.trial import InvalidTrialError, new_trial, parse_trial
from tuning_operator.core.model.spec import Strategy
from tuning_operator.core.suggest import SuggestRequest, suggest
from tuning_operator.runtime.prometheus.client import Prometheus as Client

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.api

settings.register_profile("api", deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
MERGE = "application/merge-patch+json"


@pytest.fixture(scope="module")
def server(kubeconfig: Path) -> Api:
    """With a job and a trial in the namespace `default` for statuses to be tried on."""
    api = Api(kubeconfig)
    job = api.call("POST", f"{GROUP}/namespaces/default/tuningjobs", job_manifest("default", "fuzz"))
    (drawn,) = draw(parse_job(job))
    api.call("POST", f"{GROUP}/namespaces/default/tuningtrials", new_trial(parse_job(job).job, drawn))
    return api


def draw(job: Any) -> Any:
    spec = job.job.spec
    return suggest(SuggestRequest(spec.space, spec.objective.goal, Strategy.RANDOM, job.job.seed, (1,), (), ()))


def tried(api: Api, method: str, path: str, body: dict[str, Any]) -> dict[str, Any] | None:
    """What the API server would store; None when it refuses."""
    kind = MERGE if method == "PATCH" else "application/json"
    try:
        stored: dict[str, Any] = api.call(method, f"{GROUP}/namespaces/default/{path}?dryRun=All", body, kind=kind)
    except urllib.error.HTTPError as error:
        if error.code not in {400, 422}:
            raise
        return None
    return stored


def test_a_job_that_is_accepted_is_understood_and_makes_a_trial_and_a_pod(server: Api) -> None:
    outcomes: Counter[str] = Counter()

    @settings(settings.get_profile("api"), max_examples=150)
    @given(SPECS)
    def each(spec: dict[str, Any]) -> None:
        body = job_manifest("default", "made-up") | {"spec": spec}
        stored = tried(server, "POST", "tuningjobs", body)
        if stored is None:
            outcomes["refused"] += 1
            return
        job = parse_job(stored)
        (suggestion,) = draw(job)
        body = new_trial(job.job, suggestion)
        body["metadata"] |= {"uid": "1", "resourceVersion": "1"}
        trial = parse_trial(body, job.job.spec)
        assert trial.parameters == suggestion.parameters
        try:
            pod = build_pod(job.job, job.template, trial)
        except ValueError as error:
            outcomes["no Pod" if str(error).startswith("spec.template") else str(error)] += 1
            return
        assert pod["spec"]["automountServiceAccountToken"] is not None
        json.dumps(pod)
        outcomes["Pod"] += 1

    each()
    assert outcomes["Pod"] > 10, outcomes
    assert outcomes["no Pod"] > 3, outcomes
    assert outcomes.keys() == {"Pod", "no Pod", "refused"}


TIMES = st.sampled_from(
    ["2026-01-02T03:04:05Z", "2026-01-02T03:04:05.123456789+14:00", "2026-01-02t03:04:05z", "x", ""]
)
NUMBERS = st.sampled_from(["1", "-0.5", "NaN", "+Inf", "1e999", "high", "", "1_0"])
TRIAL_STATUSES = st.fixed_dictionaries(
    {},
    optional={
        "phase": st.sampled_from(["Pending", "Running", "Collecting", "Stopping", "Completed", "Failed", "New"]),
        "attempt": st.integers(0, 2**31),
        "attemptTime": TIMES,
        "startTime": TIMES,
        "completionTime": TIMES,
        "trainingSeconds": st.integers(),
        "curve": st.fixed_dictionaries(
            {},
            optional={"epochs": st.lists(st.integers(-1, 5), max_size=4), "values": st.lists(NUMBERS, max_size=4)},
        ),
        "stopDecision": st.fixed_dictionaries(
            {}, optional={"reason": st.text(max_size=4), "epoch": st.integers(), "value": NUMBERS, "threshold": NUMBERS}
        ),
        "reason": st.text(max_size=4),
        "future": st.integers(),
    },
)
JOB_STATUSES = st.fixed_dictionaries(
    {},
    optional={
        "phase": st.sampled_from(["Pending", "Running", "Stopping", "Completed", "Failed", "New"]),
        "startTime": TIMES,
        "completionTime": TIMES,
        "completionReason": st.sampled_from(["MaxTrialsReached", "Other"]),
        "message": st.text(max_size=4),
        "conditions": st.lists(
            st.fixed_dictionaries(
                {"type": st.sampled_from(["TemplateValid", "New"]), "status": st.sampled_from(["True", "Maybe"])},
                optional={"reason": st.just("x"), "message": st.text(max_size=4), "lastTransitionTime": TIMES},
            ),
            max_size=2,
        ),
        "future": st.integers(),
    },
)


@pytest.mark.parametrize(
    ("path", "statuses"), [("tuningjobs/fuzz", JOB_STATUSES), ("tuningtrials/fuzz-0001", TRIAL_STATUSES)]
)
def test_a_status_that_is_accepted_is_understood_or_named_as_not(
    server: Api, path: str, statuses: st.SearchStrategy[dict[str, Any]]
) -> None:
    outcomes: Counter[str] = Counter()
    spec = parse_job(server.call("GET", f"{GROUP}/namespaces/default/tuningjobs/fuzz")).job.spec

    @settings(settings.get_profile("api"), max_examples=100)
    @given(statuses)
    def each(status: dict[str, Any]) -> None:
        stored = tried(server, "PATCH", f"{path}/status", {"status": status})
        if stored is None:
            return
        try:
            if path.startswith("tuningjobs"):
                parse_job(stored)
            else:
                parse_trial(stored, spec)
            outcomes["understood"] += 1
        except (InvalidJobError, InvalidTrialError):
            outcomes["named"] += 1

    each()
    assert outcomes["understood"] > 10, outcomes


async def test_whatever_metrics_and_pods_are_called_prometheus_understands_the_question(tmp_path: Path) -> None:
    """Its own parser says so, other than the one that the unit tests play."""
    with Prometheus(tmp_path / "prometheus") as real:
        client = Client(real.url)
        names = [chr(code) * 2 for code in (*range(0x20, 0x180), 0x378, 0x2028, 0xFFFD, 0xFFFE, 0x1F600, 0x10FFFF)]
        names += [
            '"}) or vector(1) #',
            "\\",
            "\\\\",
            "a|b",
            ".*",
            "`",
            "'",
            "{{x}}",
            "$(x)",
            "\\d+\\Q",
            "%s",
            "[[:alpha:]]",
        ]
        pods = {f"job-{number:04d}-1": name for number, name in enumerate(names, start=1)}
        try:
            for batch in (pods, *({pod: name} for pod, name in list(pods.items())[-15:])):
                curves = await client.curves("default", batch, dict.fromkeys(batch, 300_000))
                assert {len(curve) for curve in curves.values()} == {0}
        finally:
            await client.close()
