"""What channels brought and nobody could read, kept as it came: to be looked at, and read again by a later version.

What cannot be read may be a customer's message, so each is a dead letter. Of a new kind one is kept as a sample.
All functions are transaction bodies.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, select

from bot.domain.messages import MALFORMED, MessageId
from bot.store import inbox
from bot.store.inbox import Arrival, InboxKind
from bot.store.lanes import DEAD_LETTER
from bot.store.schema import inbox as inbox_table

#: Characters of what is kept; more than any channel sends at once.
RAW_MAX = 4_000_000
#: The state of a sample, about which nobody is alarmed.
SAMPLE = "kept"


@dataclass(frozen=True, kw_only=True)
class Unread:
    """Something that nobody could read."""

    #: channel/account
    account: str
    #: the channel's word for it
    kind: str
    #: what the connector reads
    raw: str


def keep(connection: Connection, unread: Unread, message_id: MessageId, now: datetime) -> None:
    """Keep it if it is new."""
    is_broken = unread.kind == MALFORMED
    name = hashlib.blake2b(unread.raw.encode("utf-8", "replace"), digest_size=16).hexdigest()
    name = f"unread:{name if is_broken else unread.kind}"
    reason = "it cannot be read" if is_broken else f"nobody knows what {unread.kind} is"
    arrival = Arrival(
        account=unread.account,
        external_id=name,
        address=f"{unread.account}/{name}",
        kind=InboxKind.UNREAD,
        body={"kind": unread.kind, "raw": unread.raw[:RAW_MAX].replace("\0", "\ufffd")},
        message_id=message_id,
        left=("dead" if is_broken else SAMPLE, reason),
    )
    inbox.add(connection, arrival, now)


def samples(connection: Connection, limit: int) -> Sequence[Row[Any]]:
    """Return the samples of new kinds, newest first."""
    query = select(inbox_table).where(inbox_table.c.kind == InboxKind.UNREAD.value, inbox_table.c.state == SAMPLE)
    return connection.execute(query.order_by(inbox_table.c.id.desc()).limit(limit)).all()


def find(connection: Connection, row_id: int) -> Unread | None:
    """Return what is kept in that row of the inbox, or none."""
    row = connection.execute(select(inbox_table).where(_is_kept(row_id))).first()
    return Unread(account=row.account, kind=row.body["kind"], raw=row.body["raw"]) if row is not None else None


def forget(connection: Connection, row_id: int) -> bool:
    """Delete what is kept there; return whether there was anything."""
    return connection.execute(delete(inbox_table).where(_is_kept(row_id))).rowcount == 1


def _is_kept(row_id: int) -> Any:
    is_left = inbox_table.c.state.in_((*DEAD_LETTER, SAMPLE))
    return (inbox_table.c.id == row_id) & (inbox_table.c.kind == InboxKind.UNREAD.value) & is_left
