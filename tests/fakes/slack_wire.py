"""How a fake Slack and an app reach each other: Web API, signed events and Socket Mode.

After Slack's documented protocol and the mock server of slack_sdk's own tests. Faults are ordered per method:
`fail("chat.postMessage", "accept_then_cut")`.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from collections import defaultdict
from dataclasses import dataclass, field
from email.utils import formatdate
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode

import aiohttp
from aiohttp import web

from tests.fakes.slack_api import APP, Workspace
from tests.fakes.slack_limits import Limits
from tests.fakes.slack_rules import block_problem

Json = dict[str, Any]
#: As long as Slack waits.
ACK_WITHIN_SECONDS = 3.0
BOT_TOKEN, APP_TOKEN, SECRET = "xoxb-fake", "xapp-fake", "shhh"
SCOPES = (
    "channels:history,channels:read,chat:write,commands,files:read,files:write,groups:history,groups:read,"
    "metadata.message:read,reactions:read,reactions:write,usergroups:read,users:read"
)


@dataclass
class Socket:
    """One Socket Mode connection and the acknowledgements that came over it."""

    ws: web.WebSocketResponse
    acks: dict[str, asyncio.Future[Json]] = field(default_factory=dict)


class Wire(Workspace):
    """A workspace with one app that calls it, and that it tells of events."""

    def __init__(self) -> None:
        """Begin with an empty queue channel and nobody listening."""
        super().__init__()
        #: every call that reached us: method and arguments
        self.calls: list[tuple[str, Json]] = []
        #: status of every delivery of an event over HTTP
        self.deliveries: list[int] = []
        self.events_url: str | None = None
        #: what commands were answered, by what `command` returned
        self.answers: dict[str, Json] = {}
        self.sockets: list[Socket] = []
        #: one entry for each socket that was opened, to wait for
        self.connections: asyncio.Queue[Socket] = asyncio.Queue()
        self.scopes = SCOPES
        self.is_revoked = False
        #: nothing is answered, and no event is told of: not now, and not later
        self.is_down = False
        #: events happen, and nobody is told
        self.is_silent = False
        #: seconds in which the next envelopes have to be acknowledged, one each; then as long as Slack waits
        self.patience: list[float] = []
        #: seconds that Slack's clock is ahead of ours
        self.clock_ahead = 0.0
        #: none: calls are not limited
        self.limits: Limits | None = None
        self._faults: dict[str, list[Json]] = defaultdict(list)
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        """Listen on a free port of the loopback."""
        app = web.Application()
        app.router.add_route("*", "/api/{method}", self._api)
        app.router.add_get("/link", self._link)
        app.router.add_get("/files/{id}", self._download)
        app.router.add_post("/upload/{id}", self._upload)
        app.router.add_post("/answers/{id}", self._answered)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close everything."""
        for socket in self.sockets:
            await socket.ws.close()
        if self._runner:
            await self._runner.cleanup()

    @property
    def base_url(self) -> str:
        """What `SlackAccount.base_url` has to be."""
        return f"{self.url}/api/"

    # ---- what tests arrange

    def fail(self, method: str, how: str, times: int = 1, after: int = 2) -> None:
        """Make the next calls fail: `429`, `500`, `cut`, `accept_then_cut`, or one of Slack's error codes."""
        self._faults[method] += [{"how": how, "after": after}] * times

    # ---- how the app is told

    async def deliver(self, body: Json) -> Json:
        """Tell the app: over an open socket, else over HTTP; three repeats, as Slack does for events."""
        if self.is_silent or self.is_down:
            return {"undelivered": True}
        is_event = body.get("type") == "event_callback"
        for attempt in range(4 if is_event else 1):
            answer = await self._deliver_once(body, attempt)
            if answer is not None:
                return answer
        return {"undelivered": True}

    def signed(self, body: Json, at: float | None = None) -> tuple[bytes, dict[str, str]]:
        """Return a body and its headers as Slack sends them."""
        if body.get("type") in {"event_callback", "url_verification"}:
            raw, kind = json.dumps(body).encode(), "application/json"
        elif str(body.get("command")).startswith("/"):
            raw, kind = urlencode(body, errors="replace").encode(), "application/x-www-form-urlencoded"
        else:
            raw, kind = urlencode({"payload": json.dumps(body)}).encode(), "application/x-www-form-urlencoded"
        stamp = str(int(at if at is not None else time.time()))
        digest = hmac.new(SECRET.encode(), f"v0:{stamp}:".encode() + raw, hashlib.sha256).hexdigest()
        headers = {"content-type": kind, "x-slack-request-timestamp": stamp, "x-slack-signature": f"v0={digest}"}
        return raw, headers

    async def _deliver_once(self, body: Json, attempt: int) -> Json | None:
        open_sockets = [socket for socket in self.sockets if not socket.ws.closed]
        if open_sockets:
            return await self._over_socket(open_sockets[-1], body, attempt)
        if self.events_url is None:
            return {}
        raw, headers = self.signed(body)
        if attempt:
            headers |= {"x-slack-retry-num": str(attempt), "x-slack-retry-reason": "http_error"}
        async with (
            aiohttp.ClientSession() as session,
            session.post(self.events_url, data=raw, headers=headers) as answer,
        ):
            self.deliveries.append(answer.status)
            content = await answer.read()
            if answer.status >= 300:
                return None
            return json.loads(content) if content else {}

    async def _over_socket(self, socket: Socket, body: Json, attempt: int) -> Json | None:
        envelope_id, is_event = f"envelope-{next(self.ticks)}", body.get("type") == "event_callback"
        socket.acks[envelope_id] = asyncio.get_running_loop().create_future()
        envelope: Json = {
            "envelope_id": envelope_id,
            "type": "events_api" if is_event else "slash_commands" if "command" in body else "interactive",
            "accepts_response_payload": not is_event,
            "payload": body,
        }
        if is_event:
            envelope |= {"retry_attempt": attempt, "retry_reason": "timeout" if attempt else ""}
        await socket.ws.send_json(envelope)
        try:
            within = self.patience.pop(0) if self.patience else ACK_WITHIN_SECONDS
            answer = await asyncio.wait_for(socket.acks[envelope_id], within)
        except TimeoutError:
            return None
        return answer.get("payload") or {}

    # ---- the Web API

    async def _api(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"]
        arguments = await _arguments(request)
        self.calls.append((method, arguments))
        fault = self._faults[method].pop(0) if self._faults[method] else {}
        how = str(fault.get("how", ""))
        if self.is_down:
            how = "500"
        after = self.limits.over(method, arguments) if self.limits else 0
        if how == "429" or after:
            headers = {"Retry-After": str(after or fault["after"])}
            return web.json_response({"ok": False, "error": "ratelimited"}, status=429, headers=headers)
        if how == "500":
            return web.Response(status=500, text="<html>Server Error</html>", content_type="text/html")
        if how == "cut":
            return _cut(request)
        error = "token_revoked" if self.is_revoked else _auth_error(request, method)
        error = error or (how if how and how != "accept_then_cut" else "")
        answer = {"ok": False, "error": error} if error else self.answer(method, arguments)
        if how == "accept_then_cut":
            return _cut(request)
        date = formatdate(time.time() + self.clock_ahead, usegmt=True)
        return web.json_response(answer, headers={"x-oauth-scopes": self.scopes, "Date": date})

    async def _upload(self, request: web.Request) -> web.Response:
        file, _ = self.files[request.match_info["id"]]
        self.files[request.match_info["id"]] = (file, await request.read())
        return web.Response(text="OK")

    async def _answered(self, request: web.Request) -> web.Response:
        answer = await request.json()
        problem = block_problem(answer.get("blocks") or [])
        if problem:
            return web.Response(status=400, text=problem)
        self.answers[request.match_info["id"]] = answer
        return web.Response(text="ok")

    async def _download(self, request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != f"Bearer {BOT_TOKEN}":
            return web.Response(status=302, headers={"Location": "/signin"})
        file, content = self.files[request.match_info["id"]]
        return web.Response(body=content, content_type=file["mimetype"])

    async def _link(self, request: web.Request) -> web.WebSocketResponse:
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        socket = Socket(ws)
        self.sockets.append(socket)
        await ws.send_json({"type": "hello", "num_connections": 1, "connection_info": {"app_id": APP}})
        self.connections.put_nowait(socket)
        async for message in ws:
            if message.type is aiohttp.WSMsgType.TEXT:
                answer = json.loads(message.data)
                future = socket.acks.get(answer.get("envelope_id"))
                if future is not None and not future.done():
                    future.set_result(answer)
        return ws


async def _arguments(request: web.Request) -> Json:
    if request.content_type == "application/json":
        return {**request.query, **await request.json()}
    return {**request.query, **await request.post()}


def _auth_error(request: web.Request, method: str) -> str:
    wanted = APP_TOKEN if method == "apps.connections.open" else BOT_TOKEN
    return "" if request.headers.get("Authorization") == f"Bearer {wanted}" else "invalid_auth"


def _cut(request: web.Request) -> web.StreamResponse:
    """Close the connection without an answer."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)
