"""Puts a `FakeDiscord` on a loopback port: its HTTP API and its gateway, and plays its faults."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

from aiohttp import WSMsgType, web

from simulator.discord import BUCKET_FOR, BUCKET_MAX, FakeDiscord, check
from simulator.discord_values import Fault, Json, Place, RefusedError, Session

_BODY_MAX = 64_000_000
_PAGE_MAX = 100


@asynccontextmanager
async def running(discord: FakeDiscord, port: int = 0) -> AsyncIterator[DiscordServer]:
    """Serve `discord` until the block ends; its `url` says where.

    Serving it on the same port again is the same Discord after an outage.
    """
    app = web.Application(client_max_size=_BODY_MAX)
    server = DiscordServer(discord)
    app.router.add_get("/attachments/{number}/{name}", server.file)
    app.router.add_get("/gateway/", server.gateway)
    app.router.add_get("/resumed/", server.gateway)
    app.router.add_get("/resumed", server.gateway)
    app.router.add_route("*", "/api/v10/{path:.*}", server.call)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    discord.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield server
    finally:
        await server.drop()
        await runner.cleanup()


class DiscordServer:
    """The running fake, and its connections."""

    def __init__(self, discord: FakeDiscord) -> None:
        """Serve `discord`."""
        self._discord = discord
        self.sockets: list[web.WebSocketResponse] = []
        #: paths at which the gateway was connected to, in order
        self.connected: list[str] = []

    # ----------------------------------------------------------------------------------------------------- the gateway

    async def gateway(self, request: web.Request) -> web.StreamResponse:
        """Greet, begin or resume a session, and tell what happens until one side leaves."""
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.sockets.append(socket)
        self.connected.append(request.path)
        await socket.send_json({"op": 10, "d": {"heartbeat_interval": self._discord.heartbeat_interval}})
        telling: asyncio.Task[None] | None = None
        try:
            async for message in socket:
                if message.type is not WSMsgType.TEXT:
                    break
                said = json.loads(message.data)
                self._discord.heard.append((said["op"], said["d"]))
                self._discord.tell()
                if said["op"] == 1 and self._discord.is_hearing:
                    await socket.send_json({"op": 11, "d": None})
                if said["op"] in {2, 6} and telling is None:
                    begun = await self._begin(socket, said["op"], said["d"])
                    telling = asyncio.create_task(self._tell(socket, *begun)) if begun else None
        finally:
            if telling is not None:
                telling.cancel()
                with suppress(asyncio.CancelledError, ConnectionError):
                    await telling
            self.sockets.remove(socket)
        return socket

    async def _begin(self, socket: web.WebSocketResponse, op: int, data: Json) -> tuple[Session, int] | None:
        """Return a session and the number of its last dispatch that the other side has."""
        if op == 2:
            try:
                return self._discord.identify(data), 0
            except RefusedError as error:
                await socket.close(code=error.status, message=str(error).encode())
                return None
        session, known = self._discord.sessions.get(data["session_id"]), data["seq"]
        if session is None or not isinstance(known, int) or known > len(session.dispatches):
            await socket.send_json({"op": 9, "d": False})
            return None
        return session, known

    async def _tell(self, socket: web.WebSocketResponse, session: Session, known: int) -> None:
        is_resumed = known > 0
        while True:
            while known < len(session.dispatches):
                await socket.send_json(session.dispatches[known])
                known += 1
            if is_resumed:
                is_resumed = False
                self._discord.note_in(session, "RESUMED", {})
                continue
            await self._discord.changed()

    async def drop(self, code: int = 4000) -> None:
        """Close every connection."""
        for socket in list(self.sockets):
            await socket.close(code=code)

    async def say(self, op: int, data: object = None) -> None:
        """Say something over every connection: 1 asks for a heartbeat, 7 for a new connection, 9 ends the session."""
        for socket in list(self.sockets):
            await socket.send_json({"op": op, "d": data})

    async def say_nonsense(self, text: str) -> None:
        """Send a frame as it is over every connection."""
        for socket in list(self.sockets):
            await socket.send_str(text)

    # ---------------------------------------------------------------------------------------------------- the HTTP API

    async def call(self, request: web.Request) -> web.StreamResponse:
        """Answer a call."""
        path = request.match_info["path"]
        words = [word for word in path.split("/") if not re.fullmatch(r"[0-9]+", word)]
        fault = self._discord.fault_of(f"{request.method} {words[-1]}")
        if fault is not None and not fault.is_done:
            return await _play(request, fault, web.Response(status=fault.status, body=fault.body))
        try:
            if (
                not path.startswith("interactions/")
                and request.headers.get("Authorization") != f"Bot {self._discord.token}"
            ):
                raise RefusedError(401, 0, "401: Unauthorized")
            body, files = await _content(request)
            self._discord.calls.append((request.method, path, body))
            answer = self._answer(request, path, body, [self._discord.keep_file(*each) for each in files])
        except RefusedError as error:
            answer = _refusal(error)
        self._discord.tell()
        return answer if fault is None else await _play(request, fault, answer)

    def _answer(self, request: web.Request, path: str, body: Json, files: list[Json]) -> web.Response:
        routes: list[tuple[str, Callable[..., web.Response]]] = [
            (r"GET gateway/bot", self._gateway_bot),
            (r"GET (?:oauth2/)?applications/@me", self._application),
            (r"GET users/@me", lambda: _json(self._discord.me)),
            (r"GET channels/([0-9]+)", lambda number: _json(self._discord.shown(self._place(number)))),
            (r"GET channels/([0-9]+)/messages", lambda number: self._history(number, request)),
            (r"POST channels/([0-9]+)/messages", lambda number: self._create(number, body, files)),
            (r"PATCH channels/([0-9]+)/messages/([0-9]+)", lambda number, message: self._change(number, message, body)),
            (r"DELETE channels/([0-9]+)/messages/([0-9]+)", self._delete),
            (r"POST channels/([0-9]+)/typing", self._typing),
            (r"POST interactions/([0-9]+)/([^/]+)/callback", lambda tap, token: self._acknowledge(tap, token, request)),
        ]
        for route, answer in routes:
            if found := re.fullmatch(route, f"{request.method} {path}"):
                return answer(*found.groups())
        raise RefusedError(404, 0, "404: Not Found")

    def _gateway_bot(self) -> web.Response:
        limit = {
            "total": 1000,
            "remaining": self._discord.sessions_left,
            "reset_after": 14_400_000,
            "max_concurrency": 1,
        }
        url = f"{self._discord.url.replace('http', 'ws', 1)}/gateway"
        return _json({"url": url, "shards": 1, "session_start_limit": limit})

    def _application(self) -> web.Response:
        me: Json = {
            "id": self._discord.application_id,
            "name": "Copperleaf",
            "description": "",
            "icon": None,
            "bot_public": True,
            "bot_require_code_grant": False,
            "verify_key": "00",
            "team": None,
            "owner": self._discord.me,
            "flags": 1 << 19 if self._discord.has_content_intent else 0,
            "interactions_endpoint_url": self._discord.interactions_url,
        }
        return _json(me)

    def _place(self, number: str) -> Place:
        if number not in self._discord.places:
            raise RefusedError(404, 10003, "Unknown Channel")
        return self._discord.places[number]

    def _message(self, number: str, message: str) -> Json:
        found = next((each for each in self._place(number).messages if each["id"] == message), None)
        if found is None:
            raise RefusedError(404, 10008, "Unknown Message")
        if found["author"]["id"] != self._discord.application_id:
            raise RefusedError(403, 50005, "Cannot edit a message authored by another user")
        return found

    def _history(self, number: str, request: web.Request) -> web.Response:
        after, limit = int(request.query.get("after", "0")), min(_PAGE_MAX, int(request.query.get("limit", "50")))
        found = [each for each in self._place(number).messages if int(each["id"]) > after][:limit]
        shown = [{name: value for name, value in each.items() if name not in {"member", "nonce"}} for each in found]
        return _json(shown[::-1])

    def _create(self, number: str, body: Json, files: list[Json]) -> web.Response:
        place = self._place(number)
        message = self._discord.create(place, body, files)
        return _json(message, headers=_pace_of(place) if self._discord.has_pace else {})

    def _change(self, number: str, message: str, body: Json) -> web.Response:
        found = self._message(number, message)
        changed = found | {name: body[name] for name in ("content", "components") if name in body}
        check(changed, has_files=bool(found["attachments"]))
        found |= changed
        self._discord.dispatch_in(self._place(number), "MESSAGE_UPDATE", found)
        return _json(found)

    def _delete(self, number: str, message: str) -> web.Response:
        place = self._place(number)
        place.messages.remove(self._message(number, message))
        self._discord.dispatch_in(place, "MESSAGE_DELETE", {"id": message, "channel_id": number})
        return web.Response(status=204)

    def _typing(self, number: str) -> web.Response:
        self._place(number).typing_count += 1
        return web.Response(status=204)

    def _acknowledge(self, tap: str, token: str, request: web.Request) -> web.Response:
        if self._discord.busy_taps.get(tap) != token:
            raise RefusedError(404, 10062, "Unknown interaction")
        del self._discord.busy_taps[tap]
        if request.query.get("with_response") in {"true", "1"}:
            return _json({"interaction": {"id": tap, "type": 3, "response_message_loading": False}})
        return web.Response(status=204)

    async def file(self, request: web.Request) -> web.StreamResponse:
        """Hand out a file."""
        fault = self._discord.fault_of("GET attachments")
        content = self._discord.files.get(request.match_info["number"])
        if fault is not None:
            return await _play(request, fault, web.Response(status=fault.status, body=fault.body))
        if content is None:
            raise web.HTTPNotFound
        return web.Response(body=content, content_type="application/octet-stream")


def _pace_of(place: Place) -> dict[str, str]:
    left = BUCKET_MAX - len(place.paces)
    return {
        "X-RateLimit-Limit": str(BUCKET_MAX),
        "X-RateLimit-Remaining": str(left),
        "X-RateLimit-Reset-After": str(BUCKET_FOR),
    }


async def _content(request: web.Request) -> tuple[Json, list[tuple[str, bytes, str]]]:
    """Return the JSON of a call, and its files: name, content and type."""
    if request.content_type == "application/json" and request.can_read_body:
        return dict(await request.json()), []
    body: Json = {}
    files: list[tuple[str, bytes, str]] = []
    if request.content_type == "multipart/form-data":
        for name, value in (await request.post()).items():
            if isinstance(value, web.FileField):
                files.append((value.filename, value.file.read(), value.content_type))
            elif name == "payload_json":
                body = json.loads(str(value))
    return body, files


def _json(value: object, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    """Return JSON under its plain type, which clients compare literally."""
    plain = {"Content-Type": "application/json"}
    return web.Response(status=status, body=json.dumps(value).encode(), headers=plain | (headers or {}))


def _refusal(error: RefusedError) -> web.Response:
    headers: dict[str, str] = {}
    if error.status == 429:
        after: Any = error.body["retry_after"]
        headers = {"Retry-After": str(int(after) + 1), "X-RateLimit-Scope": "user"}
    return _json(error.body, status=error.status, headers=headers)


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
