"""X as people and its API know it: it keeps what they saw, limits, refuses, cuts connections and calls our webhook.

What is here follows X's documents as named in `connectors.x.errors`; nobody here has tried it on the real thing. How
calls are signed is checked by oauthlib.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import itertools
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import aiohttp
from aiohttp import web
from oauthlib.common import Request
from oauthlib.oauth1.rfc5849 import signature

Json = dict[str, Any]

US, JANE = "1700000000000000001", "2200000000000000002"
CONSUMER_KEY, CONSUMER_SECRET = "xkey0of0the0fake", "xsecret0of0the0fake"
TOKEN, TOKEN_SECRET = f"{US}-xtoken0of0the0fake", "xtokensecret0of0the0fake"
APP_TOKEN, USER_TOKEN = "AAAAapp0token0of0the0fake", "oauth2-user-token-of-the-fake"
MESSAGES_MAX, WINDOW = 15, 900
_MOMENT = "2026-11-22T09:00:00.000Z"


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What goes wrong with the next call of a kind."""

    #: last part of the path: "messages", "tweets", "webhooks", "append", …
    call: str
    #: whether the call takes effect all the same
    is_done: bool = False
    status: int = 500
    #: none: the body is no JSON
    body: Json | None = None
    headers: dict[str, str] = field(default_factory=dict)
    #: the connection ends without an answer
    is_cut: bool = False


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A message or post of ours as people see it."""

    id: str
    text: str
    #: of a post: what it answers
    answers: str = ""
    content: bytes = b""
    #: "dm_image", "tweet_gif", …
    category: str = ""


class RefusedError(Exception):
    """An answer with an error in it, as API v2 writes it."""

    def __init__(self, status: int, detail: str, title: str = "Forbidden", kind: str = "about:blank") -> None:
        super().__init__(detail)
        self.status, self.body = status, {"title": title, "detail": detail, "type": kind, "status": status}


@dataclass(kw_only=True)
class FakeX:
    """One app, one account and those it speaks with: the ground truth of a test."""

    session: aiohttp.ClientSession
    #: seconds since 1970
    clock: Callable[[], float]
    #: what people got by direct message, by their number
    messages: dict[str, list[Shown]] = field(default_factory=dict)
    posts: list[Shown] = field(default_factory=list)
    #: who takes no messages from us
    closed: set[str] = field(default_factory=set)
    #: posts that have named or quoted us
    summoning: set[str] = field(default_factory=set)
    #: id → address, whether it is in use
    webhooks: dict[str, Json] = field(default_factory=dict)
    subscriptions: dict[str, Json] = field(default_factory=dict)
    #: events that this app may not ask for
    unheard: set[str] = field(default_factory=set)
    replays: list[Json] = field(default_factory=list)
    #: whether private events may only be asked for with OAuth 2.0
    wants_oauth2: bool = False
    faults: list[Fault] = field(default_factory=list)
    calls: list[tuple[str, str, Json]] = field(default_factory=list)
    #: what was uploaded: category and bytes by id
    files: dict[str, tuple[str, bytearray]] = field(default_factory=dict)
    #: answers challenges in place of what listens at the webhook's address
    door: Callable[[str], bytes] | None = None
    #: how often a film still has to be asked for
    works_for: int = 0
    url: str = ""

    def __post_init__(self) -> None:
        self._numbers = itertools.count(1)
        self._nonces: set[str] = set()
        self._sent_at: list[float] = []

    def new_id(self) -> str:
        """Return an id that nothing has yet."""
        return str(2_080_000_000_000_000_000 + next(self._numbers))

    # -------------------------------------------------------------------------------------------------- what calls us

    async def shake_hands(self, url: str) -> bool:
        """Ask a webhook whether it knows the secret."""
        token = base64.b64encode(b"any words of the challenge").decode()
        digest = hmac.new(CONSUMER_SECRET.encode(), token.encode(), hashlib.sha256).digest()
        if self.door is not None:
            made = json.loads(self.door(token))
        else:
            async with self.session.get(url, params={"crc_token": token}) as answer:
                made = await answer.json() if answer.status == 200 else {}
        return bool(made.get("response_token") == "sha256=" + base64.b64encode(digest).decode())

    async def deliver(self, *activities: Json) -> int:
        """Call our webhook with events and return the status."""
        body = json.dumps({"data": list(activities) if len(activities) > 1 else activities[0]}).encode()
        digest = hmac.new(CONSUMER_SECRET.encode(), body, hashlib.sha256).digest()
        headers = {"x-twitter-webhooks-signature": "sha256=" + base64.b64encode(digest).decode()}
        (webhook,) = self.webhooks.values()
        async with self.session.post(webhook["url"], data=body, headers=headers) as answer:
            return answer.status

    def message(self, text: str, sender: str = JANE, recipient: str = US, message_id: str = "") -> Json:
        """Return the event of a direct message."""
        made = {"target": {"recipient_id": recipient}, "sender_id": sender, "message_data": {"text": text}}
        item = {"type": "message_create", "id": message_id or self.new_id(), "message_create": made}
        users = {JANE: {"data": {"id": JANE, "name": "Jane", "username": "jane"}}}
        payload = {"direct_message_events": [item | {"created_timestamp": self._stamp()}], "users": users}
        return self._event("dm.received" if recipient == US else "dm.sent", payload)

    def mention(self, text: str) -> Json:
        """Return the event of a post that names us."""
        post_id = self.new_id()
        self.summoning.add(post_id)
        mentions = [{"start": 0, "end": 11, "username": "copperleaf", "id": US}]
        post = {"id": post_id, "conversation_id": post_id, "author_id": JANE, "text": text}
        return self._event("post.mention.create", post | {"entities": {"mentions": mentions}})

    def _event(self, kind: str, payload: Json) -> Json:
        return {"event_uuid": self.new_id(), "filter": {"user_id": US}, "event_type": kind, "payload": payload}

    def _stamp(self) -> str:
        return str(int(self.clock() * 1000))

    # ---------------------------------------------------------------------------------------------------- who calls

    def check_signature(self, method: str, url: str, header: str) -> None:
        """Raise `RefusedError` for a call that is not signed for the account, or was made before."""
        request = Request(url, method, headers={"Authorization": header})
        query = request.uri_query or ""
        told = signature.collect_parameters(
            uri_query=query, headers=request.headers, exclude_oauth_signature=False, with_realm=False
        )
        request.params = [pair for pair in told if pair[0] != "oauth_signature"]
        oauth = dict(told)
        request.signature = oauth.get("oauth_signature", "")
        is_known = (oauth.get("oauth_consumer_key"), oauth.get("oauth_token")) == (CONSUMER_KEY, TOKEN)
        is_now = abs(int(oauth.get("oauth_timestamp", "0")) - self.clock()) < 300
        nonce = oauth.get("oauth_nonce", "")
        is_signed = is_known and signature.verify_hmac_sha1(request, CONSUMER_SECRET, TOKEN_SECRET)
        if not (is_signed and is_now and nonce and nonce not in self._nonces):
            raise RefusedError(401, "Unauthorized", "Unauthorized")
        self._nonces.add(nonce)

    # ------------------------------------------------------------------------------------------------ what we ask for

    async def answer(self, method: str, path: str, said: Json, who: str) -> Json:
        """Return the answer to a call by "app" or "user"; raises `RefusedError`."""
        parts = path.split("/")
        match (method, *parts):
            case ("GET", "users", "me"):
                return {"data": {"id": US, "name": "Copperleaf", "username": "copperleaf"}}
            case ("POST", "dm_conversations", "with", recipient, "messages"):
                return self._message(recipient, said)
            case (_, "tweets", *_rest):
                return self._post(said) if method == "POST" else self._delete(parts[1])
            case (_, "media", "upload", *_rest):
                return self._media(parts[2:], said)
            case (_, "webhooks", *_rest):
                return await self._webhooks(method, parts[1:], said)
            case (_, "activity", "subscriptions", *_rest):
                return self._subscriptions(method, parts[2:], said, who)
        raise RefusedError(404, f"no such path: {path}", "Not Found Error")

    def _message(self, recipient: str, said: Json) -> Json:
        now = self.clock()
        self._sent_at = [at for at in self._sent_at if at > now - WINDOW]
        if len(self._sent_at) >= MESSAGES_MAX:
            raise RefusedError(429, "Too Many Requests", "Too Many Requests")
        self._sent_at.append(now)
        if recipient in self.closed:
            raise RefusedError(403, "You cannot send messages to this user.")
        text = said.get("text", "")
        if not text and not said.get("attachments"):
            raise RefusedError(400, "text or attachments is required", "Invalid Request")
        if len(text) > 10_000:
            raise RefusedError(400, "Text too long.", "Invalid Request")
        shown = self._shown(text, [each["media_id"] for each in said.get("attachments", [])])
        self.messages.setdefault(recipient, []).append(shown)
        return {"data": {"dm_conversation_id": f"{US}-{recipient}", "dm_event_id": shown.id}}

    @property
    def limits(self) -> dict[str, str]:
        """What is left of the limit on messages, as headers say it."""
        recent = [at for at in self._sent_at if at > self.clock() - WINDOW]
        reset = int((recent[0] if recent else self.clock()) + WINDOW)
        left = {"limit": MESSAGES_MAX, "remaining": MESSAGES_MAX - len(recent), "reset": reset}
        return {f"x-rate-limit-{name}": str(value) for name, value in left.items()}

    def _post(self, said: Json) -> Json:
        answers, text = said["reply"]["in_reply_to_tweet_id"], said.get("text", "")
        if answers not in self.summoning:
            raise RefusedError(403, "Reply to this conversation is not allowed because you have not been mentioned.")
        if text and (text, answers) in {(post.text, post.answers) for post in self.posts}:
            raise RefusedError(403, "You are not allowed to create a Tweet with duplicate content.")
        shown = self._shown(text, said.get("media", {}).get("media_ids", []), answers)
        self.posts.append(shown)
        return {"data": {"id": shown.id, "text": text, "edit_history_tweet_ids": [shown.id]}}

    def _delete(self, post_id: str) -> Json:
        if post_id not in {post.id for post in self.posts}:
            raise RefusedError(404, "Could not find post", "Not Found Error")
        self.posts = [post for post in self.posts if post.id != post_id]
        return {"data": {"deleted": True}}

    def _shown(self, text: str, media_ids: list[str], answers: str = "") -> Shown:
        category, content = self.files[media_ids[0]] if media_ids else ("", b"")
        return Shown(id=self.new_id(), text=text, answers=answers, content=bytes(content), category=category)

    def _media(self, parts: list[str], said: Json) -> Json:
        match parts:
            case ["initialize"]:
                media_id = self.new_id()
                self.files[media_id] = (said["media_category"], bytearray())
                return {"data": {"id": media_id, "media_key": f"3_{media_id}"}}
            case [media_id, "append"]:
                part = said["media"]
                self.files[media_id][1].extend(part if isinstance(part, bytes) else base64.b64decode(part))
                return {"data": {"expires_at": 1}}
            case [media_id, "finalize"]:
                return {"data": {"id": media_id} | self._progress()}
        return {"data": {"id": said["media_id"]} | self._progress()}

    def _progress(self) -> Json:
        if self.works_for < 0:
            return {"processing_info": {"state": "failed"}}
        if self.works_for == 0:
            return {}
        self.works_for -= 1
        return {"processing_info": {"state": "in_progress", "check_after_secs": 2}}

    async def _webhooks(self, method: str, parts: list[str], said: Json) -> Json:
        match (method, *parts):
            case ("POST", "replay"):
                self.replays.append(said)
                return {"data": {"job_id": self.new_id(), "created_at": _MOMENT}}
            case ("POST",):
                if not await self.shake_hands(said["url"]):
                    raise RefusedError(400, "CrcValidationFailed", "Invalid Request")
                webhook_id = self.new_id()
                self.webhooks[webhook_id] = {"url": said["url"], "valid": True, "created_at": _MOMENT}
                return {"data": {"id": webhook_id, **self.webhooks[webhook_id]}}
            case ("PUT", webhook_id):
                self.webhooks[webhook_id]["valid"] = await self.shake_hands(self.webhooks[webhook_id]["url"])
                return {"data": {"valid": self.webhooks[webhook_id]["valid"]}}
        return {"data": [{"id": key, **each} for key, each in self.webhooks.items()], "meta": {}}

    def _subscriptions(self, method: str, parts: list[str], said: Json, who: str) -> Json:
        match (method, *parts):
            case ("POST",):
                if said["event_type"] in self.unheard:
                    raise RefusedError(400, "event_type is not one of its values", "Invalid Request")
                if who == "app" or (self.wants_oauth2 and who != "oauth2"):
                    raise RefusedError(403, "This event type requires OAuth 2.0 user context.")
                subscription_id = self.new_id()
                self.subscriptions[subscription_id] = said | {"created_at": _MOMENT, "updated_at": _MOMENT}
                return {"data": {"subscription_id": subscription_id, **said}}
            case ("PUT", subscription_id):
                self.subscriptions[subscription_id] |= said
                return {"data": {"subscription_id": subscription_id}}
        found = [{"subscription_id": key, **each} for key, each in self.subscriptions.items()]
        return {"data": found, "meta": {"total_subscriptions": len(found)}}

    # --------------------------------------------------------------------------------------------------------- the port

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer a call of the API."""
        path = request.match_info["path"]
        said = await _said(request)
        self.calls.append((request.method, path, said))
        last = path.rpartition("/")[2]
        fault = next((each for each in self.faults if each.call == last), None)
        if fault is not None:
            self.faults.remove(fault)
        try:
            who = self._who(request)
            if fault is not None and not fault.is_done:
                return await _play(request, fault)
            made = (
                await self.answer(request.method, path.removeprefix("2/"), said, who)
                if path != "oauth2/token"
                else {
                    "token_type": "bearer",
                    "access_token": APP_TOKEN,
                }
            )
        except RefusedError as error:
            headers = self.limits if last == "messages" else {}
            return web.json_response(error.body, status=error.status, headers=headers)
        if fault is not None:
            return await _play(request, fault)
        return web.json_response(made, headers=self.limits if last == "messages" else {})

    def _who(self, request: web.Request) -> str:
        """Return who makes a call."""
        header = request.headers.get("Authorization", "")
        if request.path == "/oauth2/token":
            pair = base64.b64encode(f"{CONSUMER_KEY}:{CONSUMER_SECRET}".encode()).decode()
            if header != f"Basic {pair}":
                raise RefusedError(403, "Unable to verify your credentials")
            return "app"
        if header in {f"Bearer {APP_TOKEN}", f"Bearer {USER_TOKEN}"}:
            return "app" if header.endswith(APP_TOKEN) else "oauth2"
        self.check_signature(request.method, str(request.url), header)
        return "user"

    async def file(self, request: web.Request) -> web.StreamResponse:
        """Hand out what came by direct message, to the account alone."""
        self.check_signature("GET", str(request.url), request.headers.get("Authorization", ""))
        return web.Response(body=b"\xff\xd8tea", content_type="image/jpeg")


async def _said(request: web.Request) -> Json:
    if request.content_type == "application/json":
        return dict(await request.json())
    said: Json = dict(request.query)
    for name, value in (await request.post()).items():
        said[name] = value.file.read() if isinstance(value, web.FileField) else value
    return said


async def _play(request: web.Request, fault: Fault) -> web.StreamResponse:
    if fault.is_cut and request.transport is not None:
        request.transport.close()
        await asyncio.sleep(0)
    if fault.body is None:
        return web.Response(status=fault.status, text="<html>", headers=fault.headers)
    return web.json_response(fault.body, status=fault.status, headers=fault.headers)


@asynccontextmanager
async def running(now: Callable[[], datetime]) -> AsyncIterator[FakeX]:
    """Serve an X until the block ends; its `url` says where."""
    async with aiohttp.ClientSession() as session:
        fake = FakeX(session=session, clock=lambda: now().timestamp())
        app = web.Application(client_max_size=30_000_000)
        app.router.add_get("/ton/{path:.*}", fake.file)
        app.router.add_route("*", "/{path:.*}", fake.handle)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        fake.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield fake
        finally:
            await runner.cleanup()
