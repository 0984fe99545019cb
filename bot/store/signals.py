"""What a commit tells the other processes that share a PostgreSQL, so that they need not wait until they look.

A transaction body says with `signal` what its commit is about. Once that is committed it is sent, over a connection of
its own: PostgreSQL lets those who commit a NOTIFY do so one after the other, each with its own wait for the disk. What
is lost in between costs latency, never a message; `bot.store.listening` hears it. On SQLite there is one process, whose
parts wake each other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from enum import StrEnum
from typing import Any

import psycopg
import structlog
from sqlalchemy import Connection, Engine

log = structlog.get_logger()

#: The name that PostgreSQL knows the signals by.
CHANNEL = "tandem"
#: Seconds in which the server has to take what is said; it is worth no more.
_WITHIN = 2.0

_SENDING = "SELECT pg_notify(%s, payload) FROM unnest(%s::text[]) AS payload"


class About(StrEnum):
    """What a commit is about."""

    #: there is something to work on
    INBOX = "inbox"
    #: there is something to send
    OUTBOX = "outbox"
    #: a feed has a new entry; the signal names the visitor
    FEED = "feed"


def signal(connection: Connection, about: About, name: str = "") -> None:
    """Let the other processes know of this transaction's commit; what is said twice is heard once."""
    if connection.dialect.name == "postgresql":
        connection.info.setdefault(CHANNEL, {})[f"{about} {name}"] = None


def forget(connection: Connection) -> None:
    """Drop what an earlier transaction on this connection had to say and did not commit."""
    connection.info.pop(CHANNEL, None)


def said(connection: Connection) -> tuple[str, ...]:
    """Return what the transaction has to say once it is committed."""
    return tuple(sorted(connection.info.pop(CHANNEL, ())))


async def connect(engine: Engine) -> psycopg.AsyncConnection:
    """Return a connection to the database of `engine` that commits by itself; raises `psycopg.Error` or `OSError`."""
    _, parameters = engine.dialect.create_connect_args(engine.url)
    return await psycopg.AsyncConnection.connect(**parameters, autocommit=True)


class Sender:
    """Sends what commits have to say: what comes while some is on its way goes together."""

    def __init__(self, engine: Engine, name: str) -> None:
        """Send as `name`, a word that tells this process from others; connect with the first signal."""
        self._engine = engine
        self._name = name
        self._waiting: dict[str, None] = {}
        self._sending: asyncio.Task[None] | None = None
        self._connection: psycopg.AsyncConnection | None = None

    def send(self, words: Iterable[str]) -> None:
        """Send soon what is committed."""
        self._waiting.update(dict.fromkeys(words))
        if self._waiting and (self._sending is None or self._sending.done()):
            self._sending = asyncio.create_task(self._send())

    async def close(self) -> None:
        """Send what is still to be sent, and let go of the connection."""
        if self._sending is not None:
            await self._sending
        await self._disconnect()

    async def _send(self) -> None:
        while self._waiting:
            payloads = [f"{self._name} {each}" for each in self._waiting]
            self._waiting = {}
            # A connection that was cut while nothing was said is found out by saying something.
            if not await self._try(payloads):
                await self._try(payloads)

    async def _try(self, payloads: list[str]) -> bool:
        try:
            async with asyncio.timeout(_WITHIN):
                connection = self._connection or await self._connect()
                await connection.execute(_SENDING, (CHANNEL, payloads))
        except (psycopg.Error, OSError) as error:
            log.info("signals_not_sent", error=type(error).__name__)
            await self._disconnect()
            return False
        return True

    async def _connect(self) -> psycopg.AsyncConnection[Any]:
        self._connection = await connect(self._engine)
        # There is nothing to keep.
        await self._connection.execute("SET synchronous_commit = off")
        return self._connection

    async def _disconnect(self) -> None:
        if self._connection is not None:
            await self._connection.close()
            self._connection = None
