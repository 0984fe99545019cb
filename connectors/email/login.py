"""How we prove to mail servers who we are: a password, or a token that a provider's own server hands out."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlencode, urlsplit

from bot.domain.errors import MalformedWebhookError, SettingsError
from connectors.fields import Fields, load
from connectors.http import Call, CallError, Line

#: Seconds before its end from which a token is not used any more.
_SPARE = 120.0


class Security(StrEnum):
    """How a connection is kept from others."""

    TLS = "tls"
    STARTTLS = "starttls"
    #: for a server on this machine only
    NONE = "none"


@dataclass(frozen=True, kw_only=True)
class Server:
    """A mail server."""

    host: str
    port: int
    security: Security = Security.TLS
    #: certificates to trust instead of the system's
    ca_file: Path | None = None

    def __post_init__(self) -> None:
        """Refuse to send passwords in the clear through a network."""
        if not self.host or any(each.isspace() for each in self.host):
            raise SettingsError("email: the name of a mail server is missing, or has spaces in it")
        if self.security is Security.NONE and not _is_here(self.host):
            raise SettingsError(f"email: {self.host} is reached without TLS; use tls or starttls")

    def context(self) -> ssl.SSLContext:
        """Return what checks the server's certificate and name."""
        return ssl.create_default_context(cafile=str(self.ca_file) if self.ca_file else None)


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class TokenError(Exception):
    """No token was to be had."""

    def __init__(self, reason: str, *, is_refused: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        #: whether the provider said no, and will again
        self.is_refused = is_refused


@dataclass(frozen=True, kw_only=True)
class Grant:
    """What a provider gave us to get tokens with (https://www.rfc-editor.org/rfc/rfc6749#section-6)."""

    token_url: str
    client_id: str
    client_secret: str = field(default="", repr=False)
    refresh_token: str = field(repr=False)

    def __post_init__(self) -> None:
        """Refuse half a grant."""
        is_safe = self.token_url.startswith("https://") or _is_here(urlsplit(self.token_url).hostname or "")
        if not (is_safe and self.client_id and self.refresh_token):
            raise SettingsError("email: token_url (https://…), client_id and refresh_token must be given together")


class Login:
    """Who we are, to the mail servers of one account. Nothing of it is printed."""

    def __init__(self, user: str, *, password: str = "", token: str = "", grant: Grant | None = None) -> None:
        if sum(map(bool, (password, token, grant))) != 1:
            raise SettingsError("email: give one of password, token, and token_url with refresh_token")
        self.user = user
        self.password = password
        self._token = token
        self._grant = grant
        self._line: Line | None = None
        self._lock = asyncio.Lock()
        self._ends_at = float("inf")
        self._clock: Callable[[], float] = time.monotonic

    async def token(self) -> str | None:
        """Return a token to log in with, a new one where the last is about to end; none: the password is used.

        Raises `TokenError`.
        """
        if self._grant is None:
            return self._token or None
        async with self._lock:
            if not self._token or self._clock() > self._ends_at - _SPARE:
                self._token, lasts = await self._renewed(self._grant)
                self._ends_at = self._clock() + lasts
            return self._token

    def forget_token(self) -> None:
        """Get a new token next time: a server has refused this one."""
        if self._grant is not None:
            self._token = ""

    async def _renewed(self, grant: Grant) -> tuple[str, float]:
        if self._line is None:
            self._line = Line(2, None, "hidden-nothing", "")
        form = {"grant_type": "refresh_token", "client_id": grant.client_id, "refresh_token": grant.refresh_token}
        form |= {"client_secret": grant.client_secret} if grant.client_secret else {}
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        call = Call(
            method="POST", url=grant.token_url, headers=headers, body=urlencode(form).encode(), bytes_max=100_000
        )
        try:
            status, body = await self._line.call(call)
            told = Fields(load(body))
            if status in {400, 401, 403}:
                kind = told.text("error", "refused")[:50]
                raise TokenError(f"the provider gives no token ({kind}): sign in again", is_refused=True)
            return told.text("access_token"), told.number("expires_in") if "expires_in" in told else 600.0
        except (CallError, MalformedWebhookError) as error:
            raise TokenError(f"no token could be had ({type(error).__name__})", is_refused=False) from None

    async def close(self) -> None:
        """Close the connection to where tokens come from."""
        if self._line is not None:
            await self._line.close()
            self._line = None
