"""What an act tells customer and bot is held back as long as the act can be undone. Transaction bodies.

Held rows are pending ones that are not ready yet and were never tried; what comes after them in their lane waits too.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, Table, select, update

from bot.domain.boxes import Move
from bot.domain.messages import DeliveryState, MessageId
from bot.store import lanes, transcript
from bot.store.inbox import DESK_ACCOUNT
from bot.store.schema import inbox, outbox

_TAKEN_BACK = "taken back before it was sent"


def hold(connection: Connection, keys: Collection[str], until: datetime) -> None:
    """Keep what waits under these keys back until then: messages in the outbox, and triggers of the desk's."""
    for table, is_meant in _meant(keys):
        connection.execute(update(table).where(is_meant, _is_untried(table)).values(ready_at=until))


def let_go(connection: Connection, address: str, but: Collection[str], now: datetime) -> None:
    """Let go what is held in the lane of an address, but for what waits under these keys."""
    for table, is_meant in _meant(but):
        is_held = (table.c.address == address) & (table.c.ready_at > now) & _is_untried(table)
        connection.execute(update(table).where(is_held, ~is_meant).values(ready_at=now))


def take_back(connection: Connection, keys: Collection[str], now: datetime) -> list[MessageId] | None:
    """Withhold what waits under these keys and return the messages among it; none, if some of it has left already."""
    messages: list[MessageId] = []
    for table, is_meant in _meant(keys):
        rows = connection.execute(select(table).where(is_meant).with_for_update()).all()
        if any(row.state != "pending" or row.attempt_count for row in rows):
            return None
        _withhold(connection, table, [row.id for row in rows], now)
        messages += [MessageId(row.message_id) for row in rows if table is outbox and row.message_id]
    for message_id in messages:
        transcript.mark(connection, message_id, DeliveryState.WITHHELD, _TAKEN_BACK)
    return messages


def take_back_message(connection: Connection, address: str, message_id: MessageId, now: datetime) -> bool:
    """Withhold a message that waits and was never tried; return whether there is such a one."""
    is_meant = (outbox.c.address == address) & (outbox.c.message_id == message_id) & (outbox.c.kind == "message")
    rows = connection.execute(select(outbox.c.id).where(is_meant, _is_untried(outbox)).with_for_update()).all()
    if not rows:
        return False
    _withhold(connection, outbox, [row.id for row in rows], now)
    return transcript.mark(connection, message_id, DeliveryState.WITHHELD, _TAKEN_BACK)


def _withhold(connection: Connection, table: Table, ids: Collection[int], now: datetime) -> None:
    ended = {"finished_at": now, "error": "taken back by the agent"}
    connection.execute(lanes.moving(table, Move.TAKE_BACK).where(table.c.id.in_(ids)).values(**ended))


def _meant(keys: Collection[str]) -> tuple[tuple[Table, ColumnElement[bool]], ...]:
    return (
        (outbox, outbox.c.key.in_(keys)),
        (inbox, (inbox.c.account == DESK_ACCOUNT) & inbox.c.external_id.in_(keys)),
    )


def _is_untried(table: Table) -> ColumnElement[bool]:
    return (table.c.state == "pending") & (table.c.attempt_count == 0)
