"""After a restore the database knows less than the world does: what it forgot may not be done a second time.

Between the backup and the end of the old database messages were answered of which nothing is known any more. So what
waited in the boxes at the backup, and what channels and the desk bring again that was written before the old database
ended, is kept for a person to look at, as dead letters: it may have been done, and nobody here can tell.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Table, delete, func, select, update

from bot.domain.boxes import Move, RowState
from bot.domain.messages import DeliveryState
from bot.store import lanes
from bot.store.database import Database
from bot.store.lanes import DEAD_LETTER, OPEN
from bot.store.schema import inbox, messages, outbox, restores, tickets, timers

RESTORED = "the database was restored from a backup: this may have been done already"
#: What a row of the inbox asks for that customers or the brand see the effect of.
_EFFECTIVE = ("message", "trigger", "desk")
#: Entries that no visitor's feed has more of between a backup and its restore.
FEED_STEP = 1_000_000
_UNLEASED: dict[str, object] = {"lease": None, "leased_until": None}


@dataclass(frozen=True, kw_only=True)
class Restore:
    """That the database went back to an earlier state."""

    #: when what it knows ends
    backed_up_at: datetime
    #: when the database that it stands for was in use last
    until: datetime
    restored_at: datetime


@dataclass(frozen=True, kw_only=True)
class Settled:
    """How much is left to people."""

    #: messages, acts of agents and triggers that may have been answered
    inbox_count: int
    #: messages to customers, changes and commands that may have left
    outbox_count: int
    #: posts of the desk that are looked for before they are made again
    desk_count: int


class Forgotten:
    """Until when this database may have forgotten what came in; none: it was never restored."""

    def __init__(self, until: datetime | None = None) -> None:
        """Know of one restore, or of none before `load`."""
        self._until = until

    async def load(self, database: Database) -> None:
        """Read what the database knows; a restore happens while no service runs."""
        self._until = await database.read(_forgotten_until)

    def has(self, written_at: datetime | None) -> bool:
        """Whether what was written then may have come in, and been handled, before the restore."""
        return self._until is not None and written_at is not None and written_at <= self._until


def settle(connection: Connection, restore: Restore) -> Settled:
    """Leave to people what may have been done since the backup; to be committed before anything works on the boxes."""
    now = restore.restored_at
    buried: dict[str, object] = {"finished_at": now, "error": RESTORED} | _UNLEASED
    is_desk = outbox.c.kind == "desk"
    mine = lanes.moving(inbox, Move.RESTORE, RowState.HELD).where(inbox.c.kind.in_(_EFFECTIVE))
    inbox_count = connection.execute(mine.values(buried)).rowcount
    theirs = lanes.moving(outbox, Move.RESTORE, RowState.HELD).where(~is_desk).values(buried)
    left = connection.execute(theirs.returning(outbox.c.message_id)).scalars().all()
    marked = messages.c.id.in_([message_id for message_id in left if message_id])
    failed = {"delivery": DeliveryState.FAILED.value, "delivery_detail": RESTORED}
    connection.execute(update(messages).where(marked).values(**failed))
    posts = update(outbox).where(outbox.c.state.in_(OPEN), is_desk)
    desk_count = connection.execute(posts.values(is_ambiguous=True)).rowcount
    connection.execute(lanes.moving(outbox, Move.RESTORE, RowState.PENDING).where(is_desk).values(_UNLEASED))
    connection.execute(lanes.moving(inbox, Move.RESTORE, RowState.PENDING).values(_UNLEASED))
    connection.execute(delete(timers).where(timers.c.fire_at <= restore.until))
    # What they were told of their place since is not known, and nothing is better than the first one.
    connection.execute(update(tickets).where(tickets.c.state == "queued").values(told_place=1, told_at=now))
    values = {"backed_up_at": restore.backed_up_at, "until": restore.until, "restored_at": now}
    connection.execute(restores.insert().values(**values))
    return Settled(inbox_count=inbox_count, outbox_count=len(left), desk_count=desk_count)


def last_known_at(connection: Connection) -> datetime | None:
    """Return when the last thing came in or went into the outbox; none: never anything did."""
    moments = [connection.scalar(select(func.max(column))) for column in (inbox.c.received_at, outbox.c.created_at)]
    return max((moment for moment in moments if moment is not None), default=None)


def held_count(connection: Connection) -> int:
    """Return how much a restore has left to people that nobody has decided about yet."""
    return sum(_held(connection, table) for table in (inbox, outbox))


async def find_warnings(database: Database) -> dict[str, str]:
    """Return what to do about a restore, by its name; empty when there was none, or all of it is decided."""
    count = await database.read(held_count)
    if not count:
        return {}
    return {
        "restored database": f"{count} messages may have been answered before the restore; decide about each: "
        "`python -m bot dead-letters` lists them"
    }


def _held(connection: Connection, table: Table) -> int:
    mine = table.c.state.in_(DEAD_LETTER) & (table.c.error == RESTORED)
    return int(connection.scalar(select(func.count()).select_from(table).where(mine)) or 0)


def _forgotten_until(connection: Connection) -> datetime | None:
    found: datetime | None = connection.scalar(select(func.max(restores.c.until)))
    return found
