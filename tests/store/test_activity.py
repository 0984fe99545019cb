from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, update

from bot.domain.boxes import RowState
from bot.domain.messages import MessageId
from bot.store import inbox
from bot.store.activity import Activity, activity
from bot.store.database import Database
from bot.store.inbox import Arrival, InboxKind
from bot.store.schema import inbox as table

NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)


def arrival(account: str, number: int) -> Arrival:
    """Return a message on a channel account."""
    return Arrival(
        account=account,
        external_id=f"m{number}",
        address=f"{account}/jane",
        kind=InboxKind.MESSAGE,
        body={},
        message_id=MessageId(f"{account[:4]}{number:028x}"),
    )


def move(connection: Connection, external_id: str, to: RowState) -> None:
    """Let a row of the shop's be in another state."""
    row = (table.c.external_id == external_id) & (table.c.account == "fake/shop")
    connection.execute(update(table).where(row).values(state=to))


async def test_activity_of_an_account(database: Database) -> None:
    """Of each account alone: the newest event, how many wait and since when, and how many were given up."""
    for number in range(3):
        await database.write(inbox.add, arrival("fake/shop", number), NOW + timedelta(minutes=number))
    await database.write(inbox.add, arrival("fake/shop2", 9), NOW + timedelta(hours=5))
    for state in (RowState.CLAIMED, RowState.DEAD):
        await database.write(move, "m0", state)

    assert await database.read(activity, "fake", "shop") == Activity(
        last_received_at=NOW + timedelta(minutes=2),
        waiting_count=2,
        oldest_waiting_at=NOW + timedelta(minutes=1),
        dead_count=1,
    )
    nothing = Activity(last_received_at=None, waiting_count=0, oldest_waiting_at=None, dead_count=0)
    assert await database.read(activity, "fake", "nobody") == nothing
