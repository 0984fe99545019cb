"""A YouTube on a loopback port: threads, replies, tokens and units, and the truth of what stands below the videos."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from aiohttp import web

OURS = "UCcopperleaf"


@dataclass(kw_only=True)
class Comment:
    """A comment as everybody reads it."""

    id: str
    author: str
    text: str
    at: datetime
    changed_at: datetime
    #: id of the comment it answers; none: it began the thread
    parent: str | None = None

    def resource(self) -> dict[str, Any]:
        """Return it as the API writes it."""
        snippet = {
            "authorDisplayName": f"@{self.author}",
            "authorChannelId": {"value": self.author},
            "textOriginal": self.text,
            "textDisplay": self.text,
            "publishedAt": _written(self.at),
            "updatedAt": _written(self.changed_at),
        }
        return {"kind": "youtube#comment", "id": self.id, "snippet": snippet}


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What goes wrong with one call."""

    #: none: the connection is cut
    status: int | None
    reason: str = ""
    #: whether the comment is there all the same
    is_done: bool = False
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(kw_only=True)
class FakeYouTube:
    """The truth."""

    now: datetime
    url: str = ""
    comments: list[Comment] = field(default_factory=list)
    #: what goes wrong with the next calls that are no request for a token
    faults: deque[Fault] = field(default_factory=deque)
    #: method and path of every call
    calls: list[str] = field(default_factory=list)
    units: int = 0
    units_max: int = 10_000
    #: tokens that live; a request for one makes the next
    tokens: set[str] = field(default_factory=set)
    is_granted: bool = True
    inline_max: int = 5
    page_size: int = 100

    def writes(self, author: str, text: str, parent: str | None = None) -> Comment:
        """Let somebody comment, now."""
        number = len(self.comments)
        made_id = f"{parent}.r{number}" if parent else f"Ug{number}"
        made = Comment(id=made_id, author=author, text=text, at=self.now, changed_at=self.now, parent=parent)
        self.comments.append(made)
        return made

    def below(self, thread: str) -> list[Comment]:
        """Return the replies of a thread, oldest first."""
        return [comment for comment in self.comments if comment.parent == thread]

    def page(self, at: int = 0) -> dict[str, Any]:
        """Return a page of threads, newest first."""
        threads = sorted(
            (each for each in self.comments if each.parent is None), key=lambda each: each.at, reverse=True
        )
        shown = threads[at : at + self.page_size]
        more = {"nextPageToken": str(at + self.page_size)} if at + self.page_size < len(threads) else {}
        return {"kind": "youtube#commentThreadListResponse", "items": [self._thread(each) for each in shown], **more}

    def _thread(self, top: Comment) -> dict[str, Any]:
        replies = self.below(top.id)
        # The API gives some of the replies, not necessarily all, and in no documented order.
        inline = [each.resource() for each in reversed(replies[-self.inline_max :])]
        made: dict[str, Any] = {
            "kind": "youtube#commentThread",
            "id": top.id,
            "snippet": {"channelId": OURS, "topLevelComment": top.resource(), "totalReplyCount": len(replies)},
        }
        return made | ({"replies": {"comments": inline}} if inline else {})

    async def token(self, request: web.Request) -> web.StreamResponse:
        """Exchange a refresh token."""
        self.calls.append("token")
        asked = await request.post()
        if not self.is_granted or asked.get("refresh_token") != "refresh0token":
            return web.json_response({"error": "invalid_grant"}, status=400)
        token = f"ya29.{len(self.calls)}"
        self.tokens.add(token)
        return web.json_response({"access_token": token, "expires_in": 3599, "token_type": "Bearer"})

    async def call(self, request: web.Request) -> web.StreamResponse:
        """Answer a call of the API."""
        self.calls.append(f"{request.method} {request.path.rpartition('/')[2]}")
        if request.headers.get("Authorization", "").removeprefix("Bearer ") not in self.tokens:
            return _refusal(401, "authError")
        cost = 1 if request.method == "GET" else 50
        if self.units + cost > self.units_max:
            return _refusal(403, "quotaExceeded")
        self.units += cost
        fault = self.faults.popleft() if self.faults else None
        answer = await self._answer(request) if fault is None or fault.is_done else None
        if fault is None:
            assert answer is not None
            return answer
        if fault.status is None:
            assert request.transport is not None
            request.transport.abort()
            await asyncio.sleep(0)
        return _refusal(fault.status or 500, fault.reason, fault.headers)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        answer = {"GET": self._read, "POST": self._insert, "PUT": self._update, "DELETE": self._delete}
        return await answer[request.method](request)

    async def _read(self, request: web.Request) -> web.StreamResponse:
        what = request.path.rpartition("/")[2]
        if what == "commentThreads":
            return web.json_response(self.page(int(request.query.get("pageToken", "0"))))
        if what == "comments":
            replies = self.below(request.query["parentId"])
            return web.json_response({"items": [each.resource() for each in reversed(replies)]})
        return web.json_response({"items": [{"id": OURS, "snippet": {"title": "Copperleaf"}}]})

    async def _insert(self, request: web.Request) -> web.StreamResponse:
        snippet = (await request.json())["snippet"]
        if not any(each.id == snippet["parentId"] for each in self.comments):
            return _refusal(404, "parentCommentNotFound")
        return web.json_response(self.writes(OURS, snippet["textOriginal"], snippet["parentId"]).resource())

    async def _update(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        (found,) = [each for each in self.comments if each.id == body["id"]]
        found.text = body["snippet"]["textOriginal"]
        return web.json_response(found.resource())

    async def _delete(self, request: web.Request) -> web.StreamResponse:
        left = [each for each in self.comments if each.id != request.query["id"]]
        if len(left) == len(self.comments):
            return _refusal(404, "commentNotFound")
        self.comments = left
        return web.Response(status=204)


def _refusal(status: int, reason: str, headers: dict[str, str] | None = None) -> web.StreamResponse:
    body = {"error": {"code": status, "message": f"It is {reason}.", "errors": [{"reason": reason}]}}
    return web.json_response(body, status=status, headers=headers)


def _written(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


@asynccontextmanager
async def running(youtube: FakeYouTube) -> AsyncIterator[FakeYouTube]:
    """Serve `youtube` until the block ends; its `url` says where."""
    app = web.Application()
    app.router.add_post("/token", youtube.token)
    app.router.add_route("*", "/youtube/v3/{path:.*}", youtube.call)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    youtube.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield youtube
    finally:
        await runner.cleanup()
