"""Bluesky on a loopback port: sessions, records, notifications, a chat; and the truth of what people see."""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import regex  # type: ignore[import-untyped]
from aiohttp import web

OURS, JANE, JOE = "did:plc:copperleaf", "did:plc:jane", "did:plc:joe"
HANDLE, PASSWORD = "copperleaf.bsky.social", "abcd-efgh-ijkl-mnop"
_POSTS = "app.bsky.feed.post"


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What goes wrong with one call."""

    #: none: the connection is cut
    status: int | None
    error: str = ""
    message: str = ""
    #: whether it is done all the same
    is_done: bool = False
    headers: dict[str, str] = field(default_factory=dict)
    #: the method that it meets
    method: str = ""


@dataclass(kw_only=True)
class FakeBluesky:
    """The truth."""

    now: datetime
    url: str = ""
    #: at-uri → record
    records: dict[str, dict[str, Any]] = field(default_factory=dict)
    notifications: list[dict[str, Any]] = field(default_factory=list)
    #: conversation → its members
    convos: dict[str, dict[str, Any]] = field(default_factory=dict)
    logs: list[dict[str, Any]] = field(default_factory=list)
    blobs: dict[str, bytes] = field(default_factory=dict)
    tokens: set[str] = field(default_factory=set)
    refresh_tokens: set[str] = field(default_factory=set)
    password: str = PASSWORD
    #: whether the app password opens the chat
    opens_chat: bool = True
    faults: deque[Fault] = field(default_factory=deque)
    calls: list[str] = field(default_factory=list)
    log_page: int = 50
    numbers: Any = field(default_factory=lambda: itertools.count(1))

    # ---------------------------------------------------------------------------------------------- what people do

    def posts(self, who: str, text: str, parent: str = "", reason: str = "mention", **more: Any) -> str:
        """Let somebody post; the account is notified of what is not its own."""
        uri = f"at://{who}/{_POSTS}/3k{next(self.numbers):06d}"
        record: dict[str, Any] = {"$type": _POSTS, "text": text, "createdAt": self._written(), **more}
        if parent:
            first = self.records[parent].get("reply", {}).get("root", _reference(parent))
            record["reply"] = {"root": first, "parent": _reference(parent)}
        self.records[uri] = record
        if who != OURS:
            self._notifies(who, uri, reason if not parent or reason == "quote" else "reply", record, parent)
        return uri

    def likes(self, who: str, uri: str) -> None:
        """Let somebody like a post."""
        self._notifies(who, f"at://{who}/app.bsky.feed.like/3k{next(self.numbers):06d}", "like", {}, uri)

    def _notifies(self, who: str, uri: str, reason: str, record: dict[str, Any], subject: str) -> None:
        self.notifications.append(
            {
                **_reference(uri),
                "author": _profile(who),
                "reason": reason,
                "reasonSubject": subject or None,
                "record": record,
                "indexedAt": self._written(),
            }
        )

    def deletes(self, uri: str) -> None:
        """Let a post be deleted: its notification goes too."""
        del self.records[uri]
        self.notifications = [each for each in self.notifications if each["uri"] != uri]

    def talks(self, *members: str, status: str = "accepted") -> str:
        """Begin a conversation of the account's with others."""
        convo = f"convo{len(self.convos)}"
        self.convos[convo] = {
            "id": convo,
            "status": status,
            "members": [_profile(each) for each in (OURS, *members)],
            "kind": {"$type": f"chat.bsky.convo.defs#{'groupConvo' if len(members) > 1 else 'directConvo'}"},
        }
        return convo

    def says(self, convo: str, who: str, text: str, **more: Any) -> dict[str, Any]:
        """Let somebody write a message."""
        number = f"m{next(self.numbers)}"
        message = {"id": number, "text": text, "sender": {"did": who}, "sentAt": self._written(), **more}
        self.logs_that("CreateMessage", convo, message)
        return message

    def logs_that(self, kind: str, convo: str, message: dict[str, Any], **more: Any) -> None:
        """Let something stand in the log."""
        item = {"$type": f"chat.bsky.convo.defs#log{kind}", "rev": f"222222a{next(self.numbers):06d}"}
        self.logs.append({**item, "convoId": convo, "message": message, **more})

    def shown(self, convo: str) -> list[str]:
        """Return what we said in a conversation, as the other sees it."""
        said = (each["message"] for each in self.logs if each["convoId"] == convo)
        return [each["text"] for each in said if each["sender"]["did"] == OURS]

    def below(self, uri: str) -> list[dict[str, Any]]:
        """Return our answers to a post."""
        ours = (each for at, each in self.records.items() if at.startswith(f"at://{OURS}/{_POSTS}/"))
        return [each for each in ours if each.get("reply", {}).get("parent", {}).get("uri") == uri]

    def _written(self) -> str:
        return self.now.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"

    # ------------------------------------------------------------------------------------------- what is called

    async def call(self, request: web.Request) -> web.StreamResponse:
        """Answer a call."""
        name = request.path.rpartition("/")[2]
        self.calls.append(name)
        fault = self.faults[0] if self.faults and self.faults[0].method in {"", name} else None
        if fault is None:
            return await self._answer(name, request)
        self.faults.popleft()
        if fault.is_done:
            await self._answer(name, request)
        if fault.status is None:
            assert request.transport is not None
            request.transport.abort()
            await asyncio.sleep(0)
        body = {"error": fault.error, "message": fault.message}
        return web.json_response(body, status=fault.status or 500, headers=fault.headers)

    async def _answer(self, name: str, request: web.Request) -> web.StreamResponse:  # noqa: PLR0911 - all that it can
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if name == "com.atproto.server.createSession":
            asked = await request.json()
            is_right = asked == {"identifier": HANDLE, "password": self.password}
            return self._session() if is_right else _refusal(401, "AuthenticationRequired")
        if name == "com.atproto.server.refreshSession":
            is_known = token in self.refresh_tokens
            self.refresh_tokens.discard(token)
            return self._session() if is_known else _refusal(400, "ExpiredToken")
        if token not in self.tokens:
            return _refusal(400, "ExpiredToken")
        if name.startswith("chat.bsky.convo."):
            if request.headers.get("Atproto-Proxy") != "did:web:api.bsky.chat#bsky_chat":
                return _refusal(501, "MethodNotImplemented")
            if not self.opens_chat:
                return _refusal(400, "InvalidToken", "Bad token scope")
            return await self._chat(name.rpartition(".")[2], request)
        return await (self._write if request.method == "POST" else self._read)(name.rpartition(".")[2], request)

    def _session(self) -> web.StreamResponse:
        number = next(self.numbers)
        self.tokens = {f"access{number}"}
        self.refresh_tokens.add(f"refresh{number}")
        service = {"id": "#atproto_pds", "type": "AtprotoPersonalDataServer", "serviceEndpoint": self.url}
        tokens = {"accessJwt": f"access{number}", "refreshJwt": f"refresh{number}"}
        return web.json_response({"did": OURS, "handle": HANDLE, "didDoc": {"service": [service]}, **tokens})

    async def _read(self, name: str, request: web.Request) -> web.StreamResponse:
        if name == "listNotifications":
            start, limit = int(request.query.get("cursor", "0")), int(request.query["limit"])
            found = [each for each in self.notifications[::-1] if each["reason"] in request.query.getall("reasons")]
            page = {"notifications": found[start : start + limit], "cursor": str(start + limit)}
            return web.json_response(page if start + limit < len(found) else {"notifications": page["notifications"]})
        if name == "listRecords":
            prefix = f"at://{request.query['repo']}/{request.query['collection']}/"
            uris = sorted((each for each in self.records if each.startswith(prefix)), reverse=True)
            found = [{**_reference(uri), "value": self.records[uri]} for uri in uris]
            return web.json_response({"records": found[: int(request.query["limit"])]})
        if name == "getRecord":
            uri = "at://{repo}/{collection}/{rkey}".format(**request.query)
            is_there = uri in self.records
            return web.json_response({"value": self.records[uri]}) if is_there else _refusal(400, "RecordNotFound")
        uris = [each for each in request.query.getall("uris", []) if each in self.records]
        return web.json_response({"posts": [{**_reference(uri), "record": self.records[uri]} for uri in uris]})

    async def _write(self, name: str, request: web.Request) -> web.StreamResponse:
        if name == "uploadBlob":
            content = await request.read()
            if len(content) > 1_000_000:
                return _refusal(400, "BlobTooLarge")
            cid = f"bafkrei{len(self.blobs)}"
            self.blobs[cid] = content
            blob = {"$type": "blob", "ref": {"$link": cid}, "mimeType": request.content_type, "size": len(content)}
            return web.json_response({"blob": blob})
        body = await request.json()
        uri = f"at://{body['repo']}/{body['collection']}/{body['rkey']}"
        if name == "deleteRecord":
            self.records.pop(uri, None)
            return web.json_response({})
        text = body["record"].get("text", "")
        if len(regex.findall(r"\X", text)) > 300 or len(text.encode()) > 3_000:
            return _refusal(400, "InvalidRequest", "Invalid app.bsky.feed.post record: too long")
        if uri in self.records and "swapRecord" in body:
            return _refusal(400, "InvalidSwap", "Record was at bafy")
        self.records[uri] = body["record"]
        return web.json_response(_reference(uri))

    async def _chat(self, name: str, request: web.Request) -> web.StreamResponse:  # noqa: PLR0911 - all that it can
        if name == "getLog":
            # Without a cursor nothing but the place where the log ends.
            after = request.query.get("cursor", "9")
            newer = [each for each in self.logs if each["rev"] > after][: self.log_page]
            end = newer[-1]["rev"] if newer else self.logs[-1]["rev"] if self.logs else None
            return web.json_response({"logs": newer} | ({"cursor": end} if end else {}))
        if name == "getConvo":
            convo = self.convos.get(request.query["convoId"])
            return web.json_response({"convo": convo}) if convo else _refusal(400, "InvalidConvo")
        if name == "getConvoForMembers":
            wanted = {OURS, *request.query.getall("members")}
            found = (each for each in self.convos.values() if {m["did"] for m in each["members"]} == wanted)
            return web.json_response({"convo": next(found)})
        if name == "getMessages":
            said = [each["message"] for each in self.logs if each["convoId"] == request.query["convoId"]]
            return web.json_response({"messages": said[: -int(request.query["limit"]) - 1 : -1]})
        if name == "listConvos":
            return web.json_response({"convos": list(self.convos.values())[:1]})
        body = await request.json()
        if name == "acceptConvo":
            self.convos[body["convoId"]]["status"] = "accepted"
            return web.json_response({})
        text = body["message"]["text"]
        if len(regex.findall(r"\X", text)) > 1_000 or len(text.encode()) > 10_000:
            return _refusal(400, "InvalidRequest", "message too long")
        told = {name: body["message"][name] for name in ("facets", "replyTo") if name in body["message"]}
        return web.json_response(self.says(body["convoId"], OURS, text, **told))


def _reference(uri: str) -> dict[str, str]:
    return {"uri": uri, "cid": "bafyrei" + uri.rpartition("/")[2]}


def _profile(did: str) -> dict[str, str]:
    name = did.rpartition(":")[2]
    return {"did": did, "handle": f"{name}.bsky.social", "displayName": name.title()}


def _refusal(status: int, error: str, message: str = "") -> web.StreamResponse:
    return web.json_response({"error": error, "message": message}, status=status)


@asynccontextmanager
async def running(bluesky: FakeBluesky) -> AsyncIterator[FakeBluesky]:
    """Serve `bluesky` until the block ends; its `url` says where."""
    app = web.Application()
    app.router.add_route("*", "/xrpc/{name}", bluesky.call)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    bluesky.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield bluesky
    finally:
        await runner.cleanup()
