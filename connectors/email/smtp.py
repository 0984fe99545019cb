"""Handing a mail to a mail server, step by step, so that it is known at which step a failure came."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from enum import IntEnum

import aiosmtplib
from aiosmtplib import (
    SMTP,
    SMTPNotSupported,
    SMTPResponseException,
)

from bot.domain.connectors import Ambiguous, Permanent, Retry, SendResult, Sent
from connectors.email.codes import status_in, words_of
from connectors.email.login import Login, Security, Server, TokenError

#: Seconds for one answer, and for the answer to a whole mail, which may be looked through for viruses first.
_ANSWERS_WITHIN, _TAKES_WITHIN = 30.0, 180.0
#: At once; providers allow three or so.
_CONNECTIONS_MAX = 2
_PERMANENT, _TOO_LARGE, _LOGIN_CODES = 500, 552, frozenset({530, 534, 535, 538})


class Step(IntEnum):
    """How far a mail got."""

    CONNECT = 1
    LOGIN = 2
    SENDER = 3
    RECIPIENT = 4
    #: from the first byte of the mail on
    CONTENT = 5


class OfferError(Exception):
    """The mail server does not offer what we need; the message is for the operator."""


def outcome(error: BaseException, step: Step) -> Retry | Permanent | Ambiguous:
    """Return what is certain about a mail whose sending failed with `error` at `step`.

    Until its content is offered nothing was sent. From then on only a refusal in the server's own words is certain: a
    server that has taken the mail may be cut off before it can say so.
    """
    kind = type(error).__name__
    if isinstance(error, SMTPResponseException) and error.code in range(400, 600):
        return _refused(error, step)
    if step is Step.CONTENT:
        return Ambiguous(reason=f"the connection to the mail server broke while it took the mail ({kind})")
    if isinstance(error, OfferError | SMTPNotSupported) or (isinstance(error, TokenError) and error.is_refused):
        return Permanent(reason=str(error), code="offer", is_account=True)
    if isinstance(error.__cause__ or error, ssl.SSLCertVerificationError):
        kind = "its certificate is not valid for its name"
    elif isinstance(error, ValueError):
        return Permanent(reason="the mail server cannot be told such an address", code="address")
    return Retry(reason=error.reason if isinstance(error, TokenError) else f"no connection to the mail server ({kind})")


def _refused(error: SMTPResponseException, step: Step) -> Retry | Permanent:
    code, status = error.code, status_in(error.message)
    shown = status or str(code)
    if code < _PERMANENT:
        return Retry(reason=f"the mail server asks to come again later ({shown})")
    whole = {
        Step.CONNECT: "the mail server refuses to talk to us",
        Step.LOGIN: "the mail server refuses our password or token",
        Step.SENDER: "the mail server does not let us send from our address",
    }
    step = Step.LOGIN if code in _LOGIN_CODES else step
    if step in whole and code != _TOO_LARGE:
        return Permanent(reason=whole[step], code=shown, is_account=True)
    return Permanent(reason=words_of(status, code), code=shown)


class Postman:
    """Sends the mails of one account, each over a connection of its own."""

    def __init__(self, server: Server, login: Login, address: str) -> None:
        self._server = server
        self._login = login
        self._address = address
        self._gate = asyncio.Semaphore(_CONNECTIONS_MAX)

    async def send(self, recipient: str, content: bytes, external_id: str) -> SendResult:
        """Send a mail, once, and say what is certain."""
        reached = [Step.CONNECT]
        try:
            async with self._gate, self._connected(reached) as client:
                reached.append(Step.SENDER)
                options = [f"SIZE={len(content)}"] if client.supports_extension("size") else []
                await client.mail(self._address, options=options)
                reached.append(Step.RECIPIENT)
                await client.rcpt(recipient)
                reached.append(Step.CONTENT)
                await client.data(content, timeout=_TAKES_WITHIN)
        except Exception as error:  # noqa: BLE001 - whatever it is, the step says what is certain
            failed = outcome(error, reached[-1])
            if reached[-1] is Step.LOGIN:
                self._login.forget_token()
            return failed
        return Sent(external_id=external_id)

    async def check(self) -> str:
        """Return why the server lets us not send, as far as that shows without a mail; empty where it lets us."""
        reached = [Step.CONNECT]
        try:
            async with self._gate, self._connected(reached):
                return ""
        except Exception as error:  # noqa: BLE001 - as above
            return outcome(error, reached[-1]).reason

    @asynccontextmanager
    async def _connected(self, reached: list[Step]) -> AsyncIterator[SMTP]:
        token = await self._login.token()
        server = self._server
        context = server.context() if server.security is not Security.NONE else None
        client = aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            # Else the library asks the DNS for our name, and waits for it.
            local_hostname=self._address.rpartition("@")[2],
            use_tls=server.security is Security.TLS,
            # Else the library goes on in the clear where the server offers nothing better.
            start_tls=False,
            tls_context=context,
            timeout=_ANSWERS_WITHIN,
        )
        try:
            await client.connect()
            await client.ehlo()
            if server.security is Security.STARTTLS:
                await _start_tls(client, context)
            reached.append(Step.LOGIN)
            await _log_in(client, self._login, token)
            yield client
            # The mail is sent by now, whatever becomes of our good-bye.
            with suppress(Exception):
                await client.quit(timeout=2)
        finally:
            client.close()


async def _start_tls(client: SMTP, context: ssl.SSLContext | None) -> None:
    if not client.supports_extension("starttls"):
        raise OfferError("the mail server offers no STARTTLS")
    await client.starttls(tls_context=context)
    # What was offered in the clear may have been somebody else's.
    await client.ehlo()


async def _log_in(client: SMTP, login: Login, token: str | None) -> None:
    """Log in once: the library's own way tries one method after the other, and providers lock out who fails often."""
    offered = client.server_auth_methods
    if token is not None:
        await client.auth_xoauth2(login.user, token)
    elif "plain" in offered:
        await client.auth_plain(login.user, login.password)
    elif "login" in offered:
        await client.auth_login(login.user, login.password)
    else:
        raise OfferError("the mail server offers no way to log in that we know")
