"""A Mastodon server on a loopback port: statuses, who may read them, notifications, files; and the truth of it."""

from __future__ import annotations

import asyncio
import html
import itertools
import re
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

ACCOUNTS = {"care": "1", "jane": "44", "joe@elsewhere.example": "45"}
TOKEN = "token0of0care"
LIMIT = 500


@dataclass(kw_only=True)
class Status:
    """A status as those who may read it see it."""

    id: str
    author: str
    text: str
    visibility: str
    #: the status that it answers
    parent: str | None = None
    warning: str = ""
    app: str = "Web"
    media: list[str] = field(default_factory=list)
    edited_at: str | None = None


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What goes wrong with one call."""

    #: none: the connection is cut
    status: int | None
    error: str = ""
    #: whether it is done all the same
    is_done: bool = False
    headers: dict[str, str] = field(default_factory=dict)
    #: of calls that it meets
    method: str = ""


@dataclass(kw_only=True)
class FakeMastodon:
    """The truth."""

    url: str = ""
    statuses: dict[str, Status] = field(default_factory=dict)
    notifications: list[dict[str, Any]] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    #: how often a file is not ready yet
    busy_count: int = 0
    keys: dict[str, str] = field(default_factory=dict)
    faults: deque[Fault] = field(default_factory=deque)
    calls: list[str] = field(default_factory=list)
    page_max: int = 40
    policy: str = "filter"
    #: whether several statuses are given at once, as since 4.3
    gives_several: bool = True
    numbers: Any = field(default_factory=lambda: itertools.count(1000))

    def writes(self, author: str, text: str, visibility: str = "direct", **more: Any) -> Status:
        """Let somebody write; who is named is notified."""
        made = Status(id=str(next(self.numbers)), author=author, text=text, visibility=visibility, **more)
        self.statuses[made.id] = made
        if author != "care" and "care" in self._named(made):
            self.notifies("mention", author, made)
        return made

    def notifies(self, kind: str, who: str, status: Status | None = None) -> None:
        """Tell the account of something."""
        item = {"id": str(next(self.numbers)), "type": kind, "account": _account(who)}
        self.notifications.append(item | ({"status": status} if status is not None else {}))

    def changes(self, status: Status, text: str, at: str = "2026-11-22T09:40:00.000Z") -> None:
        """Let an author change a status: nobody is notified of it."""
        status.text, status.edited_at = text, at

    def _named(self, status: Status) -> list[str]:
        return [name for name in ACCOUNTS if re.search(rf"@{re.escape(name)}(?![\w@])", status.text)]

    def shown(self, status: Status) -> dict[str, Any]:
        """Return a status as the API writes it."""
        parent = self.statuses.get(status.parent or "")
        short = re.sub(r"(@\w+)@[\w.]+", r"\1", html.escape(status.text, quote=False))
        return {
            "id": status.id,
            "created_at": datetime(2026, 11, 22, 9, 30, tzinfo=UTC).isoformat(),
            "edited_at": status.edited_at,
            "in_reply_to_id": status.parent,
            "in_reply_to_account_id": ACCOUNTS[parent.author] if parent else None,
            "visibility": status.visibility,
            "spoiler_text": status.warning,
            "content": f"<p>{short}</p>",
            "account": _account(status.author),
            "application": {"name": status.app},
            "mentions": [{"username": name.partition("@")[0], **_account(name)} for name in self._named(status)],
            "media_attachments": [],
        }

    async def call(self, request: web.Request) -> web.StreamResponse:
        """Answer a call of the API."""
        self.calls.append(f"{request.method} {request.path}")
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return web.json_response({"error": "The access token is invalid"}, status=401)
        fault = self.faults[0] if self.faults and self.faults[0].method in {"", request.method} else None
        if fault is None:
            return await self._answer(request)
        self.faults.popleft()
        if fault.is_done:
            await self._answer(request)
        if fault.status is None:
            assert request.transport is not None
            request.transport.abort()
            await asyncio.sleep(0)
        return web.json_response({"error": fault.error}, status=fault.status or 500, headers=fault.headers)

    async def _answer(self, request: web.Request) -> web.StreamResponse:  # noqa: C901, PLR0911 - all that it can
        match request.method, request.path.strip("/").split("/")[2:]:
            case "GET", ["notifications"]:
                items = self._page(self.notifications, request)
                return web.json_response(
                    [each | ({"status": self.shown(each["status"])} if "status" in each else {}) for each in items]
                )
            case "GET", ["notifications", "policy"]:
                return web.json_response({"for_private_mentions": self.policy})
            case "GET", ["accounts", "verify_credentials"]:
                return web.json_response(_account("care"))
            case "GET", ["apps", "verify_credentials"]:
                return web.json_response({"name": "Tandem"})
            case "GET", ["accounts", "1", "statuses"]:
                own = [vars(each) for each in self.statuses.values() if each.author == "care"]
                return web.json_response([self.shown(Status(**each)) for each in self._page(own, request)])
            case "GET", ["accounts", number]:
                return web.json_response(_account(next(name for name, id_ in ACCOUNTS.items() if id_ == number)))
            case "GET", ["instance"]:
                told = {"version": "4.5.0", "configuration": {"statuses": {"max_characters": LIMIT}}}
                return web.json_response(told)
            case "GET", ["statuses"] if self.gives_several:
                wanted = request.query.getall("id[]")
                return web.json_response([self.shown(self.statuses[each]) for each in wanted if each in self.statuses])
            case "POST", ["statuses"]:
                return await self._post(request)
            case method, ["statuses", name, *rest] if name in self.statuses:
                return await self._one(method, self.statuses[name], rest, request)
            case "POST", ["media"]:
                part = (await request.post())["file"]
                assert isinstance(part, web.FileField)
                self.files[name := str(next(self.numbers))] = part.file.read()
                return web.json_response({"id": name, "url": None}, status=202 if self.busy_count else 200)
            case "GET", ["media", name]:
                self.busy_count -= 1
                return web.json_response({"id": name}, status=206 if self.busy_count > 0 else 200)
        return web.json_response({"error": "Record not found"}, status=404)

    def _page(self, items: list[dict[str, Any]], request: web.Request) -> list[dict[str, Any]]:
        after = int(request.query.get("min_id", "-1"))
        count = min(int(request.query.get("limit", "20")), self.page_max)
        newer = [each for each in items if int(each["id"]) > after]
        return (newer[:count] if "min_id" in request.query else newer[-count:])[::-1]

    async def _post(self, request: web.Request) -> web.StreamResponse:
        body, key = await request.json(), request.headers.get("Idempotency-Key", "")
        if key in self.keys:
            return web.json_response(self.shown(self.statuses[self.keys[key]]))
        if len(body["status"]) + len(body.get("spoiler_text", "")) > LIMIT:
            return web.json_response({"error": "Validation failed: Text character limit exceeded"}, status=422)
        if body.get("in_reply_to_id", next(iter(self.statuses), "")) not in self.statuses:
            return web.json_response({"error": "Record not found"}, status=404)
        made = self.writes(
            "care",
            body["status"],
            body["visibility"],
            parent=body.get("in_reply_to_id"),
            warning=body.get("spoiler_text", ""),
            media=body.get("media_ids", []),
            app="Tandem",
        )
        self.keys[key] = made.id
        return web.json_response(self.shown(made))

    async def _one(self, method: str, status: Status, rest: list[str], request: web.Request) -> web.StreamResponse:
        if method == "PUT":
            body = await request.json()
            status.text, status.warning = body["status"], body["spoiler_text"]
        elif method == "DELETE":
            del self.statuses[status.id]
        elif rest == ["source"]:
            return web.json_response({"id": status.id, "text": status.text, "spoiler_text": status.warning})
        elif rest == ["context"]:
            before: list[Status] = []
            at = status
            while at.parent in self.statuses:
                at = self.statuses[at.parent]
                before.insert(0, at)
            return web.json_response({"ancestors": [self.shown(each) for each in before], "descendants": []})
        return web.json_response(self.shown(status))


def _account(name: str) -> dict[str, Any]:
    return {"id": ACCOUNTS[name], "acct": name, "display_name": name.partition("@")[0].title()}


@asynccontextmanager
async def running(mastodon: FakeMastodon) -> AsyncIterator[FakeMastodon]:
    """Serve `mastodon` until the block ends; its `url` says where."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", mastodon.call)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    mastodon.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield mastodon
    finally:
        await runner.cleanup()
