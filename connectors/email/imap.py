"""A mailbox on an IMAP server: each session is one connection, driven in a thread of its own."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, ParamSpec, TypeVar

from imapclient import IMAPClient, SocketTimeout
from imapclient.exceptions import IMAPClientAbortError, IMAPClientError, LoginError

from connectors.email.login import Login, Security, Server, TokenError

P = ParamSpec("P")
R = TypeVar("R")
#: Seconds: to connect, for a piece of an answer, for a whole answer.
_CONNECTS_WITHIN, _READS_WITHIN, _ANSWERS_WITHIN = 10.0, 60.0, 300.0
#: Bytes of one mail that are read; what is behind them is left.
MAIL_MAX = 40_000_000


@dataclass(frozen=True, kw_only=True)
class Folder:
    """A folder as it was when it was opened."""

    #: what its UIDs are worth: another number, and all of them are others
    validity: int
    #: the next mail's UID
    uid_next: int
    #: mails in it
    count: int


@dataclass(frozen=True, kw_only=True)
class Slip:
    """What the server says of a mail before it is fetched."""

    uid: int
    #: in bytes
    size: int
    #: when it came to lie there
    at: datetime


class Mailbox:
    """The mailbox of one account."""

    def __init__(self, server: Server, login: Login) -> None:
        self._server = server
        self._login = login

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Session]:
        """Connect and log in until the block ends; raises `TokenError`, `IMAPClientError` or `OSError`."""
        token = await self._login.token()
        session = Session(self._server)
        try:
            await session.open(self._login.user, self._login.password, token)
            yield session
        except LoginError as error:
            if is_refusal(error):
                self._login.forget_token()
            raise
        finally:
            session.close()


class Session:
    """One connection, and one thread that all calls run in; whoever stops waiting for one has to `close`, once."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="imap")
        self._client: Any = None

    async def run(self, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Do `work` in the session's thread."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(_ANSWERS_WITHIN):
            return await loop.run_in_executor(self._pool, lambda: work(*args, **kwargs))

    async def open(self, user: str, password: str, token: str | None) -> None:
        """Connect and log in."""
        await self.run(self._connect)
        if token is not None:
            await self.run(self._client.oauth2_login, user, token)
        else:
            await self.run(self._client.login, user, password)

    def _connect(self) -> None:
        # It would write customers' words and our passwords into a log for the curious.
        logging.getLogger("imapclient").setLevel(logging.WARNING)
        server = self._server
        is_wrapped = server.security is Security.TLS
        context = server.context() if server.security is not Security.NONE else None
        timeout = SocketTimeout(connect=_CONNECTS_WITHIN, read=_READS_WITHIN)
        client = IMAPClient(server.host, server.port, ssl=is_wrapped, ssl_context=context, timeout=timeout)
        client.normalise_times = False
        client._imap.debug = 0  # noqa: SLF001 - the library switches it on for all
        self._client = client
        if server.security is Security.STARTTLS:
            client.starttls(context)

    def close(self) -> None:
        """Cut the connection, whatever is under way on it; what is left to do is done in the session's thread."""
        if self._client is not None:
            with suppress(OSError, ValueError, AttributeError):
                # Wakes the thread that reads from it.
                socket.socket.shutdown(self._client.socket(), socket.SHUT_RDWR)
        self._pool.submit(self._hang_up)
        self._pool.shutdown(wait=False)

    def _hang_up(self) -> None:
        # Whoever closes may come before the thread has connected.
        if self._client is not None:
            with suppress(Exception):
                self._client.shutdown()

    async def select(self, folder: str, *, is_flagging: bool = False) -> Folder:
        """Open a folder, without changing anything in it unless mails are to be flagged."""
        told = await self.run(self._client.select_folder, folder, readonly=not is_flagging)
        uid_next = told.get(b"UIDNEXT")
        if uid_next is None:
            status = await self.run(self._client.folder_status, folder, ["UIDNEXT"])
            uid_next = status[b"UIDNEXT"]
        return Folder(validity=int(told[b"UIDVALIDITY"]), uid_next=int(uid_next), count=int(told[b"EXISTS"]))

    async def uids_after(self, uid: int, since: date | None) -> list[int]:
        """Return the UIDs above `uid` of mails that came since that day, in order."""
        criteria: list[object] = ["UID", f"{uid + 1}:*"]
        if since is not None:
            criteria += ["SINCE", since]
        return await self.run(self._search, criteria, uid)

    def _search(self, criteria: list[object], uid: int) -> list[int]:
        """Return what is found above `uid`, looking again where mail came while the server looked.

        Servers search what they have announced, announce what is new right behind the answer, and do not repeat that
        to a client that waits.
        """
        announced = self._client._imap.untagged_responses  # noqa: SLF001 - it has no other way to be seen
        while True:
            announced.pop("EXISTS", None)
            # "7:*" means the last mail at least, also where that is 6.
            found = sorted(each for each in self._client.search(criteria) if each > uid)
            if found or "EXISTS" not in announced:
                return found

    async def slips(self, uids: Sequence[int]) -> list[Slip]:
        """Return size and time of mails; those that are gone are left out."""
        told = await self.run(self._client.fetch, list(uids), ["RFC822.SIZE", "INTERNALDATE"])
        return [
            Slip(uid=uid, size=int(fields.get(b"RFC822.SIZE", 0)), at=_moment(fields.get(b"INTERNALDATE")))
            for uid, fields in sorted(told.items())
        ]

    async def mails(self, uids: Sequence[int]) -> dict[int, bytes]:
        """Return whole mails by UID, without marking them as read; those that are gone are left out."""
        told = await self.run(self._client.fetch, list(uids), [f"BODY.PEEK[]<0.{MAIL_MAX}>"])
        mails = {}
        for uid, fields in told.items():
            found = [value for name, value in fields.items() if name.startswith(b"BODY[]")]
            if found and isinstance(found[0], bytes):
                mails[uid] = found[0]
        return mails

    async def flag(self, uids: Sequence[int], flag: str) -> None:
        """Put a flag to mails of the folder that is open."""
        await self.run(self._client.add_flags, list(uids), [flag.encode()], silent=True)

    async def append(self, folder: str, content: bytes, at: datetime) -> None:
        """Put a mail into a folder, as read."""
        await self.run(self._client.append, folder, content, flags=[b"\\Seen"], msg_time=at)

    async def folders(self) -> list[str]:
        """Return the names of all folders."""
        return [str(name) for _, _, name in await self.run(self._client.list_folders)]

    async def can_idle(self) -> bool:
        """Whether the server tells of new mail by itself."""
        return bool(await self.run(self._client.has_capability, "IDLE"))

    async def idle(self, wait_for: timedelta) -> None:
        """Return when something happens in the folder that is open, at the latest after that time."""
        await self.run(self._idle, wait_for.total_seconds())

    def _idle(self, seconds: float) -> None:
        self._client.idle()
        if not self._has_word():
            self._client.idle_check(timeout=seconds)
        self._client.idle_done()

    def _has_word(self) -> bool:
        """Whether the server has said something already, in one breath with its consent to tell us.

        The library reads ahead, and then waits at the socket for what it holds in its hands.
        """
        line = self._client.socket()
        line.setblocking(False)
        try:
            return bool(self._client._imap.file.peek(1))  # noqa: SLF001 - as above
        except (BlockingIOError, ssl.SSLWantReadError):
            return False
        finally:
            line.settimeout(_READS_WITHIN)


def _moment(value: object) -> datetime:
    return value.astimezone(UTC) if isinstance(value, datetime) and value.tzinfo else datetime.now(UTC)


def is_refusal(error: BaseException) -> bool:
    """Whether a server has said that it does not know our password or token.

    The library says so too of a connection that broke off, and of a server that cannot look into its list now.
    """
    is_broken = isinstance(error.__context__, IMAPClientAbortError) or "UNAVAILABLE" in str(error)
    return isinstance(error, LoginError) and not is_broken


def plain_words(error: BaseException, server: Server) -> str:
    """Return why a mailbox could not be read, for an operator."""
    where = f"{server.host}:{server.port}"
    if isinstance(error, TokenError):
        return error.reason
    if is_refusal(error):
        return f"{where} refuses the user name, password or token"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate of {where} is not valid for that name: {error.verify_message}"
    if isinstance(error, IMAPClientError):
        return f"{where} refuses it ({type(error).__name__})"
    return f"no connection to {where} ({type(error).__name__})"
