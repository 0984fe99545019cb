"""The web chat over HTTP: sessions, messages, files, and the feed as a stream of events.

| route                 | what                                                          |
|-----------------------|---------------------------------------------------------------|
| POST /chat/session    | a new token for a new visitor                                 |
| POST /chat/messages   | a message, or what was read; 202 once it is stored            |
| POST /chat/files      | one file, as the raw body; 201 with the key that names it     |
| GET  /chat/files/KEY  | a file of the visitor's feed                                  |
| GET  /chat/history    | the last entries of the feed and where it ends                |
| GET  /chat/events     | the feed from there on, and typing, as server-sent events     |
| GET  /chat/widget.js  | the one script a site includes                                |

All but the first and the last need `Authorization: Bearer TOKEN`. Errors are `{"error": code, "message": sentence}`.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import aclosing, suppress
from dataclasses import dataclass
from math import ceil
from urllib.parse import quote, unquote

import structlog
from sanic import Blueprint, HTTPResponse, Request, Sanic, response
from sanic.exceptions import SanicException
from sanic.http.http1 import Http

from bot.domain.connectors import Connector, WebhookRequest
from bot.domain.errors import MalformedWebhookError, MediaError, WebhookRejectedError
from bot.domain.messages import Attachment, AttachmentKind, InboundMessage
from bot.domain.ports import MediaStore, VisitorFeed
from bot.web.callers import Network, caller, is_somebody
from bot.web.limits import Limiter, Rate
from bot.web.streams import Entry, FeedHub, Sign
from bot.web.widget import Widget, load_widget
from connectors.webchat.connector import FILE_MAX_BYTES, WebChatConnector

MESSAGE_MAX_BYTES = 64 * 1024
#: Entries of the feed that a page shows when it opens.
HISTORY_MAX = 200
#: Pages of one visitor that are kept up to date at the same time.
PAGES_MAX = 12
#: Shown inside a page; everything else is only ever saved.
RASTER_TYPES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})

_MESSAGES = Rate(burst=20, every=2.0)
_FILES = Rate(burst=10, every=6.0)
_READS = Rate(burst=60, every=0.5)
#: A page with a long history fetches all its pictures at once.
_LOOKS = Rate(burst=400, every=0.25)
#: Behind a proxy that nobody named this is everybody together; a session costs us nothing.
_SESSIONS = Rate(burst=200, every=0.1)
#: Far less than what is answered, so that one caller with ever new visitors keeps nobody else waiting.
_ARRIVALS = Rate(burst=200, every=0.05)

_Handler = Callable[[Request], Coroutine[None, None, HTTPResponse]]

log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True)
class WebChatLimits:
    """How often one caller may do something."""

    #: of a visitor
    messages: Rate = _MESSAGES
    files: Rate = _FILES
    reads: Rate = _READS
    #: feeds and files asked for
    looks: Rate = _LOOKS
    #: of a caller, see `bot.web.callers`
    sessions: Rate = _SESSIONS
    #: messages and files of a caller, whose visitors may be many
    arrivals: Rate = _ARRIVALS


@dataclass(frozen=True, kw_only=True)
class WebChatParts:
    """What the routes need."""

    connector: WebChatConnector
    #: makes the request's events durable; raises when it did not
    receive: Callable[[Connector, WebhookRequest], Awaitable[None]]
    feed: VisitorFeed
    hub: FeedHub
    media: MediaStore
    #: sites that may embed the chat, as `https://shop.example.com`; the service's own address may always
    allowed_origins: frozenset[str] = frozenset()
    limits: WebChatLimits = WebChatLimits()
    #: whose word is taken for where a request comes from
    trusted_proxies: tuple[Network, ...] = ()


class ChatError(Exception):
    """A request that is refused, as the widget is told of it."""

    def __init__(self, status: int, code: str, message: str, retry_after: float | None = None) -> None:
        """Refuse with an HTTP status, a code for programs and a sentence for people."""
        super().__init__(message)
        self.status = status
        self.code = code
        self.retry_after = retry_after


def webchat_blueprint(parts: WebChatParts) -> Blueprint:
    """Return the routes under `/chat`."""
    chat = _Chat(parts, load_widget())
    blueprint = Blueprint("webchat", url_prefix="/chat")
    for method, path, handler in (
        ("POST", "/session", chat.session),
        ("GET", "/history", chat.history),
        ("GET", "/events", chat.events),
        ("GET", "/files/<key:str>", chat.download),
        ("GET", "/widget.js", chat.script),
    ):
        blueprint.add_route(handler, path, methods=[method], name=handler.__name__)
    for n, path in enumerate(("/session", "/history", "/events", "/messages", "/files", "/files/<key:str>")):
        blueprint.add_route(chat.preflight, path, methods=["OPTIONS"], name=f"preflight_{n}")
    for path, handler, at_most in (
        ("/messages", chat.messages, MESSAGE_MAX_BYTES),
        ("/files", chat.files, FILE_MAX_BYTES),
    ):
        blueprint.add_route(
            _streaming(handler, 4 * at_most), path, methods=["POST"], name=handler.__name__, stream=True
        )
    blueprint.middleware("request")(chat.check_origin)
    blueprint.middleware("response")(chat.add_headers)
    blueprint.exception(ChatError)(_refuse)
    blueprint.exception(WebhookRejectedError)(_refuse_session)
    blueprint.exception(MalformedWebhookError)(_refuse_malformed)

    @blueprint.before_server_stop
    async def end_streams(_app: Sanic) -> None:  # type: ignore[type-arg]
        parts.hub.close()

    return blueprint


class _Chat:
    """The handlers."""

    def __init__(self, parts: WebChatParts, widget: Widget) -> None:
        self._parts = parts
        self._widget = widget
        self._keys = parts.connector.keys
        self._origins = frozenset(origin.rstrip("/").lower() for origin in parts.allowed_origins)
        self._messages = Limiter(parts.limits.messages)
        self._files = Limiter(parts.limits.files)
        self._reads = Limiter(parts.limits.reads)
        self._looks = Limiter(parts.limits.looks)
        self._sessions = Limiter(parts.limits.sessions)
        self._arrivals = Limiter(parts.limits.arrivals)

    async def check_origin(self, request: Request) -> None:
        """Refuse pages of sites that may not embed the chat; whoever sends no origin is no page."""
        origin = request.headers.get("origin")
        if origin is None or request.path.endswith("/widget.js") or self._is_allowed(request, origin):
            return
        raise ChatError(403, "origin", "This site may not use the chat: its origin is not in webchat.allowed_origins.")

    async def add_headers(self, request: Request, answer: HTTPResponse) -> None:
        """Let allowed sites read the answer, and nobody keep or guess at it."""
        answer.headers.setdefault("cache-control", "no-store")
        answer.headers["x-content-type-options"] = "nosniff"
        answer.headers["referrer-policy"] = "no-referrer"
        if request.path.endswith("/widget.js"):
            return
        answer.headers["vary"] = "Origin"
        origin = request.headers.get("origin")
        if origin is not None and self._is_allowed(request, origin):
            answer.headers["access-control-allow-origin"] = origin
            answer.headers["access-control-expose-headers"] = "Retry-After"

    def _is_allowed(self, request: Request, origin: str) -> bool:
        return origin in self._origins or origin.partition("://")[2] == request.headers.get("host")

    async def preflight(self, _request: Request, **_parts: str) -> HTTPResponse:
        """Answer a browser that asks before it calls."""
        return response.empty(
            headers={
                "access-control-allow-methods": "GET, POST",
                "access-control-allow-headers": "Authorization, Content-Type, X-File-Name",
                "access-control-max-age": "7200",
            }
        )

    async def script(self, request: Request) -> HTTPResponse:
        """Answer with the widget; any site may load it, and browsers ask again after five minutes."""
        headers = {
            "etag": self._widget.etag,
            "cache-control": "public, max-age=300",
            "access-control-allow-origin": "*",
            "cross-origin-resource-policy": "cross-origin",
            "vary": "Accept-Encoding",
        }
        if request.headers.get("if-none-match") == self._widget.etag:
            return response.empty(304, headers)
        is_gzip = "gzip" in request.headers.get("accept-encoding", "")
        if is_gzip:
            headers["content-encoding"] = "gzip"
        body = self._widget.gzipped if is_gzip else self._widget.script
        return response.raw(body, headers=headers, content_type="text/javascript; charset=utf-8")

    async def session(self, request: Request) -> HTTPResponse:
        """Answer with a new token; its visitor is nobody until they write."""
        _count(self._sessions, self._caller(request))
        session = self._keys.session(secrets.token_bytes(26))
        return response.json({"token": session.token, "visitor": session.visitor}, status=201)

    async def messages(self, request: Request) -> HTTPResponse:
        """Show a message on the visitor's pages, store it, and only then answer 202."""
        visitor = self._keys.visitor(request.headers)
        body = await _body(request, MESSAGE_MAX_BYTES)
        wire = WebhookRequest(method="POST", headers=dict(request.headers), query={}, body=body)
        connector = self._parts.connector
        events = connector.parse(wire)
        messages = [event for event in events if isinstance(event, InboundMessage)]
        _count(self._messages if messages else self._reads, visitor)
        if messages:
            self._count_arrival(request)
        try:
            for message in messages:
                await connector.echo(message)
            await self._parts.receive(connector, wire)
        except (MalformedWebhookError, WebhookRejectedError):
            raise
        except Exception as error:
            log.warning("webchat_not_stored", visitor=visitor, error=type(error).__name__)
            raise ChatError(503, "not_stored", "The message could not be stored. Send it again.", 1.0) from error
        return response.json({"stored": len(events)}, status=202)

    async def files(self, request: Request) -> HTTPResponse:
        """Keep a file and answer with the key that names it in a message of this visitor."""
        visitor = self._keys.visitor(request.headers)
        _count(self._files, visitor)
        self._count_arrival(request)
        content = await _body(request, FILE_MAX_BYTES)
        if not content:
            raise ChatError(400, "empty", "The file is empty.")
        media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        name = unquote(request.headers.get("x-file-name", ""), errors="replace")[:200]
        offered = Attachment(kind=_kind(media_type), name=name, media_type=media_type[:100], size=len(content))
        try:
            kept = await self._parts.media.put(content, offered)
        except MediaError as error:
            raise ChatError(415, "file_refused", str(error)) from error
        return response.json(self._parts.connector.shown_file(visitor, kept), status=201)

    async def download(self, request: Request, key: str) -> None:
        """Answer with a file of this visitor's feed; only plain images may be shown in a page."""
        visitor = self._looking(request)
        try:
            attachment = self._keys.file(visitor, key)
        except MalformedWebhookError as error:
            raise ChatError(404, "no_file", str(error)) from error
        found = await self._parts.media.pieces(attachment.media_id) if attachment.media_id else None
        if found is None:
            raise ChatError(404, "no_file", "The file is no longer kept.")
        kept, pieces = found
        is_raster = kept.media_type in RASTER_TYPES
        disposition = "inline" if is_raster else "attachment"
        headers = {
            "content-disposition": f"{disposition}; filename*=UTF-8''{quote(attachment.name or 'file', safe='')}",
            "content-security-policy": "default-src 'none'; sandbox",
            "cache-control": "private, max-age=3600",
            "content-length": str(kept.size),
        }
        content_type = kept.media_type if is_raster else "application/octet-stream"
        answer = await request.respond(content_type=content_type, headers=headers)
        async for piece in pieces:
            await answer.send(piece)
        await answer.eof()

    async def history(self, request: Request) -> HTTPResponse:
        """Answer with the last entries of the visitor's feed and the number of the very last one."""
        visitor = self._looking(request)
        entries: list[tuple[int, dict[str, object]]] = []
        cursor = 0
        while batch := await self._parts.feed.after(visitor, cursor, HISTORY_MAX):
            cursor = batch[-1][0]
            entries = [*entries, *batch][-HISTORY_MAX:]
        return response.json({"events": [{**body, "sequence": number} for number, body in entries], "cursor": cursor})

    async def events(self, request: Request) -> None:
        """Stream the feed after `Last-Event-ID` or `?after=`, and signs in between, until either side goes."""
        visitor = self._looking(request)
        after = request.headers.get("last-event-id") or request.args.get("after") or "0"
        if not (after.isascii() and after.isdecimal() and len(after) < 16):
            raise ChatError(400, "after", "`after` must be a number of the feed.")
        if self._parts.hub.page_count(visitor) >= PAGES_MAX:
            raise ChatError(429, "pages", "The chat is open in too many windows.", 10.0)
        who = self._caller(request)
        if not self._parts.hub.has_room(who):
            raise ChatError(503, "busy", "Too many people have the chat open now. Try again in a moment.", 10.0)
        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        stream = await request.respond(content_type="text/event-stream; charset=utf-8", headers=headers)
        items: AsyncIterator[Entry | Sign] = self._parts.hub.follow(self._parts.feed, visitor, int(after), who)
        await stream.send(_frame(Sign.QUIET))
        try:
            async with aclosing(items):  # type: ignore[type-var]
                async for item in items:
                    await stream.send(_frame(item))
        except Exception as error:  # noqa: BLE001 - the page comes back by itself, and goes on where it was
            log.warning("webchat_stream_broken", visitor=visitor, error=type(error).__name__)
        await stream.eof()

    def _caller(self, request: Request) -> str:
        return caller(request.ip or "", request.headers.getall("x-forwarded-for", []), self._parts.trusted_proxies)

    def _count_arrival(self, request: Request) -> None:
        who = self._caller(request)
        if is_somebody(who):
            _count(self._arrivals, who)

    def _looking(self, request: Request) -> str:
        """Return the visitor who asks to see something of theirs."""
        visitor = self._keys.visitor(request.headers)
        _count(self._looks, visitor)
        return visitor


def _streaming(handler: _Handler, at_most: int) -> _Handler:
    """Return `handler` as a function, which Sanic marks as one that reads the body itself; a method it cannot mark.

    What it leaves of a body that it refuses is read to its end, within `at_most` bytes, so that the refusal is heard.
    """

    async def handle(request: Request) -> HTTPResponse:
        if request.stream is not None:
            request.stream.request_max_size = at_most
        try:
            return await handler(request)
        except Exception:
            with suppress(SanicException):
                async for _ in _chunks(request):
                    pass
            raise

    return handle


def _frame(item: Entry | Sign) -> str:
    match item:
        case Entry(sequence=sequence, body=body):
            return f"id: {sequence}\ndata: {json.dumps(body)}\n\n"
        case Sign.TYPING:
            return "event: typing\ndata: {}\n\n"
        case Sign.QUIET:
            return ": here\n\n"


async def _body(request: Request, at_most: int) -> bytes:
    """Return the request's body, read no further than `at_most` bytes; raise `ChatError` 413 for a longer one."""
    too_large = ChatError(413, "too_large", f"That is too large: at most {_size(at_most)}.")
    if int(request.headers.get("content-length") or 0) > at_most:
        raise too_large
    body = bytearray()
    async for chunk in _chunks(request):
        body += chunk
        if len(body) > at_most:
            raise too_large
    return bytes(body)


async def _chunks(request: Request) -> AsyncIterator[bytes]:
    if isinstance(request.stream, Http):
        async for chunk in request.stream:
            yield chunk


def _size(count: int) -> str:
    return f"{count // (1024 * 1024)} MB" if count >= 1024 * 1024 else f"{count // 1024} kB"


def _kind(media_type: str) -> AttachmentKind:
    family = media_type.partition("/")[0]
    return AttachmentKind(family) if family in {"image", "audio", "video"} else AttachmentKind.FILE


def _count(limiter: Limiter, caller: str) -> None:
    seconds = limiter.wait_for(caller, time.monotonic())
    if seconds:
        raise ChatError(429, "too_many", "That was a lot at once. Try again in a moment.", seconds)


async def _refuse(_request: Request, error: ChatError) -> HTTPResponse:
    headers = {"retry-after": str(ceil(error.retry_after))} if error.retry_after is not None else {}
    return response.json({"error": error.code, "message": str(error)}, status=error.status, headers=headers)


async def _refuse_session(request: Request, error: WebhookRejectedError) -> HTTPResponse:
    return await _refuse(request, ChatError(401, "session", f"{error}; ask POST /chat/session for one."))


async def _refuse_malformed(request: Request, error: MalformedWebhookError) -> HTTPResponse:
    return await _refuse(request, ChatError(400, "malformed", str(error)))
