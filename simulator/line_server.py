"""Puts a `FakeLine` on a loopback port, calls the webhook as LINE does, and plays its faults."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
from aiohttp import web

from simulator.line import FakeLine, Fault, Json, RefusedError

#: LINE's own number of redeliveries and their pauses are not documented; tests cannot wait long.
_RETRIES, _PAUSE = 20, 0.02


@dataclass(kw_only=True)
class LineServer:
    """The running fake, and its way to the webhook."""

    line: FakeLine
    session: aiohttp.ClientSession

    async def deliver(self, *events: Json) -> list[int]:
        """Call the webhook until it answers 2xx, marked as a redelivery from the second time; return every status."""
        statuses: list[int] = []
        for number in range(_RETRIES):
            context = {"deliveryContext": {"isRedelivery": number > 0}}
            statuses.append(await self.post(self.line.envelope(*({**event, **context} for event in events))))
            if statuses[-1] == 200:
                break
            await asyncio.sleep(_PAUSE)
        return statuses

    async def post(self, body: Json) -> int:
        """Call the webhook once; return the status of its answer, 0 where there is none."""
        content = json.dumps(body).encode()
        digest = hmac.new(self.line.channel_secret.encode(), content, hashlib.sha256).digest()
        headers = {"Content-Type": "application/json", "X-Line-Signature": base64.b64encode(digest).decode()}
        try:
            async with self.session.post(self.line.webhook_url, data=content, headers=headers) as answer:
                return answer.status
        except (aiohttp.ClientError, OSError):
            return 0


@asynccontextmanager
async def running(line: FakeLine) -> AsyncIterator[LineServer]:
    """Serve `line` until the block ends; its `url` says where."""
    app = web.Application()
    async with aiohttp.ClientSession() as session:
        server = LineServer(line=line, session=session)
        routes = _Routes(server)
        app.router.add_get("/v2/bot/message/{message_id}/content", routes.content)
        app.router.add_post("/v2/bot/channel/webhook/test", routes.test)
        app.router.add_route("*", "/{path:.*}", routes.call)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        line.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield server
        finally:
            await runner.cleanup()


class _Routes:
    def __init__(self, server: LineServer) -> None:
        self._server = server
        self._line = server.line

    async def call(self, request: web.Request) -> web.StreamResponse:
        """Answer a call of the Messaging API."""
        fault = self._line.fault_of(request.path.rpartition("/")[2])
        if fault is not None and not fault.is_done:
            return await _play(request, fault, web.Response(status=fault.status, body=fault.body))
        try:
            self._check_token(request)
            body = await request.json() if request.can_read_body else {}
            made = self._line.call(request.method, request.path, body, request.headers.get("X-Line-Retry-Key", ""))
            answer = web.json_response(made, status=202 if request.path.endswith("/loading/start") else 200)
        except RefusedError as error:
            answer = _refusal(error)
        return answer if fault is None else await _play(request, fault, answer)

    async def content(self, request: web.Request) -> web.StreamResponse:
        """Hand out what a customer sent."""
        fault = self._line.fault_of("content")
        if fault is not None:
            return await _play(request, fault, web.Response(status=fault.status, body=fault.body))
        try:
            self._check_token(request)
            content = self._line.content(request.match_info["message_id"])
        except RefusedError as error:
            return _refusal(error)
        return web.Response(status=202 if content is None else 200, body=content or b"")

    async def test(self, request: web.Request) -> web.StreamResponse:
        """Call the webhook with no events, and say what came of it."""
        try:
            self._check_token(request)
        except RefusedError as error:
            return _refusal(error)
        status = await self._server.post(self._line.envelope())
        reason = "OK" if status == 200 else "ERROR_STATUS_CODE" if status else "COULD_NOT_CONNECT"
        body = {"success": status == 200, "statusCode": status, "reason": reason, "detail": str(status or "no answer")}
        return web.json_response(body | {"timestamp": "2026-11-22T09:00:00.000000Z"})

    def _check_token(self, request: web.Request) -> None:
        if request.headers.get("Authorization") != f"Bearer {self._line.token}":
            raise RefusedError(401, "Authentication failed. Confirm that the access token is valid.")


def _refusal(error: RefusedError) -> web.Response:
    body = dict(error.body)
    accepted = body.pop("acceptedRequestId", "")
    headers = {"X-Line-Accepted-Request-Id": accepted} if accepted else {}
    return web.json_response(body, status=error.status, headers=headers)


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
    return web.Response(status=fault.status, body=fault.body, headers=fault.headers)
