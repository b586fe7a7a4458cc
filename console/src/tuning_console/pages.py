"""What each live page is made of: the list of jobs, and a job with its trials."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tuning_console import bodies, questions
from tuning_console.curves import as_json, number, parse_curve, points_each
from tuning_console.streams import Watch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tuning_console.frames import Frames
    from tuning_console.questions import Question
    from tuning_console.upstream import Caller, Upstream

Body = dict[str, Any]
Frame = dict[str, Any]
# More new points than this are sent as a whole curve, shortened.
_LONG_TAIL = 200


class JobsPage:
    """The jobs of a namespace, or of all.

    Args:
        namespace: None for all.
    """

    def __init__(self, namespace: str | None) -> None:
        self._question = questions.jobs(namespace)
        # Whether the token still has the rights that the page needs.
        self.rechecks = (self._question.with_query(limit="1"),)

    async def prepare(self, upstream: Upstream, caller: Caller) -> None:
        """See whether the caller may list jobs at all."""
        await upstream.text(self.rechecks[0], caller)

    async def send_all(self, upstream: Upstream, caller: Caller, frames: Frames) -> Mapping[str, str]:
        """Send what is there; returns the resource versions to continue from."""
        version = "0"
        async for page in upstream.pages(self._question, caller):
            version = page["metadata"]["resourceVersion"]
            await frames.send({"jobs": [bodies.job_body(job, brief=True) for job in page["items"]]})
        return {"jobs": version}

    def watches(self, versions: Mapping[str, str]) -> list[Watch]:
        """What to follow."""
        return [Watch(self._question, versions["jobs"], self._frame)]

    @staticmethod
    def _frame(event: Body) -> Frame:
        job = event["object"]
        at = {"at": {"jobs": job["metadata"]["resourceVersion"]}}
        if event["type"] == "BOOKMARK":
            return at
        if event["type"] == "DELETED":
            return {"gone": job["metadata"]["uid"], **at}
        return {"jobs": [bodies.job_body(job, brief=True)], **at}


class JobPage:
    """A job with all its trials and their curves.

    Of each trial is remembered how much of its curve the browser has, so that a new epoch is sent as such.

    Args:
        namespace: the job's.
        name: the job's.
    """

    def __init__(self, namespace: str, name: str) -> None:
        self._job = questions.job(namespace, name)
        self._job_list = questions.one_job(namespace, name)
        self._trials = questions.trials(namespace, name)
        self.rechecks = (self._job, questions.trial_columns(namespace, name).with_query(limit="1"))
        self._uid = ""
        self._maximize = True
        self._points = 0
        self._sent: dict[str, tuple[int, float]] = {}

    async def send_all(self, upstream: Upstream, caller: Caller, frames: Frames) -> Mapping[str, str]:
        """Send the job, then its trials page by page; returns the resource versions to continue from."""
        job = await upstream.read(self._job, caller)
        await frames.send({"job": bodies.job_body(job)})
        versions = {"job": job["metadata"]["resourceVersion"], "trials": "0"}
        async for page in upstream.pages(self._trials, caller):
            versions["trials"] = page["metadata"]["resourceVersion"]
            for trial in bodies.owned(page["items"], self._uid):
                # One by one: the page's own objects are gone before the next page is read.
                await frames.send({"trials": [self._whole(trial)]})
        return versions

    async def prepare(self, upstream: Upstream, caller: Caller) -> None:
        """Read what the pages depend on: which way is better, and how many trials there are."""
        job = await upstream.read(self._job, caller)
        counts = (job.get("status") or {}).get("trialCounts") or {}
        self._uid, self._maximize = job["metadata"]["uid"], bodies.maximizes(job)
        self._points = points_each(sum(counts.values()))

    def watches(self, versions: Mapping[str, str]) -> list[Watch]:
        """What to follow."""
        return [
            Watch(self._job_list, versions["job"], self._job_frame),
            Watch(self._trials, versions["trials"], self._trial_frame),
        ]

    def _job_frame(self, event: Body) -> Frame | None:
        job = event["object"]
        at = {"at": {"job": job["metadata"]["resourceVersion"]}}
        if event["type"] == "BOOKMARK":
            return at
        if event["type"] == "DELETED":
            return {"deleted": True, **at}
        return {"job": bodies.job_body(job), **at}

    def _trial_frame(self, event: Body) -> Frame | None:
        trial = event["object"]
        at = {"at": {"trials": trial["metadata"]["resourceVersion"]}}
        if event["type"] == "BOOKMARK":
            return at
        if not bodies.owned([trial], self._uid):
            return at
        if event["type"] == "DELETED":
            self._sent.pop(trial["metadata"]["name"], None)
            return {"gone": trial["metadata"]["name"], **at}
        return {"trials": [self._change(trial)], **at}

    def _whole(self, trial: Body) -> Body:
        self._remember(trial)
        return bodies.trial_body(trial, self._points, maximize=self._maximize)

    def _change(self, trial: Body) -> Body:
        """A trial with the end of its curve that the browser lacks; with all of it where it cannot be appended."""
        curve = parse_curve(trial.get("status") or {})
        known, last = self._sent.get(trial["metadata"]["name"], (0, 0.0))
        new = len(curve.epochs) - known
        if known and 0 <= new <= _LONG_TAIL and curve.epochs[known - 1] == last:
            self._remember(trial)
            row = bodies.trial_row(trial)
            tail = bodies.curve_body(type(curve)(curve.epochs[known:], curve.values[known:]))
            return row | {"tail": tail} if new else row
        return self._whole(trial)

    def _remember(self, trial: Body) -> None:
        epochs = ((trial.get("status") or {}).get("curve") or {}).get("epochs") or ()
        self._sent[trial["metadata"]["name"]] = (len(epochs), number(epochs[-1]) if epochs else 0.0)


async def best_so_far(upstream: Upstream, caller: Caller, namespace: str, job: str) -> list[float | str | None]:
    """The objectives of a job's search in the order of its trials, by the columns that kubectl prints."""
    found: list[tuple[str, float | str | None]] = []
    async for page in upstream.pages(questions.trial_columns(namespace, job), caller):
        names = [column["name"] for column in page["columnDefinitions"]]
        name, status, objective = (names.index(wanted) for wanted in ("Name", "Status", "Objective"))
        confirms = names.index("Confirms") if "Confirms" in names else None  # not of an older CRD
        for row in page.get("rows") or ():
            cells = row["cells"]
            if confirms is not None and cells[confirms]:
                continue
            ended = cells[status] in _WITH_OBJECTIVE and cells[objective] not in (None, "")
            found.append((cells[name], as_json(number(cells[objective])) if ended else None))
    return [value for _, value in sorted(found, key=lambda item: item[0])]


# A trial that was stopped has a value, too, and may be the best.
_WITH_OBJECTIVE = ("Completed", "EarlyStopped", "Stopped")


async def newest_events(upstream: Upstream, caller: Caller, question: Question, trial: str | None = None) -> list[Body]:
    """The newest Events about a job, or about a trial of it, the newest first; they come in the order of names."""
    found: list[Body] = []
    async for page in upstream.pages(question, caller):
        events = (bodies.event_body(event) for event in page["items"])
        found += [event for event in events if trial in {None, event["about"]}]
        found = sorted(found, key=lambda event: str(event["time"]), reverse=True)[:_EVENTS]
    return found


_EVENTS = 1_000
