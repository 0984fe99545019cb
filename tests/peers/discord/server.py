"""A Discord that nobody here wrote (PyPI `simcord`): its state and routes, put on a port with a gateway before them.

It does what each line says, and answers with a line: "where" · {"write": text} · {"edit": text} · {"delete": true} ·
{"react": emoji} · {"tap": custom id} · {"post": text} · {"seen": true}.
"""

from __future__ import annotations

import asyncio
import io
import json
import sys
from types import SimpleNamespace
from typing import Any

from aiohttp import web
from simcord.backend import Backend, serializers
from simcord.backend.errors import BackendError
from simcord.http import router
from simcord.http import routes as _routes  # noqa: F401 - importing them registers them


class Server:
    """The state, its dispatches so far, and who listens."""

    def __init__(self) -> None:
        self.backend = Backend()
        self.dispatches: list[dict[str, Any]] = []
        self.news = asyncio.Event()
        self.backend.subscribers.append(self._note)
        self.guild = self.backend.create_guild("Copperleaf")
        self.backend.add_member(self.guild.id, self.backend.bot_user.id)
        self.jane = self.backend.make_user("jane", global_name="Jane Doe")
        self.backend.add_member(self.guild.id, self.jane.id)
        self.direct = self.backend.get_dm_channel(self.jane.id)
        self.support = self.backend.create_channel(self.guild.id, "support")
        self.last = 0

    def _note(self, event: str, payload: Any) -> None:
        data = json.loads(json.dumps(payload, default=str))
        self.dispatches.append({"op": 0, "t": event, "s": len(self.dispatches) + 1, "d": data})
        news, self.news = self.news, asyncio.Event()
        news.set()

    def do(self, line: dict[str, Any]) -> Any:
        """Do what a line says."""
        ((what, value),) = line.items()
        if what in {"write", "post"}:
            place = self.direct if what == "write" else self.support
            self.last = self.backend.create_message(place.id, self.jane.id, value).id
            return str(self.last)
        if what == "edit":
            self.backend.edit_message(self.direct.id, self.last, {"content": value})
        elif what == "delete":
            self.backend.delete_message(self.direct.id, self.last)
        elif what == "react":
            self.backend.add_reaction(self.direct.id, self.last, value, self.jane.id)
        elif what == "tap":
            return self._tap(value)
        return self._seen(self.direct.id) + self._seen(self.support.id)

    def _tap(self, custom_id: str) -> str:
        interaction = self.backend.new_interaction(3, self.direct.id, self.jane.id, None)
        stored = max(self.backend.messages[self.direct.id].values(), key=lambda each: each.id)
        self.backend.emit(
            "INTERACTION_CREATE",
            {
                "id": str(interaction.id),
                "application_id": str(self.backend.application_id),
                "type": 3,
                "token": interaction.token,
                "version": 1,
                "channel_id": str(self.direct.id),
                "user": serializers.user_payload(self.jane),
                "data": {"component_type": 2, "custom_id": custom_id},
                "message": serializers.message_payload(self.backend, stored),
            },
        )
        return str(interaction.id)

    def _seen(self, channel: int) -> list[Any]:
        messages = self.backend.messages[channel].values()
        ours = [each for each in messages if each.author_id == self.backend.bot_user.id]
        return [serializers.message_payload(self.backend, each) for each in ours]

    async def call(self, request: web.Request) -> web.Response:
        """Answer a call of the HTTP API by simcord's routes."""
        path, body, files = f"/{request.match_info['path']}", None, []
        if path == "/gateway/bot":
            limit = {"total": 1000, "remaining": 999, "reset_after": 1, "max_concurrency": 1}
            url = f"ws://{request.host}/gateway"
            return web.json_response({"url": url, "shards": 1, "session_start_limit": limit})
        if request.content_type == "multipart/form-data":
            for name, value in (await request.post()).items():
                if isinstance(value, web.FileField):
                    content = io.BytesIO(value.file.read())
                    files.append(SimpleNamespace(fp=content, filename=value.filename, description=None))
                elif name == "payload_json":
                    body = json.loads(str(value))
        elif request.can_read_body:
            body = await request.json()
        try:
            made = router.dispatch(
                self.backend, request.method, path, json=body, params=dict(request.query), files=files
            )
        except BackendError as error:
            return web.json_response(error.to_json(), status=error.status)
        return web.Response(status=204) if made is None else web.json_response(made, dumps=_dumps)

    async def gateway(self, request: web.Request) -> web.WebSocketResponse:
        """Bring all that was dispatched since the session began."""
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_json({"op": 10, "d": {"heartbeat_interval": 45_000}})
        asked = (await socket.receive_json())["op"]
        begun = len(self.dispatches)
        if asked == 2:
            url = f"ws://{request.host}/gateway"
            self._note("READY", {"session_id": "1", "resume_gateway_url": url, "user": {}, "application": {}})
            self._note("GUILD_CREATE", serializers.guild_create_payload(self.backend, self.guild))
        reading = asyncio.create_task(socket.receive())
        while not reading.done():
            while begun < len(self.dispatches):
                await socket.send_json(self.dispatches[begun])
                begun += 1
            waiting = asyncio.create_task(self.news.wait())
            await asyncio.wait({waiting, reading}, return_when=asyncio.FIRST_COMPLETED)
            waiting.cancel()
        return socket


def _dumps(value: Any) -> str:
    return json.dumps(value, default=str)


def _say(value: Any) -> None:
    sys.stdout.write(_dumps(value) + "\n")
    sys.stdout.flush()


async def main() -> None:
    """Serve until the standard input ends."""
    server, app = Server(), web.Application()
    app.router.add_get("/gateway/", server.gateway)
    app.router.add_route("*", "/api/v10/{path:.*}", server.call)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    here = {
        "url": f"http://127.0.0.1:{runner.addresses[0][1]}",
        "bot": str(server.backend.bot_user.id),
        "direct": str(server.direct.id),
        "support": str(server.support.id),
        "jane": str(server.jane.id),
    }
    while line := await asyncio.to_thread(sys.stdin.readline):
        asked = json.loads(line)
        _say(here if asked == "where" else server.do(asked))


asyncio.run(main())
