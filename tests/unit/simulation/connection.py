"""The API server of a simulated cluster, with the rules that matter to a controller, and what can go wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from tests.unit.simulation.objects import FINAL, FINAL_JOB, SPACE, copied, merge_patch, searched
from tests.unit.simulation.promises import Promises
from tests.unit.simulation.world import SimulatedPod
from tuning_operator.api import names
from tuning_operator.api.values import parse_time
from tuning_operator.core.suggest.streams import of_stream
from tuning_operator.runtime.kubernetes.errors import ApiError, ErrorKind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.unit.simulation.objects import Body
    from tests.unit.simulation.world import World
    from tuning_operator.runtime.kubernetes.cluster import Listed


class Crash(BaseException):
    """The operator's process has died."""


@dataclass
class Fault:
    """What goes wrong during a pass: at its `call`-th request, and before or after that takes effect."""

    call: int
    kind: str  # crash, error, fate, edit (somebody edits the job) or rival (another operator makes a pass)
    late: bool = False
    fate: tuple[str, int] = ("start", 0)


class Connection:
    """The API server as one process of the operator reaches it; judges every write."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._promises = Promises(world)
        self._calls = 0
        self._fault: Fault | None = None
        self.dead = False
        self._created: set[tuple[str, str]] = set()
        """Attempts that this process has created, by their trial's uid and their name."""
        self.departed = world.departed

    def expect(self, fault: Fault | None) -> None:
        """Arm a fault for the next pass."""
        self._fault, self._calls = fault, 0

    async def get_job(self, _namespace: str, _name: str) -> Body:
        self._promises.job = await self._request(lambda: self._world.job)
        return self._promises.job

    async def delete_job(self, _namespace: str, _name: str, uid: str, version: str) -> None:
        await self._request(lambda: self._delete_job(uid, version))

    async def list_of_job(self, plural: str, _namespace: str, _job: str) -> Listed:
        return cast("Listed", await self._request(lambda: self._world.listed(plural)))

    async def get_attempt(self, _namespace: str, _kind: str, name: str) -> Body:
        return await self._request(lambda: self._found(self._world.pods, name).render())

    async def get_trial(self, _namespace: str, name: str) -> Body:
        return await self._request(lambda: self._found(self._world.trials, name))

    async def create_event(self, _namespace: str, _body: Body) -> None:
        await self._request(lambda: None)

    async def create_trial(self, _namespace: str, body: Body) -> Body:
        return await self._request(lambda: self._create_trial(copied(body)))

    async def create_attempt(self, _namespace: str, body: Body, *, dry_run: bool = False) -> Body:
        return await self._request(lambda: body if dry_run else self._create_pod(copied(body)))

    async def delete_attempt(self, _namespace: str, _kind: str, name: str, uid: str, version: str) -> None:
        await self._request(lambda: self._delete_pod(name, uid, version))

    async def patch_job_status(self, _namespace: str, _name: str, status: Body, version: str) -> Body:
        return await self._request(lambda: self._patch_job(status, version))

    async def patch_trial_status(self, _namespace: str, name: str, status: Body, version: str) -> Body:
        return await self._request(lambda: self._patch_trial(name, status, version))

    async def _request(self, effect: Callable[[], Any]) -> Any:
        if self.dead:
            raise Crash
        self._calls += 1
        fault = self._fault if self._fault and self._fault.call == self._calls else None
        if fault and not fault.late:
            await self._suffer(fault)
        if self._world.deleted:
            raise ApiError(ErrorKind.NOT_FOUND, "the job is gone, and what belonged to it")
        answer = copied(effect())
        if fault and fault.late:
            await self._suffer(fault)
        return answer

    async def _suffer(self, fault: Fault) -> None:
        if fault.kind == "crash":
            self.dead = True
            raise Crash
        if fault.kind == "error":
            raise ApiError(ErrorKind.UNAVAILABLE, "HTTP 503")
        if fault.kind == "rival" and self._world.rival:
            await self._world.rival()
        elif fault.kind == "edit":
            self._world.edit(suspend=not self._world.job["spec"]["suspend"])
        else:
            self._world.befall(*fault.fate)

    def _found(self, objects: Mapping[str, Any], name: str) -> Any:
        if name not in objects:
            raise ApiError(ErrorKind.NOT_FOUND, f"{name} not found")
        return objects[name]

    def _delete_job(self, uid: str, version: str) -> None:
        """Delete the job; what belongs to it is collected at once."""
        job, status = self._world.job, self._world.job["status"]
        if (job["metadata"]["uid"], job["metadata"]["resourceVersion"]) != (uid, version):
            raise ApiError(ErrorKind.CONFLICT, "the precondition failed")
        assert status["phase"] in FINAL_JOB, "an unfinished job was deleted"
        age = self._world.now - parse_time(status["completionTime"])
        assert age.total_seconds() >= job["spec"]["ttlSecondsAfterFinished"], "a job was deleted before its time"
        self._world.deleted = True
        self._world.trials.clear()
        self._world.pods.clear()
        self._world.writes += 1

    def _create_trial(self, body: Body) -> Body:
        name, number = body["metadata"]["name"], body["spec"]["number"]
        if name in self._world.trials:
            raise ApiError(ErrorKind.ALREADY_EXISTS, f"{name} already exists")
        assert name == f"job-{number:04d}"
        assert names.is_controlled_by(body, names.JOB_KIND, self._world.job["metadata"]["uid"])
        self._promises.may_start(body)
        if "confirms" in body["spec"]:
            self._promises.repeats_one_of_the_best(body["spec"])
        else:
            most = self._promises.job["spec"]["limits"]["maxTrials"]
            assert len(searched(self._world.trials)) < most, "more trials than allowed"
            (point,) = of_stream(SPACE, self._promises.job["spec"]["seed"], (number,))
            expected = SPACE.render(point)
            assert body["spec"]["parameters"] == expected, "parameters that do not follow from seed and number"
        body["metadata"]["uid"] = f"uid-{name}-{self._world.versions}"
        self._world.touch(body)
        self._world.trials[name] = body
        return body

    def _create_pod(self, body: Body) -> Body:
        name, owner = body["metadata"]["name"], body["metadata"]["ownerReferences"][0]
        if name in self._world.pods:
            raise ApiError(ErrorKind.ALREADY_EXISTS, f"{name} already exists")
        trial = self._world.trials[owner["name"]]
        assert owner["uid"] == trial["metadata"]["uid"], "a Pod without a committed trial"
        status = trial.get("status") or {}
        assert name == f"{owner['name']}-{status.get('attempt', 1)}", "an attempt that is not recorded"
        assert status.get("phase", "Pending") == "Pending", "a Pod for a trial that does not wait for one"
        assert status.get("podUID") is None, "an attempt that was run before"
        assert (owner["uid"], name) not in self._created, "an attempt that this process has created before"
        self._created.add((owner["uid"], name))
        holding = sum(not pod.ended and not pod.foreign for pod in self._world.pods.values())
        assert holding < self._promises.job["spec"]["limits"]["maxParallelTrials"], "too many Pods"
        self._promises.may_start(trial)
        variables = {entry["name"]: entry["value"] for entry in body["spec"]["containers"][0]["env"]}
        assert variables["HP_lr"] == trial["spec"]["parameters"]["lr"]
        self._world.versions += 1
        body["metadata"]["uid"] = f"uid-{name}-{self._world.versions}"
        self._world.touch(body)
        reported = self._world.checkpoints.get(owner["name"], 0)
        pod = self._world.pods[name] = SimulatedPod(body, self._world.now, reported=reported)
        return pod.render()

    def _delete_pod(self, name: str, uid: str, version: str) -> None:
        pod = self._world.pods.get(name)
        if pod is None:
            return
        if (pod.body["metadata"]["uid"], pod.body["metadata"]["resourceVersion"]) != (uid, version):
            raise ApiError(ErrorKind.CONFLICT, "the precondition failed")
        reference = names.controller_of(pod.body)
        assert reference, "somebody else's Pod was deleted"
        trial = self._world.trials[reference["name"]]
        status, attempt = trial["status"], int(name.rpartition("-")[2])
        if attempt == status["attempt"] and status["phase"] not in FINAL:
            assert status["phase"] == "Stopping", "deleted without a recorded decision"
            decision = status.get("stopDecision") or status["pauseDecision"]
            assert decision["message"], "a decision without a reason"
        self._world.touch(pod.body)
        pod.deleted = pod.deleted or self._world.now
        if pod.started is None:
            del self._world.pods[name]

    def _patch_trial(self, name: str, status: Body, version: str) -> Body:
        trial = self._found(self._world.trials, name)
        before = copied(trial.get("status") or {})
        versions = self._world.versions
        self._patch(trial, status, version)
        if self._world.versions != versions:
            self._promises.keeps(name, before, trial["status"])
        return cast("Body", trial)

    def _patch_job(self, status: Body, version: str) -> Body:
        job = self._world.job
        before = copied(job.get("status") or {})
        self._patch(job, status, version)
        self._promises.keeps_the_record(before, job)
        return job

    def _patch(self, body: Body, status: Body, version: str) -> Body:
        if body["metadata"]["resourceVersion"] != version:
            raise ApiError(ErrorKind.CONFLICT, "the object has been modified")
        merged = merge_patch(body.get("status") or {}, status)
        if merged != body.get("status"):
            body["status"] = merged
            self._world.touch(body)
        return body
