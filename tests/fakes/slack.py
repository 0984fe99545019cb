"""A Slack workspace in memory: Web API, signed events and Socket Mode, with the ground truth of what people see.

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

from tests.fakes.slack_api import APP, QUEUE, TEAM, Workspace
from tests.fakes.slack_limits import Limits
from tests.fakes.slack_rules import block_problem, nodes

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


class FakeSlack(Workspace):
    """A workspace with one app, one queue channel and some people."""

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

    # ---- what people do

    async def write(self, user: str, thread: str | None, text: str, **more: object) -> str:
        """Write as a person and tell the app; returns the message's `ts`. `text` is as Slack marks it up."""
        ts = self.next_ts()
        message: Json = {"type": "message", "user": user, "team": TEAM, "text": text, "ts": ts, **more}
        root = next((m for m in self.messages if m["ts"] == thread), None)
        channel = root["channel"] if root else QUEUE
        if thread:
            message["thread_ts"] = thread
        self.messages.append({**message, "channel": channel})
        await self.deliver(self.event({**message, "channel": channel, "event_ts": ts}))
        return ts

    async def edit(self, ts: str, text: str) -> None:
        """Change a message and tell the app."""
        before = dict(self.message(ts))
        self.message(ts).update(text=text, edited={"user": before["user"], "ts": self.next_ts()})
        after = dict(self.message(ts))
        await self.deliver(self._change("message_changed", before, after))

    async def delete(self, ts: str) -> None:
        """Delete a message and tell the app."""
        before = self.message(ts)
        self.messages.remove(before)
        await self.deliver(self._change("message_deleted", before, None))

    async def click(self, user: str, ts: str, action_id: str) -> Json:
        """Press a button of a post, or choose from its menu, and tell the app."""
        return await self.deliver(self.click_body(user, ts, action_id))

    def click_body(self, user: str, ts: str, action_id: str) -> Json:
        """Return what Slack sends when a button is pressed, or the entry of that action chosen from a menu."""
        message = self.message(ts)
        body = {
            **self._pressed(user, message["blocks"], action_id),
            "container": {"type": "message", "message_ts": ts, "channel_id": message["channel"]},
            "channel": {"id": message["channel"]},
            "message": {k: message[k] for k in ("ts", "thread_ts", "text", "blocks") if message.get(k)},
        }
        if message in self.ephemerals:
            body.pop("message")
            body["container"] |= {"is_ephemeral": True, "thread_ts": message.get("thread_ts")}
        return body

    async def press(self, user: str, view: Json, action_id: str) -> Json:
        """Press a button of a modal or of somebody's home and tell the app."""
        body = self._pressed(user, view["blocks"], action_id)
        container = {"type": "view", "view_id": view["id"]}
        return await self.deliver({**body, "container": container, "view": {**view, "state": {"values": {}}}})

    def _pressed(self, user: str, blocks: list[Json], action_id: str) -> Json:
        pressed = next(found for found in _pressable(blocks) if found[0] == action_id)[1]
        return {
            "type": "block_actions",
            "token": "legacy",
            "team": {"id": TEAM},
            "user": {"id": user, "team_id": TEAM},
            "api_app_id": APP,
            "trigger_id": f"trigger.{next(self.ticks)}",
            "actions": [{**pressed, "action_ts": self.next_ts()}],
        }

    async def submit(self, user: str, view: Json, text: str | None = None, **fields: object) -> Json:
        """Send a modal and tell the app; returns the app's answer. What it is led on to is `views[-1]` then."""
        answer = await self.deliver(self.submit_body(user, view, text, **fields))
        if answer.get("response_action") == "update":
            problem = block_problem(answer["view"]["blocks"], is_view=True)
            assert not problem, problem
            self.views.append({**answer["view"], "id": view["id"], "hash": f"{next(self.ticks)}.abc"})
        return answer

    def submit_body(self, user: str, view: Json, text: str | None = None, **fields: object) -> Json:
        """Return what Slack sends when a modal is sent: `text` stands in its box for text."""
        boxes = [b for b in view["blocks"] if b["type"] == "input"]
        named = next((b for b in boxes if b["block_id"] == "text"), None)
        first = named or next((b for b in boxes if b["element"]["type"] == "plain_text_input"), None)
        values: Json = {}
        for box in boxes:
            given = text if box is first and text is not None else fields.get(box["block_id"])
            values[box["block_id"]] = {box["element"]["action_id"]: _filled(box["element"], given)}
        return {
            "type": "view_submission",
            "token": "legacy",
            "team": {"id": TEAM},
            "user": {"id": user, "team_id": TEAM},
            "api_app_id": APP,
            "view": {**view, "state": {"values": values}},
        }

    async def react(self, user: str, ts: str, name: str) -> None:
        """Put a reaction on a message and tell the app."""
        self.put_reaction(self.message(ts), user, name)
        item = {"type": "message", "channel": QUEUE, "ts": ts}
        event = {"type": "reaction_added", "user": user, "reaction": name, "item": item, "event_ts": self.next_ts()}
        await self.deliver(self.event(event))

    async def choose(self, user: str, ts: str, callback_id: str) -> None:
        """Choose a shortcut from a message's menu and tell the app."""
        message = self.message(ts)
        await self.deliver(
            {
                "type": "message_action",
                "callback_id": callback_id,
                "team": {"id": TEAM},
                "user": {"id": user, "team_id": TEAM},
                "channel": {"id": message["channel"]},
                "message": message,
                "message_ts": ts,
                "action_ts": self.next_ts(),
                "trigger_id": f"trigger.{next(self.ticks)}",
            }
        )

    async def command(self, user: str, text: str) -> str:
        """Write a command and tell the app; returns what it is told apart by in `answers`."""
        number = str(next(self.ticks))
        await self.deliver(
            {
                "command": "/tandem",
                "text": text,
                "user_id": user,
                "team_id": TEAM,
                "channel_id": QUEUE,
                "trigger_id": f"trigger.{number}",
                "response_url": f"{self.url}/answers/{number}",
            }
        )
        return number

    async def open_home(self, user: str) -> None:
        """Open the app's page and tell the app."""
        await self.deliver(self.event({"type": "app_home_opened", "user": user, "channel": "D1", "tab": "home"}))

    def upload(self, name: str, mimetype: str, content: bytes) -> Json:
        """Return a file as a message carries it."""
        file_id = f"F{next(self.ticks)}"
        url = f"{self.url}/files/{file_id}"
        file = {"id": file_id, "name": name, "mimetype": mimetype, "size": len(content), "url_private_download": url}
        self.files[file_id] = (file, content)
        return file

    # ---- how the app is told

    def event(self, event: Json) -> Json:
        """Return the envelope of an event."""
        event_id = f"Ev{next(self.ticks):08d}"
        return {
            "type": "event_callback",
            "token": "legacy",
            "team_id": TEAM,
            "api_app_id": APP,
            "event": event,
            "event_id": event_id,
            "event_time": int(time.time()),
        }

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

    def _change(self, subtype: str, before: Json, after: Json | None) -> Json:
        event = {
            "type": "message",
            "subtype": subtype,
            "channel": before["channel"],
            "previous_message": before,
            "ts": self.next_ts(),
        }
        return self.event({**event, "message": after} if after else event)

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


def _pressable(blocks: list[Json]) -> list[tuple[str, Json]]:
    """Return what can be pressed, by its action; an entry of a menu by the action that stands in its value."""
    found: list[tuple[str, Json]] = []
    for element in nodes(blocks):
        action_id = str(element.get("action_id"))
        if element.get("type") == "button":
            found.append((action_id, {"type": "button", "action_id": action_id, "value": element["value"]}))
        if element.get("type") == "overflow":
            found += [
                (option["value"].split()[0], {"type": "overflow", "action_id": action_id, "selected_option": option})
                for option in element["options"]
            ]
    return found


def _filled(element: Json, given: Any) -> Json:
    """Return the state of an input: what was given, else what it began with."""
    kind = element["type"]
    if kind == "plain_text_input":
        return {"type": kind, "value": given if given is not None else element.get("initial_value")}
    if kind == "users_select":
        return {"type": kind, "selected_user": given}
    if kind == "datetimepicker":
        return {"type": kind, "selected_date_time": given}
    options = element["options"]
    if kind == "checkboxes":
        wanted = given if given is not None else [o["value"] for o in element.get("initial_options", ())]
        return {"type": kind, "selected_options": [o for o in options if o["value"] in list(wanted or ())]}
    chosen = next((o for o in options if o["value"] == given), None)
    return {"type": kind, "selected_option": chosen or (element.get("initial_option") if given is None else None)}


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
