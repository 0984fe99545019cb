"""Puts a `FakeTelegram` on a loopback port, delivers its webhooks, and plays its faults."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from aiohttp import web

from simulator.telegram import FakeTelegram
from simulator.telegram_values import Fault, RefusedError, Update, Webhook

_BODY_MAX = 64_000_000
#: The real server doubles up to a minute; tests cannot wait that long.
_RETRY_FIRST, _RETRY_LONGEST = 0.02, 0.5


@asynccontextmanager
async def running(telegram: FakeTelegram, port: int = 0) -> AsyncIterator[FakeTelegram]:
    """Serve `telegram` until the block ends; its `url` says where.

    Serving it on the same port again is the same Telegram after an outage.
    """
    app = web.Application(client_max_size=_BODY_MAX)
    server = _Server(telegram)
    app.router.add_route("*", "/bot{token}/{method}", server.call)
    app.router.add_get("/file/bot{token}/files/{file_id}", server.file)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port)
    await site.start()
    telegram.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as tasks:
        delivery = tasks.create_task(_deliver(telegram, session))
        try:
            yield telegram
        finally:
            delivery.cancel()
            await runner.cleanup()


class _Server:
    def __init__(self, telegram: FakeTelegram) -> None:
        self._telegram = telegram

    async def call(self, request: web.Request) -> web.StreamResponse:
        """Answer a call of the Bot API."""
        method = request.match_info["method"]
        if request.match_info["token"] != self._telegram.token:
            return _answer(401, {"ok": False, "error_code": 401, "description": "Unauthorized"})
        parameters = await _parameters(request)
        fault = self._telegram.fault_of(method)
        if fault is not None and not fault.is_done:
            return await _play(request, fault, _refusal(_as_refusal(fault)))
        try:
            answer = _answer(200, {"ok": True, "result": await self._telegram.call(method, parameters)})
        except RefusedError as error:
            answer = _refusal(error)
        if fault is None:
            return answer
        is_cut = fault.cut_after is not None
        return await _play(request, fault, answer if is_cut else _refusal(_as_refusal(fault)))

    async def file(self, request: web.Request) -> web.StreamResponse:
        """Hand out a file, in pieces, as the real server does."""
        content = self._telegram.files.get(request.match_info["file_id"])
        if request.match_info["token"] != self._telegram.token or content is None:
            raise web.HTTPNotFound
        fault = self._telegram.fault_of("file")
        if fault is not None:
            return await _play(request, fault, web.Response(status=fault.code, body=fault.body or b""))
        return web.Response(body=content, content_type="application/octet-stream")


async def _parameters(request: web.Request) -> dict[str, Any]:
    """Return query, form, JSON and files in one; a file is its name and its bytes."""
    parameters: dict[str, Any] = dict(request.query)
    if request.content_type == "application/json":
        given: dict[str, Any] = await request.json()
        return parameters | given
    for name, value in (await request.post()).items():
        parameters[name] = (value.filename, value.file.read()) if isinstance(value, web.FileField) else value
    return parameters


def _answer(code: int, body: dict[str, Any]) -> web.Response:
    return web.json_response(body, status=code)


def _refusal(error: RefusedError) -> web.Response:
    body: dict[str, Any] = {"ok": False, "error_code": error.code, "description": error.description}
    return _answer(error.code, body | ({"parameters": error.parameters} if error.parameters else {}))


def _as_refusal(fault: Fault) -> RefusedError:
    error = RefusedError(fault.code, fault.description)
    if fault.retry_after is not None:
        error.parameters["retry_after"] = fault.retry_after  # type: ignore[assignment]
    return error


async def _play(request: web.Request, fault: Fault, answer: web.Response) -> web.StreamResponse:
    """Answer as the fault wants: cut, never, or with its own bytes."""
    if fault.hangs:
        await asyncio.Event().wait()
    if fault.cut_after is not None:
        transport = request.transport
        if transport is not None:
            body = answer.body if isinstance(answer.body, bytes) else b""
            head = (
                f"HTTP/1.1 {answer.status} OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            )
            transport.write((head.encode() + body)[: fault.cut_after])
            transport.close()
        return answer
    if fault.body is not None:
        return web.Response(status=fault.code, body=fault.body)
    return answer


async def _deliver(telegram: FakeTelegram, session: aiohttp.ClientSession) -> None:
    """Deliver updates to the webhook for ever, one lane beside the other."""
    lanes: dict[str, asyncio.Task[None]] = {}
    async with asyncio.TaskGroup() as tasks:
        while True:
            if telegram.webhook is not None:
                for lane in {update.lane for update in telegram.waiting()}:
                    if lane not in lanes or lanes[lane].done():
                        lanes[lane] = tasks.create_task(_deliver_lane(telegram, session, lane))
            await telegram.changed()


async def _deliver_lane(telegram: FakeTelegram, session: aiohttp.ClientSession, lane: str) -> None:
    pause = _RETRY_FIRST
    while telegram.webhook is not None:
        update = next((update for update in telegram.waiting() if update.lane == lane), None)
        if update is None:
            return
        limit = aiohttp.ClientTimeout(total=telegram.offer(update))
        if await _is_taken(telegram.webhook, session, update, limit):
            pause = _RETRY_FIRST
            telegram.take(update)
            telegram.tell()
        else:
            telegram.tell()
            await asyncio.sleep(pause)
            pause = min(pause * 2, _RETRY_LONGEST)


async def _is_taken(
    webhook: Webhook, session: aiohttp.ClientSession, update: Update, limit: aiohttp.ClientTimeout
) -> bool:
    headers = {"Content-Type": "application/json"}
    if webhook.secret:
        headers["X-Telegram-Bot-Api-Secret-Token"] = webhook.secret
    try:
        content = json.dumps(update.body).encode()
        async with session.post(webhook.url, data=content, headers=headers, timeout=limit) as answer:
            if answer.ok:
                return True
            webhook.last_error = f"Wrong response from the webhook: {answer.status} {answer.reason}"
    except (aiohttp.ClientError, OSError) as error:
        webhook.last_error = f"Connection failed: {type(error).__name__}"
    webhook.last_error_at = update.body.get("date", 0) or 1
    return False
