"""The routes: every one answers GET, and asks the API server with what the caller brings."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Protocol

from aiohttp import web

from tuning_console import bodies, files, questions
from tuning_console.caches import Caches
from tuning_console.errors import ConsoleError, ExpiredError, RefusedError
from tuning_console.frames import Frames, NobodyReadsError, Places
from tuning_console.guard import add_headers, guard
from tuning_console.pages import JobPage, JobsPage, best_so_far, newest_events
from tuning_console.replays import Replays, parse_rule
from tuning_console.streams import EXPIRED, Limits, first_of, follow, refused

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tuning_console.access import Access
    from tuning_console.streams import Watch
    from tuning_console.upstream import Caller, Upstream

_log = logging.getLogger(__name__)
# Of a trial's own page.
_POINTS = 4_000
_MAX_FIELD = 32 * 1024


class _Page(Protocol):
    @property
    def rechecks(self) -> Sequence[questions.Question]: ...
    async def prepare(self, upstream: Upstream, caller: Caller) -> Any: ...
    async def send_all(self, upstream: Upstream, caller: Caller, frames: Frames) -> Mapping[str, str]: ...
    def watches(self, versions: Mapping[str, str]) -> list[Watch]: ...


@dataclass
class Console:
    """The console's handlers.

    Attributes:
        upstream: the API server.
        access: how callers are known.
        pages: the built pages, from `files.load`.
        limits: bounds of a stream.
        places: how many streams there may be.
        caches: what callers were shown.
        replays: jobs under other early stopping rules.
    """

    upstream: Upstream
    access: Access
    pages: dict[str, files.File]
    limits: Limits = field(default_factory=Limits)
    places: Places = field(default_factory=lambda: Places(200, 12))
    caches: Caches = field(default_factory=Caches)
    replays: Replays = field(default_factory=Replays)

    def app(self) -> web.Application:
        """The application, for `web.AppRunner`."""
        app = web.Application(
            middlewares=[guard(self.access)],
            client_max_size=1,
            handler_args={
                "max_field_size": _MAX_FIELD,
                "max_line_size": 8190,
                "max_headers": 100,
            },
        )
        app.on_response_prepare.append(add_headers)
        app.router.add_routes(self._routes())
        return app

    def _routes(self) -> list[web.RouteDef]:
        namespace, job = "/api/namespaces/{namespace}", "/api/namespaces/{namespace}/jobs/{job}"
        trial = f"{namespace}/trials/{{trial}}"
        table = {
            "/healthz": self.health,
            "/api/session": self.session,
            "/api/jobs": self.jobs,
            f"{namespace}/jobs": self.jobs,
            job: self.job,
            f"{job}/best": self.best,
            f"{job}/events": self.job_events,
            f"{job}/manifest": self.job_manifest,
            f"{job}/what-if": self.what_if,
            trial: self.trial,
            f"{trial}/pods": self.pods,
            f"{trial}/events": self.trial_events,
            f"{namespace}/pods/{{pod}}/log": self.log,
            "/": self.file,
            "/{name:[-._a-zA-Z0-9/]+}": self.file,
        }
        return [web.get(path, handler, allow_head=False) for path, handler in table.items()]

    async def health(self, _request: web.Request) -> web.Response:
        """Say that the console runs; it says nothing of the API server."""
        return web.Response(text="ok")

    async def file(self, request: web.Request) -> web.Response:
        """Serve one of the built pages."""
        return files.serve(self.pages, request)

    async def session(self, request: web.Request) -> web.Response:
        """Say what the pages have to know first."""
        return web.json_response(self.access.session(request))

    async def jobs(self, request: web.Request) -> web.StreamResponse:
        """Stream the list of jobs."""
        namespace = request.match_info.get("namespace")
        return await self._stream(request, JobsPage(namespace), ("jobs",))

    async def job(self, request: web.Request) -> web.StreamResponse:
        """Stream a job with its trials."""
        where, name = request.match_info["namespace"], request.match_info["job"]
        return await self._stream(request, JobPage(where, name), ("job", "trials"))

    async def best(self, request: web.Request) -> web.Response:
        """Give the objectives of a job's trials in their order; `version` says of which state of the job."""
        caller = await self.access.caller(request)
        where, name = request.match_info["namespace"], request.match_info["job"]
        key = (where, name, request.query.get("version", "")[:64])
        values = self.caches.get(caller.key, key)
        if values is not None:
            # Cached answers are shown only to a token that is still valid.
            await self._read(questions.job(where, name), caller)
        else:
            values = await self._asked(caller, best_so_far(self.upstream, caller, where, name))
            self.caches.put(caller.key, key, values)
        return web.json_response({"objectives": values})

    async def trial(self, request: web.Request) -> web.Response:
        """Give all about a trial, its job's objective beside it."""
        caller = await self.access.caller(request)
        where, name = request.match_info["namespace"], request.match_info["trial"]
        trial = await self._read(questions.trial(where, name), caller)
        owner = (trial["metadata"].get("labels") or {}).get(f"{questions.GROUP}/job", "")
        job = await self._read(questions.job(where, owner), caller)
        return web.json_response(
            {
                "trial": bodies.trial_body(trial, _POINTS, maximize=bodies.maximizes(job)),
                "job": bodies.job_body(job),
                "manifest": bodies.manifest(trial),
            }
        )

    async def pods(self, request: web.Request) -> web.Response:
        """Give the Pods of a trial."""
        caller = await self.access.caller(request)
        question = questions.pods(request.match_info["namespace"], request.match_info["trial"])
        found = await self._read(question, caller)
        return web.json_response({"pods": [bodies.pod_body(pod) for pod in found["items"]]})

    async def log(self, request: web.Request) -> web.Response:
        """Give the last lines of a container, as text."""
        caller = await self.access.caller(request)
        where, pod = request.match_info["namespace"], request.match_info["pod"]
        question = questions.log(where, pod, request.query.get("container", ""))
        said = await self._asked(caller, self.upstream.text(question, caller))
        return web.Response(text=said.decode(errors="replace"), content_type="text/plain")

    async def job_events(self, request: web.Request) -> web.Response:
        """Give the Events about a job, those of its trials among them."""
        return await self._events(request, request.match_info["job"])

    async def trial_events(self, request: web.Request) -> web.Response:
        """Give the Events about a trial, which are its job's."""
        trial = questions.checked(request.match_info["trial"])
        return await self._events(request, trial.rpartition("-")[0], trial)

    async def job_manifest(self, request: web.Request) -> web.Response:
        """Give a job as the API server has it."""
        caller = await self.access.caller(request)
        question = questions.job(request.match_info["namespace"], request.match_info["job"])
        return web.json_response({"manifest": bodies.manifest(await self._read(question, caller))})

    async def what_if(self, request: web.Request) -> web.Response:
        """Give what another early stopping rule would have done with a job, whose state `version` says."""
        caller = await self.access.caller(request)
        where, name = request.match_info["namespace"], request.match_info["job"]
        text = request.query.get("rule", "")
        rule, key = parse_rule(text), (where, name, request.query.get("version", "")[:64], text)
        # Cached answers are shown only to a token that is still valid.
        job = await self._read(questions.job(where, name), caller)
        result = self.caches.get(caller.key, key)
        if result is None:
            pages = self.upstream.pages(questions.trials(where, name), caller)
            result = await self._asked(caller, self.replays.run(caller.key, rule, job, pages))
            self.caches.put(caller.key, key, result)
        return web.json_response(result)

    async def _events(self, request: web.Request, job: str, trial: str | None = None) -> web.Response:
        caller = await self.access.caller(request)
        question = questions.events(request.match_info["namespace"], "HyperparameterTuningJob", job)
        answer = newest_events(self.upstream, caller, question, trial)
        return web.json_response({"events": await self._asked(caller, answer)})

    async def _read(self, question: questions.Question, caller: Caller) -> dict[str, Any]:
        return await self._asked(caller, self.upstream.read(question, caller))

    async def _asked(self, caller: Caller, answer: Any) -> Any:
        try:
            return await answer
        except RefusedError as error:
            if error.status == HTTPStatus.UNAUTHORIZED:
                self.caches.forget(caller.key)
            raise

    async def _stream(self, request: web.Request, page: _Page, parts: tuple[str, ...]) -> web.StreamResponse:
        """Send what is there, unless the browser says what it has, then follow."""
        caller = await self.access.caller(request)
        given = {part: request.query[part][:64] for part in parts if part in request.query}
        frames = Frames(request, self.limits.patience)
        with self.places.take(caller.key):
            # A refusal is an answer with its status; once frames are sent it is a frame.
            await self._asked(caller, page.prepare(self.upstream, caller))
            await frames.open()
            try:
                if len(given) < len(parts):
                    versions = await page.send_all(self.upstream, caller, frames)
                    await frames.send({"ready": versions})
                else:
                    versions = given
                watches = page.watches(versions)
                await frames.end(await follow(self.upstream, caller, watches, page.rechecks, frames, self.limits))
            except* ExpiredError:
                await frames.end(EXPIRED)
            except* ConsoleError as group:
                await frames.end(refused(first_of(group)))
            except* (NobodyReadsError, ConnectionError):
                _log.info("a browser went away")
        return frames.response
