"""Lines that wait for one thread of the desk are shown in one post."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, func, select, update

from bot.domain.boxes import Move
from bot.domain.desk import LINES_MAX, DeskPostKind
from bot.domain.messages import Author
from bot.store import lanes
from bot.store import outbox as outbox_rows
from bot.store.lanes import Attempt
from bot.store.outbox import OutboxKind, OutboxRow
from bot.store.schema import messages, outbox

#: Characters that fit one post beside the names.
_TEXT_MAX = 6_000
#: What lines may overtake: it is shown elsewhere than below the last post.
_OVERTAKEN = {DeskPostKind.CARD, DeskPostKind.RECEIPT}


def claim(
    connection: Connection, now: datetime, lease_for: timedelta, limit: int, attempt: Attempt | None = None
) -> list[OutboxRow]:
    """Claim what the gates let through now, each line together with those that follow it."""
    return [join(connection, row, now) for row in outbox_rows.claim_gated(connection, now, lease_for, limit, attempt)]


def join(connection: Connection, row: OutboxRow, now: datetime) -> OutboxRow:
    """Take the lines that follow a claimed line in its lane into its post, and return it with them.

    A post that may have left already stays as it was: so it is found again. What agents wrote is not joined, as ✅ and
    ❌ stand at it, nor are files.
    """
    if row.kind is not OutboxKind.DESK or row.is_ambiguous or row.body["kind"] != DeskPostKind.LINE:
        return row
    following = _following(connection, row)
    if not following:
        return row
    known = [row.body["message_id"], *row.body.get("more", ())]
    joined = list(_fitting(connection, known, following))
    if not joined:
        return row
    body = {**row.body, "more": [*row.body.get("more", ()), *(other.body["message_id"] for other in joined)]}
    connection.execute(update(outbox).where(outbox.c.id == row.lease.row_id).values(body=body))
    ids = [other.id for other in joined]
    going = lanes.moving(outbox, Move.GO_ALONG).where(outbox.c.id.in_(ids))
    connection.execute(going.values(finished_at=now))
    return replace(row, body=body)


def _following(connection: Connection, row: OutboxRow) -> list[Any]:
    """Return the lines that wait behind a row, up to what must not be overtaken."""
    query = (
        select(outbox.c.id, outbox.c.body, outbox.c.is_ambiguous)
        .where(outbox.c.address == row.address, outbox.c.state == "pending", outbox.c.id > row.lease.row_id)
        .order_by(outbox.c.id)
        .limit(2 * LINES_MAX)
        .with_for_update(skip_locked=True)
    )
    found = []
    for other in connection.execute(query):
        if other.body["kind"] == DeskPostKind.LINE and not other.is_ambiguous:
            found.append(other)
        elif other.body["kind"] not in _OVERTAKEN:
            break
    return found


def _fitting(connection: Connection, known: Sequence[str], following: Sequence[Any]) -> Iterator[Any]:
    """Yield those of the lines that can stand in one post with the `known` ones, from the first on."""
    ids = [*known, *(other.body["message_id"] for other in following)]
    columns = (messages.c.id, messages.c.author, func.length(messages.c.text).label("size"), messages.c.attachments)
    found = {line.id: line for line in connection.execute(select(*columns).where(messages.c.id.in_(ids)))}
    room, count = _TEXT_MAX, LINES_MAX
    for message_id in known:
        room, count = room - _size(found.get(message_id)), count - 1
    for other in following:
        room, count = room - _size(found.get(other.body["message_id"])), count - 1
        if room < 0 or count < 0:
            return
        yield other


def _size(line: Any) -> int:
    """Return how much of a post a line takes; one that stands alone takes more than there is."""
    is_alone = line is None or line.author == Author.AGENT.value or bool(line.attachments)
    return _TEXT_MAX + 1 if is_alone else int(line.size)
