"""The ledger of what messages became after they were sent: rows are only added, and told whether they arrived."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, select, update

from bot.domain.messages import Author, MessageId, Revision, RevisionState
from bot.store.database import insert_once
from bot.store.schema import message_revisions


def add(connection: Connection, message_id: MessageId, revision: Revision, key: str) -> bool:
    """Append a change of a message; return whether its key is new."""
    values = {
        "message_id": message_id,
        "at": revision.at,
        "author": revision.author.value,
        "text": revision.text,
        "state": revision.state.value,
        "detail": revision.detail,
        "key": key,
    }
    return insert_once(connection, message_revisions, values)


def settle(connection: Connection, key: str, state: RevisionState, detail: str = "") -> None:
    """Record what came of the change of that key."""
    mine = message_revisions.c.key == key
    connection.execute(update(message_revisions).where(mine).values(state=state.value, detail=detail))


def of(connection: Connection, message_ids: Sequence[MessageId]) -> dict[MessageId, tuple[Revision, ...]]:
    """Return the changes of those messages that were changed, oldest first."""
    found: dict[MessageId, list[Revision]] = defaultdict(list)
    query = select(message_revisions).where(message_revisions.c.message_id.in_(message_ids))
    for row in connection.execute(query.order_by(message_revisions.c.id)):
        found[MessageId(row.message_id)].append(_revision(row))
    return {message_id: tuple(revisions) for message_id, revisions in found.items()}


def _revision(row: Row[Any]) -> Revision:
    return Revision(
        at=row.at, author=Author(row.author), text=row.text, state=RevisionState(row.state), detail=row.detail
    )
