"""Puts a `FakeGraph` on a loopback port, calls webhooks as Meta does, and plays its faults."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
from aiohttp import web

from simulator.graph import FakeGraph, Fault, Json, RefusedError, as_json

_BODY_MAX = 64_000_000
#: Meta goes on for hours; tests cannot wait that long.
_RETRIES, _PAUSE = 20, 0.02


@dataclass(kw_only=True)
class GraphServer:
    """The running fake, and its way to webhooks."""

    graph: FakeGraph
    session: aiohttp.ClientSession

    async def deliver(self, body: Json, *, object_name: str | None = None) -> list[int]:
        """Call the webhook of the body's object until it answers 200; return the status of every call."""
        webhook = self.graph.webhooks[object_name or body["object"]]
        content = json.dumps(body).encode()
        digest = hmac.new(self.graph.app_secret.encode(), content, hashlib.sha256).hexdigest()
        headers = {"Content-Type": "application/json", "X-Hub-Signature-256": f"sha256={digest}"}
        statuses: list[int] = []
        for _ in range(_RETRIES):
            async with self.session.post(webhook["url"], data=content, headers=headers) as answer:
                statuses.append(answer.status)
            if answer.status == 200:
                break
            await asyncio.sleep(_PAUSE)
        return statuses

    async def shake_hands(self, object_name: str) -> bool:
        """Ask the webhook of an object whether it is ours, as Meta does when it is set up."""
        webhook = self.graph.webhooks[object_name]
        query = {"hub.mode": "subscribe", "hub.verify_token": webhook["token"], "hub.challenge": "1158201444"}
        async with self.session.get(webhook["url"], params=query) as answer:
            return answer.status == 200 and await answer.text() == "1158201444"


@asynccontextmanager
async def running(graph: FakeGraph) -> AsyncIterator[GraphServer]:
    """Serve `graph` until the block ends; its `url` says where."""
    app = web.Application(client_max_size=_BODY_MAX)
    async with aiohttp.ClientSession() as session:
        server = GraphServer(graph=graph, session=session)
        routes = _Routes(graph)
        app.router.add_get("/files/{file_id}", routes.file)
        app.router.add_route("*", "/v{version:[0-9.]+}/{path:.*}", routes.call)
        app.router.add_get("/moved/{rest:.*}", routes.moved)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        graph.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield server
        finally:
            await runner.cleanup()


class _Routes:
    def __init__(self, graph: FakeGraph) -> None:
        self._graph = graph

    async def call(self, request: web.Request) -> web.StreamResponse:
        """Answer a call of the Graph API."""
        path, parameters = request.match_info["path"], await _parameters(request)
        is_sign = "sender_action" in parameters or parameters.get("status") == "read"
        fault = self._graph.fault_of("signs" if is_sign else path.rpartition("/")[2])
        if fault is not None and not fault.is_done:
            return await _play(request, fault, web.Response(status=fault.status, body=fault.body))
        bearer = request.headers.get("Authorization", "").removeprefix("Bearer ")
        try:
            made = self._graph.call(request.method, path, parameters, bearer)
            answer = web.json_response(made)
        except RefusedError as error:
            answer = web.json_response(error.body, status=error.status)
        return answer if fault is None else await _play(request, fault, answer)

    async def file(self, request: web.Request) -> web.StreamResponse:
        """Hand out a file that WhatsApp keeps to whoever has the token."""
        fault = self._graph.fault_of("files")
        if fault is not None:
            return await _play(request, fault, web.Response(status=fault.status, body=fault.body))
        if request.headers.get("Authorization") != f"Bearer {self._graph.token}":
            raise web.HTTPUnauthorized
        kept = self._graph.files.get(request.match_info["file_id"])
        if kept is None:
            raise web.HTTPNotFound
        return web.Response(body=kept[1], content_type=kept[0] or "application/octet-stream")

    async def moved(self, request: web.Request) -> web.StreamResponse:
        """Send the caller elsewhere."""
        raise web.HTTPFound(request.query["to"])


async def _parameters(request: web.Request) -> Json:
    parameters: Json = dict(request.query)
    if request.content_type == "application/json":
        return parameters | dict(await request.json())
    for name, value in (await request.post()).items():
        is_file = isinstance(value, web.FileField)
        parameters[name] = (value.filename, value.content_type, value.file.read()) if is_file else value  # type: ignore[union-attr]
    return as_json(parameters)


async def _play(request: web.Request, fault: Fault, answer: web.Response) -> web.StreamResponse:
    """Answer as the fault wants: cut, never, or with its own words."""
    if fault.hangs:
        await asyncio.Event().wait()
    if fault.cut_after is not None:
        transport = request.transport
        if transport is not None:
            body = answer.body if isinstance(answer.body, bytes) else b""
            head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            transport.write((head.encode() + body)[: fault.cut_after])
            transport.close()
        return answer
    if fault.error is not None:
        return web.json_response(fault.error.body, status=fault.error.status, headers=fault.headers)
    return web.Response(status=fault.status, body=fault.body, headers=fault.headers)
