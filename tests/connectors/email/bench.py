"""A connector between a real IMAP server and a real SMTP server, neither of which was written here."""

from __future__ import annotations

import asyncio
import base64
import ssl
import warnings
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from bot.domain.channels import ChannelAddress
from bot.domain.connectors import SendText
from bot.domain.messages import InboundEvent
from connectors.email.connector import EmailAccount, EmailConnector
from connectors.email.login import Login, Security, Server
from tests.fakes.cursors import MemoryCursors
from tests.fakes.media import MemoryMedia
from tests.peers.dovecot import PASSWORD

ADDRESS = "support@copperleaf.example"
JANE = "jane@example.com"


@dataclass
class PostOffice:
    """Takes mail as aiosmtpd does; keeps what customers got, and can refuse, or break off, at every step."""

    mails: list[EmailMessage] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    #: step ("mail", "rcpt", "data") → what is answered there instead of yes
    answers: dict[str, str] = field(default_factory=dict)
    #: step → the connection ends there; "taken": after the mail was taken, before that is said
    cut_at: str = ""
    password: str = PASSWORD
    login_count: int = 0
    port: int = 0

    async def handle_MAIL(self, server: SMTP, _: Session, envelope: Envelope, address: str, options: list[str]) -> str:  # noqa: N802
        """Answer where a mail is from."""
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return self._answer(server, "mail")

    async def handle_RCPT(self, server: SMTP, _: Session, envelope: Envelope, address: str, options: list[str]) -> str:  # noqa: N802
        """Answer where a mail is to go."""
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return self._answer(server, "rcpt")

    async def handle_DATA(self, server: SMTP, _: Session, envelope: Envelope) -> str:  # noqa: N802
        """Take a mail."""
        answer = self._answer(server, "data")
        if answer.startswith("250") and self.cut_at != "data":
            assert isinstance(envelope.content, bytes)
            self.mails.append(message_from_bytes(envelope.content, policy=default))
            self.recipients += envelope.rcpt_tos
        return self._answer(server, "taken") if self.cut_at == "taken" else answer

    def _answer(self, server: SMTP, step: str) -> str:
        if self.cut_at == step:
            assert isinstance(server.transport, asyncio.WriteTransport)
            server.transport.abort()
        return self.answers.get(step, "250 2.0.0 yes")

    def authenticate(self, _: SMTP, __: Session, ___: Envelope, mechanism: str, data: Any) -> AuthResult:
        """Compare a password."""
        self.login_count += 1
        assert mechanism in {"PLAIN", "LOGIN"}
        assert isinstance(data, LoginPassword)
        return AuthResult(success=data.password == self.password.encode(), handled=False)

    async def auth_XOAUTH2(self, server: SMTP, args: list[str]) -> AuthResult:  # noqa: N802
        """Compare a token, as Google and Microsoft take it."""
        self.login_count += 1
        wanted = f"user={ADDRESS}\x01auth=Bearer {self.password}\x01\x01"
        if base64.b64decode(args[-1]).decode() == wanted:
            return AuthResult(success=True)
        await server.push("334 eyJzdGF0dXMiOiI0MDAifQ==")
        return AuthResult(success=False, handled=False)


@asynccontextmanager
async def post_office(tls: ssl.SSLContext | None = None, **options: Any) -> AsyncIterator[PostOffice]:
    """Run a mail server that takes mails for everybody, once one has logged in."""
    office = PostOffice()
    chosen: dict[str, Any] = {"auth_required": True, "auth_require_tls": False, "authenticator": office.authenticate}
    if tls is not None:
        chosen |= {"tls_context": tls, "require_starttls": True}
    chosen |= options
    loop = asyncio.get_running_loop()
    sessions: list[SMTP] = []

    def session() -> SMTP:
        with warnings.catch_warnings(action="ignore"):  # that passwords come in the clear, over the loopback
            sessions.append(SMTP(office, hostname="mx.example", loop=loop, **chosen))
        return sessions[-1]

    server = await loop.create_server(session, "127.0.0.1", 0)
    office.port = server.sockets[0].getsockname()[1]
    try:
        yield office
    finally:
        server.close()
        for each in sessions:
            if each.transport is not None:
                each.transport.close()
        # A connection ends in the turns after it was closed; over TLS in several.
        for _ in range(10):
            await asyncio.sleep(0)


def here(port: int, security: Security = Security.NONE, **more: Any) -> Server:
    """Return a server of this machine."""
    return Server(host="127.0.0.1", port=port, security=security, **more)


def made(imap: Server, smtp: Server, cursors: MemoryCursors | None = None, **more: Any) -> EmailConnector:
    """Return a connector to these servers."""
    login = more.pop("login", None) or Login(more.pop("user", ADDRESS), password=PASSWORD)
    sleep = more.pop("sleep", asyncio.sleep)
    media = more.pop("media", None) or MemoryMedia()
    account = EmailAccount(address=ADDRESS, name="Copperleaf", imap=imap, smtp=smtp, login=login, **more)
    return EmailConnector(account, media, cursors or MemoryCursors(), sleep)


def address() -> ChannelAddress:
    """Return where the customer is."""
    connector = made(here(1), here(1))
    return ChannelAddress(channel=connector.channel, account=connector.account, external_id=JANE)


def text(words: str = "Hello Jane", **more: Any) -> SendText:
    """Return the call that shows the customer a text."""
    return SendText(address=address(), text=words, **more)


def mail(number: int, words: str = "hello", *, sender: str = JANE, **headers: str) -> bytes:
    """Return a customer's mail, written by the standard library."""
    written = EmailMessage()
    written["From"] = f"Jane Doe <{sender}>"
    written["To"] = ADDRESS
    written["Subject"] = "Re: tea"
    written["Message-ID"] = f"<m{number}@example.com>"
    written["Date"] = "Mon, 23 Nov 2026 10:00:00 +0000"
    for name, value in headers.items():
        del written[name.replace("_", "-")]
        written[name.replace("_", "-")] = value
    written.set_content(words)
    return written.as_bytes()


class WatchedCursors(MemoryCursors):
    """Cursors whose changes can be waited for."""

    def __init__(self) -> None:
        super().__init__()
        self._news = asyncio.Event()

    async def set(self, name: str, cursor: str) -> None:
        """Go on from there next time."""
        await super().set(name, cursor)
        self._news.set()

    async def until(self, done: Callable[[], bool], within: float = 15) -> None:
        """Wait until something is so."""
        async with asyncio.timeout(within):
            while not done():
                self._news.clear()
                await self._news.wait()

    async def begun(self, folders: int = 1) -> None:
        """Wait until it is known from where so many folders are read."""
        await self.until(lambda: len(self.kept) >= folders)


@dataclass(kw_only=True)
class Inbox:
    """What a connector has handed in."""

    batches: list[list[InboundEvent]] = field(default_factory=list)
    #: the next batches fail, as they do when a database is away
    outages: int = 0
    news: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def events(self) -> list[InboundEvent]:
        """All events, in order."""
        return [event for batch in self.batches for event in batch]

    async def sink(self, events: list[InboundEvent]) -> None:
        """Keep a batch."""
        if self.outages:
            self.outages -= 1
            raise OSError("the database is away")
        self.batches.append(events)
        self.news.set()

    async def until(self, done: Callable[[], bool], within: float = 15) -> None:
        """Wait until something is so, which whatever comes can change."""
        async with asyncio.timeout(within):
            while not done():
                self.news.clear()
                await self.news.wait()


@asynccontextmanager
async def polling(connector: EmailConnector) -> AsyncIterator[Inbox]:
    """Poll while the block lasts."""
    inbox = Inbox()
    task = asyncio.create_task(connector.poll(inbox.sink))
    try:
        yield inbox
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
