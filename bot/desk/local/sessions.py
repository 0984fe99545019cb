"""Who sits at the local desk: one-time links, signed cookies, tokens in forms."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from dataclasses import dataclass

from itsdangerous import BadSignature, URLSafeTimedSerializer

#: How long a link can be used, and how long a session lasts.
LINK_FOR_SECONDS = 15 * 60
SESSION_FOR_SECONDS = 12 * 60 * 60
NAME_MAX = 40
_MINIMUM_SECRET = 16


@dataclass(frozen=True, kw_only=True)
class Session:
    """A browser that came in by a link."""

    #: random
    id: str
    #: what customers see; empty until the person has said it
    name: str = ""


def desk_link(secret: str, base_url: str) -> str:
    """Return a new link to the local desk that lets one browser in, once, within fifteen minutes."""
    ticket = _links(secret).dumps(secrets.token_urlsafe(16))
    return f"{base_url.rstrip('/')}/desk/enter?ticket={ticket}"


class Sessions:
    """Lets browsers in and recognises them; links are used up in memory, so a restart refuses older ones."""

    def __init__(self, secret: str) -> None:
        """Take the secret that signs everything, at least 16 characters."""
        if len(secret) < _MINIMUM_SECRET:
            raise ValueError("the desk's secret needs at least 16 characters")
        self._links = _links(secret)
        self._cookies = URLSafeTimedSerializer(secret, salt="desk-session")
        self._secret = secret.encode()
        self._started_at = int(time.time())
        self._used: dict[str, float] = {}
        self._ended: dict[str, float] = {}

    def enter(self, ticket: str) -> Session | None:
        """Return a new session for a link that is ours, fresh and unused; the link is used up by it."""
        try:
            nonce, issued_at = self._links.loads(ticket, max_age=LINK_FOR_SECONDS, return_timestamp=True)
        except BadSignature:
            return None
        now = time.time()
        self._used = {used: at for used, at in self._used.items() if now - at < LINK_FOR_SECONDS}
        if nonce in self._used or issued_at.timestamp() < self._started_at:
            return None
        self._used[str(nonce)] = now
        return Session(id=secrets.token_urlsafe(16))

    def cookie(self, session: Session) -> str:
        """Return the cookie's value for a session."""
        return str(self._cookies.dumps({"id": session.id, "name": session.name}))

    def recognise(self, cookie: str | None) -> Session | None:
        """Return the session of a cookie that is ours and not too old."""
        if cookie is None or not cookie.isascii():
            return None
        try:
            body = self._cookies.loads(cookie, max_age=SESSION_FOR_SECONDS)
        except BadSignature:
            return None
        return None if body["id"] in self._ended else Session(id=str(body["id"]), name=str(body["name"]))

    def leave(self, session: Session) -> None:
        """End a session: no cookie of it is recognised here any more, whoever has kept one."""
        now = time.time()
        self._ended = {known: at for known, at in self._ended.items() if now - at < SESSION_FOR_SECONDS}
        self._ended[session.id] = now

    def form_token(self, session: Session) -> str:
        """Return what every form of the session carries, so that no other site can send it."""
        return hmac.new(self._secret, b"desk-form:" + session.id.encode(), hashlib.sha256).hexdigest()

    def is_form_token(self, session: Session, token: str) -> bool:
        """Whether a form carries the session's own token."""
        return hmac.compare_digest(self.form_token(session).encode(), token.encode("utf-8", "replace"))


def clean_name(name: str) -> str:
    """Return a name as it may be shown to customers; empty when nothing printable is left."""
    shown = "".join(character for character in name if character.isprintable())
    return " ".join(shown.split())[:NAME_MAX].strip()


def _links(secret: str) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(secret, salt="desk-link")
