"""Calls of an account on Bluesky: its session, and what each way to fail leaves certain.

Calls are XRPC (https://atproto.com/specs/xrpc) and go to the account's own server, which passes those of the chat on
(https://docs.bsky.app/docs/advanced-guides/api-directory).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from urllib.parse import urlencode, urlsplit

from bot.domain.connectors import Ambiguous, Permanent, Retry
from bot.domain.errors import MalformedWebhookError
from connectors.fields import Fields, load
from connectors.http import Answer, Call, CallError, Line, classify
from connectors.verdicts import ACCOUNT, LATER, NEVER, Verdict

Failure = Retry | Permanent | Ambiguous

_CONNECTIONS_MAX = 8
_ANSWER_MAX = 8_000_000
_MESSAGE_MAX = 200
_PAUSE_MAX = timedelta(days=1)
#: Where the chat is, as the account's server is told.
_CHAT = {"Atproto-Proxy": "did:web:api.bsky.chat#bsky_chat"}
#: A record is there that was to be made anew.
EXISTS = "InvalidSwap"
_NEW_PASSWORD = "Bluesky does not take the app password: make a new one"  # noqa: S105 - words

#: What is said of a token that is right, and not allowed to do this.
_NOT_ALLOWED = ("scope", "method")

#: Name of the error → verdict and words for an agent. Names are those of the lexicons.
NAMES: dict[str, tuple[Verdict, str]] = {
    "RateLimitExceeded": (LATER, "Bluesky asks for a pause"),
    "AuthenticationRequired": (ACCOUNT, _NEW_PASSWORD),
    "AuthMissing": (ACCOUNT, _NEW_PASSWORD),
    "InvalidToken": (ACCOUNT, "the app password does not open direct messages: make one that does"),
    "ExpiredToken": (LATER, "the session has ended"),
    "AuthFactorTokenRequired": (ACCOUNT, "Bluesky wants a code by e-mail: use an app password, not the account's own"),
    "AccountTakedown": (ACCOUNT, "Bluesky has taken the account down"),
    "AccountDeactivated": (ACCOUNT, "the account is deactivated"),
    "AccountSuspended": (NEVER, "the customer's account is suspended"),
    "BlockedActor": (NEVER, "the customer has blocked us, or we them"),
    "BlockedSubject": (NEVER, "the customer has blocked us, or we them"),
    "MessagesDisabled": (NEVER, "the customer takes no direct messages"),
    "NotFollowedBySender": (NEVER, "the customer takes direct messages only of accounts that they follow"),
    "RecipientNotFound": (NEVER, "the customer's account is no longer there"),
    "InvalidConvo": (NEVER, "the conversation is no longer there"),
    "ConvoLocked": (NEVER, "the conversation is locked"),
    "ReplyTargetNotFound": (NEVER, "what is answered is no longer there"),
    "RecordNotFound": (NEVER, "the post is no longer there"),
    "BlobTooLarge": (NEVER, "the picture is too large for Bluesky"),
    "InvalidMimeType": (NEVER, "Bluesky does not show files of this type"),
    "PayloadTooLarge": (NEVER, "it is too large for Bluesky"),
    EXISTS: (NEVER, "it is there already"),
}


@dataclass(frozen=True, kw_only=True)
class Login:
    """How the account is opened."""

    #: server that opens it: https://bsky.social
    url: str
    handle: str
    password: str


@dataclass(frozen=True, kw_only=True)
class Session:
    """An open account."""

    did: str
    #: the account's own server
    url: str
    token: str
    refresh_token: str


class BlueskyApi:
    """The calls of one account. Nothing it holds, logs or raises contains password or tokens."""

    def __init__(self, login: Login, proxy_url: str | None, now: Callable[[], datetime]) -> None:
        """Connect to nothing before the first call."""
        self._login = login
        self._now = now
        self._line = Line(_CONNECTIONS_MAX, proxy_url, "", "")
        self._session: Session | None = None
        self._opening = asyncio.Lock()

    async def did(self) -> str | Failure:
        """Return the account's lasting name."""
        session = await self._open(None)
        return session.did if isinstance(session, Session) else session

    async def get(self, name: str, query: Iterable[tuple[str, str]] = ()) -> bytes | Failure:
        """Return what the method `name` tells, as app.bsky.notification.listNotifications."""
        pairs = list(query)
        return await self._call("GET", f"{name}?{urlencode(pairs)}" if pairs else name, b"", "")

    async def post(self, name: str, body: Mapping[str, object]) -> bytes | Failure:
        """Do something."""
        return await self._call("POST", name, json.dumps(body).encode(), "application/json")

    async def upload(self, content: bytes, media_type: str) -> bytes | Failure:
        """Bring a file that a post will show."""
        return await self._call("POST", "com.atproto.repo.uploadBlob", content, media_type)

    async def _call(self, method: str, name: str, content: bytes, content_type: str) -> bytes | Failure:
        session = await self._open(None)
        if not isinstance(session, Session):
            return session
        answer = await self._ask(method, f"{session.url}/xrpc/{name}", session.token, (content, content_type))
        if _is_expired(answer):
            session = await self._open(session)
            if not isinstance(session, Session):
                return session
            answer = await self._ask(method, f"{session.url}/xrpc/{name}", session.token, (content, content_type))
        return answer

    async def _ask(self, method: str, url: str, token: str, content: tuple[bytes, str]) -> bytes | Failure:
        headers = {"Accept": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
        if content[1]:
            headers["Content-Type"] = content[1]
        if "/xrpc/chat.bsky.convo." in url:
            headers |= _CHAT
        try:
            answer = await self._line.answer(
                Call(method=method, url=url, headers=headers, body=content[0], bytes_max=_ANSWER_MAX)
            )
        except CallError as error:
            return classify(error)
        if HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES:
            return answer.body
        return failure_of(answer, self._now())

    async def _open(self, ended: Session | None) -> Session | Permanent | Retry:
        """Return the session, another than the one that has ended; it is opened once, whoever asks."""
        async with self._opening:
            if self._session is not None and self._session is not ended:
                return self._session
            opened: bytes | Failure | None = None
            if ended is not None:
                url = f"{ended.url}/xrpc/com.atproto.server.refreshSession"
                opened = await self._ask("POST", url, ended.refresh_token, (b"", ""))
            if opened is None or isinstance(opened, Permanent) or _is_expired(opened):
                body = {"identifier": self._login.handle, "password": self._login.password}
                url = f"{self._login.url}/xrpc/com.atproto.server.createSession"
                opened = await self._ask("POST", url, "", (json.dumps(body).encode(), "application/json"))
            if not isinstance(opened, bytes):
                return unseen(opened)
            try:
                self._session = self._read(Fields(load(opened)))
            except MalformedWebhookError:
                return Retry(reason="Bluesky's answer to the log-in cannot be read")
            return self._session

    def _read(self, told: Fields) -> Session:
        services = told.object("didDoc").objects("service") if "didDoc" in told else []
        urls = [each.text("serviceEndpoint") for each in services if each.text("id", "").endswith("#atproto_pds")]
        return Session(
            did=told.text("did"),
            url=next((url.rstrip("/") for url in urls if self._is_safe(url)), self._login.url),
            token=told.text("accessJwt"),
            refresh_token=told.text("refreshJwt"),
        )

    def _is_safe(self, url: str) -> bool:
        """Whether tokens may go to an address: by https, or where the log-in went."""
        parts = urlsplit(url)
        return parts.scheme == "https" or parts.netloc == urlsplit(self._login.url).netloc

    async def close(self) -> None:
        """Close all connections."""
        await self._line.close()


def _is_expired(answer: bytes | Failure) -> bool:
    return isinstance(answer, Retry) and answer.reason == NAMES["ExpiredToken"][1]


def unseen(failure: Failure) -> Permanent | Retry:
    """Return what is known of a failed call that shows nobody anything."""
    return Retry(reason=failure.reason) if isinstance(failure, Ambiguous) else failure


def failure_of(answer: Answer, now: datetime) -> Failure:
    """Return what is certain after a refusal."""
    try:
        body = Fields(load(answer.body))
        name, said = body.text("error", ""), body.text("message", "")[:_MESSAGE_MAX]
    except MalformedWebhookError:
        name, said = "", ""
    if name == "InvalidToken" and not any(each in said.lower() for each in _NOT_ALLOWED):
        name = "ExpiredToken"
    if answer.status == HTTPStatus.TOO_MANY_REQUESTS:
        return Retry(reason=NAMES["RateLimitExceeded"][1], after=_asked_pause(answer.headers, now))
    if name not in NAMES and not HTTPStatus.BAD_REQUEST <= answer.status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return Ambiguous(reason=f"Bluesky failed, and the message may be there (HTTP {answer.status})")
    elsewhere = (NEVER, f"Bluesky refuses it: {said or name or f'HTTP {answer.status}'}")
    if answer.status == HTTPStatus.UNAUTHORIZED:
        elsewhere = (ACCOUNT, _NEW_PASSWORD)
    verdict, words = NAMES.get(name, elsewhere)
    if verdict is LATER:
        return Retry(reason=words, after=_asked_pause(answer.headers, now))
    return Permanent(reason=words, code=name or str(answer.status), is_account=verdict is ACCOUNT)


def _asked_pause(headers: Mapping[str, str], now: datetime) -> timedelta | None:
    """Return how long until calls are counted anew (https://docs.bsky.app/docs/advanced-guides/rate-limits)."""
    until, after = headers.get("ratelimit-reset", ""), headers.get("retry-after", "")
    if until.isascii() and until.isdigit() and len(until) <= 11:
        left = datetime.fromtimestamp(int(until), UTC) - now
        return min(max(left, timedelta(seconds=1)), _PAUSE_MAX)
    return timedelta(seconds=int(after)) if after.isascii() and after.isdigit() and len(after) <= 5 else None
