"""What a commit tells the other processes that share a PostgreSQL, so that they need not wait until they look.

A transaction body says with `signal` what its commit is about. PostgreSQL delivers that with the commit, and not at all
when there is none; `bot.store.listening` hears it. On SQLite there is one process, whose parts wake each other.
"""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import Connection, text

#: The name that PostgreSQL knows the signals by.
CHANNEL = "tandem"

_SENDING = text("SELECT pg_notify(:channel, payload) FROM unnest(CAST(:payloads AS text[])) AS payload")


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
        connection.info.setdefault(CHANNEL, set()).add(f"{about} {name}")


def forget(connection: Connection) -> None:
    """Drop what an earlier transaction on this connection had to say and did not commit."""
    connection.info.pop(CHANNEL, None)


def send(connection: Connection, sender: str) -> None:
    """Hand over what the transaction has to say, as its last statement; `sender` is a word that names this process."""
    said = connection.info.pop(CHANNEL, None)
    if said:
        payloads = [f"{sender} {each}" for each in sorted(said)]
        connection.execute(_SENDING, {"channel": CHANNEL, "payloads": payloads})
