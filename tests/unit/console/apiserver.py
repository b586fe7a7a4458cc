"""An API server that tests play: it keeps jobs and trials, answers lists, pages, watches, and knows tokens."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

Body = dict[str, Any]


def job_object(name: str = "fashion", namespace: str = "team", **status: Any) -> Body:
    return {
        "metadata": {
            "name": name,
            "namespace": namespace,
            "uid": f"uid-{name}",
            "resourceVersion": "5",
            "creationTimestamp": "2026-03-01T10:00:00Z",
            "managedFields": [{"manager": "x"}],
        },
        "spec": {
            "objective": {"metric": "validation:accuracy", "goal": "Maximize"},
            "limits": {"maxTrials": 20, "maxParallelTrials": 2},
            "template": {
                "spec": {"containers": [{"name": "training", "env": [{"name": "SECRET", "value": "hidden"}]}]}
            },
        },
        "status": {"phase": "Running", **status},
    }


def trial_object(number: int, values: list[str], job: str = "fashion", version: int = 10, **status: Any) -> Body:
    return {
        "metadata": {
            "name": f"{job}-{number:04d}",
            "namespace": "team",
            "uid": f"uid-{job}-{number}",
            "resourceVersion": str(version),
            "labels": {"tuning-operator.dev/job": job},
            "ownerReferences": [{"uid": f"uid-{job}"}],
        },
        "spec": {"number": number, "parameters": {"learning_rate": "0.01"}, "seed": 1},
        "status": {
            "phase": "Running",
            "curve": {"epochs": list(range(1, len(values) + 1)), "values": values},
            "epochs": len(values),
            **status,
        },
    }


@dataclass
class ApiServer:
    """What the played API server has and has seen.

    Attributes:
        jobs: by name.
        trials: of all jobs.
        tokens: that are good.
        forbidden: tokens that are known but may nothing.
        hidden: resources that no token may list.
        requests: method, path, query and Authorization of each request.
        changes: what open and later watches show.
    """

    jobs: dict[str, Body] = field(default_factory=lambda: {"fashion": job_object()})
    trials: list[Body] = field(default_factory=list)
    tokens: set[str] = field(default_factory=lambda: {"good", "other"})
    forbidden: set[str] = field(default_factory=set)
    hidden: set[str] = field(default_factory=set)
    requests: list[tuple[str, str, dict[str, str], str]] = field(default_factory=list)
    changes: list[tuple[str, Body]] = field(default_factory=list)
    watchers: int = 0
    events: list[Body] = field(default_factory=list)
    log: str = "a line\n"
    expired: bool = False

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        return app

    def change(self, plural: str, kind: str, body: Body) -> None:
        self.changes.append((plural, {"type": kind, "object": body}))

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        self.requests.append((request.method, request.path, dict(request.query), token))
        if token in self.forbidden:
            return _status(403, 'tuningjobs.tuning-operator.dev is forbidden: User "<b>x</b>" cannot list')
        if token not in self.tokens:
            return _status(401, "Unauthorized")
        *_, last = request.path.split("/")
        if last in self.hidden and "watch" not in request.query:
            return _status(403, f"{last} is forbidden")
        if request.query.get("watch"):
            return await self._watch(request, last)
        return self._read(request, last)

    def _read(self, request: web.Request, last: str) -> web.Response:
        if last == "log":
            if "*/*" not in request.headers["Accept"]:
                return _status(406, "only the following media types are accepted: application/json")
            return web.Response(text=self.log)
        if last == "tuningjobs":
            return _list(list(self.jobs.values()), request)
        if last == "tuningtrials":
            wanted = request.query.get("labelSelector", "").partition("=")[2]
            found = [body for body in self.trials if body["metadata"]["labels"]["tuning-operator.dev/job"] == wanted]
            return _table(found) if "as=Table" in request.headers["Accept"] else _list(found, request)
        if last in ("pods", "events"):
            return _list(self.events if last == "events" else [], request)
        body = self.jobs.get(last) or next((it for it in self.trials if it["metadata"]["name"] == last), None)
        return web.json_response(body) if body else _status(404, f'tuningjobs "{last}" not found')

    async def _watch(self, request: web.Request, plural: str) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        shown = 0
        self.watchers += 1
        try:
            if self.expired:
                status = {"type": "ERROR", "object": {"kind": "Status", "code": 410, "message": "too old"}}
                await response.write(json.dumps(status).encode() + b"\n")
                return response
            while True:
                for wanted, event in self.changes[shown:]:
                    if wanted == plural:
                        await response.write(json.dumps(event).encode() + b"\n")
                shown = len(self.changes)
                await asyncio.sleep(0.01)
        finally:
            self.watchers -= 1


def _list(items: list[Body], request: web.Request) -> web.Response:
    start, limit = int(request.query.get("continue", "0")), int(request.query.get("limit", "0")) or len(items)
    more = {"continue": str(start + limit)} if start + limit < len(items) else {}
    return web.json_response({"metadata": {"resourceVersion": "100", **more}, "items": items[start : start + limit]})


def _table(trials: list[Body]) -> web.Response:
    columns = [{"name": name} for name in ("Name", "Status", "Objective", "Epochs")]
    rows = [
        {"cells": [it["metadata"]["name"], it["status"]["phase"], it["status"].get("objective"), 1]} for it in trials
    ]
    return web.json_response({"metadata": {}, "columnDefinitions": columns, "rows": rows})


def _status(code: int, message: str) -> web.Response:
    return web.json_response({"kind": "Status", "code": code, "message": message}, status=code)
