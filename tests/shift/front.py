"""What stands between Tandem and the Slack that nobody here wrote, and has what that one lacks.

The emulator keeps channels, threads, reactions, files, modals, App Home and who is who, and tells of what people write,
change, delete and react with, signed by itself. It cannot press buttons, send modals, choose shortcuts, write commands
or open the Home tab, and it knows neither user groups nor Socket Mode. For those this front makes the bodies that Slack
documents, and sends them over the same HTTP route or socket.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl

import aiohttp
from aiohttp import web

from tests.fakes.slack import FakeSlack

Json = dict[str, Any]
_OWN = {"apps.connections.open", "usergroups.users.list"}
_PASSED_ON = {"authorization", "content-type"}


class Front(FakeSlack):
    """The emulator as Tandem sees it."""

    def __init__(self) -> None:
        """Know no emulator yet."""
        super().__init__()
        #: the emulator's address
        self.emulator = ""
        #: the workspace's id
        self.team = ""

    async def deliver(self, body: Json) -> Json:
        """Tell Tandem as the emulator's workspace, which it is not told of by the emulator itself."""
        mine: Json = {"team": {"id": self.team}} if "team" in body else {}
        if "team_id" in body:
            mine["team_id"] = self.team
        if body.get("type") in {"block_actions", "message_action"}:
            made = await self._ask("views.generateTriggerId", {"user_id": body["user"]["id"]})
            mine["trigger_id"] = made["trigger_id"]
        return await super().deliver({**body, **mine})

    async def look(self, channel: str, thread: str | None = None) -> list[Json]:
        """Read a channel or a thread, oldest first."""
        method, more = ("conversations.replies", {"ts": thread}) if thread else ("conversations.history", {})
        answer = await self._ask(method, {"channel": channel, "limit": 200, **more})
        found = sorted(answer["messages"], key=lambda post: float(post["ts"]))
        return [{**post, "channel": channel} for post in found]

    async def _ask(self, method: str, arguments: Json) -> Json:
        headers = {"authorization": "Bearer xoxb-desk"}
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{self.emulator}/api/{method}", json=arguments, headers=headers) as answer,
        ):
            said: Json = await answer.json()
            assert said["ok"], (method, said)
            return said

    async def _api(self, request: web.Request) -> web.StreamResponse:
        method, raw = request.match_info["method"], await request.read()
        if method == "events":
            return await self._told(raw, request)
        arguments = {**request.query, **_arguments(raw, request.content_type)}
        self.calls.append((method, arguments))
        if method in _OWN:
            return web.json_response(self.answer(method, arguments))
        headers = {name: value for name, value in request.headers.items() if name.lower() in _PASSED_ON}
        async with (
            aiohttp.ClientSession() as session,
            session.request(
                request.method, f"{self.emulator}{request.path_qs}", data=raw or None, headers=headers
            ) as answer,
        ):
            content = await answer.read()
            self._remember(method, arguments, json.loads(content))
            return web.Response(status=answer.status, body=content, content_type=answer.content_type)

    async def _told(self, raw: bytes, request: web.Request) -> web.Response:
        """Pass an event of the emulator's on: its very bytes and signature over HTTP, what it says over the socket."""
        if any(not socket.ws.closed for socket in self.sockets):
            await FakeSlack.deliver(self, json.loads(raw))
        elif self.events_url is not None:
            headers = {name: value for name, value in request.headers.items() if name.lower().startswith("x-slack-")}
            headers["content-type"] = request.headers["content-type"]
            async with (
                aiohttp.ClientSession() as session,
                session.post(self.events_url, data=raw, headers=headers) as answer,
            ):
                self.deliveries.append(answer.status)
        return web.Response()

    def _remember(self, method: str, arguments: Json, answer: Json) -> None:
        """Keep what the emulator shows nobody again: modals, pages, and what one person alone is told."""
        if not answer.get("ok"):
            return
        match method:
            case "views.open" | "views.update":
                self.views.append(answer["view"])
            case "views.publish":
                self.homes[arguments["user_id"]] = answer["view"]
            case "chat.postEphemeral":
                self.ephemerals.append({**arguments, "ts": answer["message_ts"]})


def _arguments(raw: bytes, kind: str) -> Json:
    if kind == "application/json":
        given: Json = json.loads(raw or b"{}")
        return given
    return dict(parse_qsl(raw.decode())) if kind == "application/x-www-form-urlencoded" else {}
