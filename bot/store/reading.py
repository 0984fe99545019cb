"""What comes in from the desk, and up to where its channels were read."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import Connection, select, update

from bot.domain.channels import ChannelAddress
from bot.domain.ports import Clock
from bot.domain.tickets import TicketState
from bot.store import inbox as inbox_rows
from bot.store.database import Database, insert_once
from bot.store.hints import Hint
from bot.store.ids import new_message_id
from bot.store.inbox import Arrival, InboxKind
from bot.store.restoring import Forgotten
from bot.store.schema import inbox, read_marks, ticket_events, tickets

_OPEN = (TicketState.QUEUED.value, TicketState.CLAIMED.value)


class StoredReading:
    """What comes in from the desk, and up to where its history was looked into, over the database."""

    def __init__(self, database: Database, clock: Clock, hint: Hint, forgotten: Forgotten | None = None) -> None:
        """Use `database`, and give `hint` whenever something came in; what may be `forgotten` is left to a person."""
        self._forgotten = forgotten or Forgotten()
        self._database = database
        self._clock = clock
        self._hint = hint

    async def keep(self, external_id: str, address: ChannelAddress, raw: dict[str, object]) -> bool:
        """Make one of the desk's events durable; return whether it is new."""
        arrival = Arrival(
            account=f"{address.channel}/{address.account}",
            external_id=external_id,
            address=str(address),
            kind=InboxKind.DESK,
            body=raw,
            message_id=new_message_id(),
            is_doubtful=self._forgotten.has(_written_at(raw)),
        )
        is_new = await self._database.write(inbox_rows.add, arrival, self._clock.now())
        self._hint.give()
        return is_new

    async def open_cards(self) -> list[str]:
        """Return the desk references of the open tickets."""
        return await self._database.read(_open_cards)

    async def read_to(self, channel: str) -> datetime | None:
        """Return up to when a channel has been read; none: never."""
        return await self._database.read(_read_to, channel)

    async def mark_read(self, channel: str, moment: datetime) -> None:
        """Remember up to when a channel has been read."""
        await self._database.write(_mark_read, channel, moment)

    async def event(self, account: str, external_id: str) -> dict[str, object] | None:
        """Return an event that was made durable, by its identity."""
        return await self._database.read(_event, account, external_id)

    async def has_event(self, account: str, beginning: str) -> bool:
        """Return whether an event was made durable whose identity begins so."""
        return await self._database.read(_has_event, account, beginning)

    async def replies(self, card: str) -> list[str]:
        """Return the keys of the acts by which agents answered in the ticket of a card."""
        return await self._database.read(_replies, card)


def _written_at(raw: dict[str, object]) -> datetime | None:
    """Return when the desk says that a message was written; none for what is no message, which it never repeats."""
    event = raw.get("event")
    stamp = event.get("ts") if isinstance(event, dict) else None
    try:
        return datetime.fromtimestamp(float(str(stamp)), UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _open_cards(connection: Connection) -> list[str]:
    query = select(tickets.c.desk_reference).where(tickets.c.state.in_(_OPEN), tickets.c.desk_reference.is_not(None))
    return [str(reference) for reference in connection.scalars(query)]


def _read_to(connection: Connection, channel: str) -> datetime | None:
    return connection.scalar(select(read_marks.c.read_to).where(read_marks.c.channel == channel))


def _mark_read(connection: Connection, channel: str, moment: datetime) -> None:
    insert_once(connection, read_marks, {"channel": channel, "read_to": moment})
    connection.execute(update(read_marks).where(read_marks.c.channel == channel).values(read_to=moment))


def _event(connection: Connection, account: str, external_id: str) -> dict[str, object] | None:
    query = select(inbox.c.body).where(inbox.c.account == account, inbox.c.external_id == external_id)
    body = connection.scalar(query)
    return dict(body) if isinstance(body, dict) else None


def _has_event(connection: Connection, account: str, beginning: str) -> bool:
    named = inbox.c.external_id.startswith(beginning, autoescape=True)
    return connection.scalar(select(inbox.c.id).where(inbox.c.account == account, named).limit(1)) is not None


def _replies(connection: Connection, card: str) -> list[str]:
    query = (
        select(ticket_events.c.key)
        .join(tickets, tickets.c.id == ticket_events.c.ticket_id)
        .where(tickets.c.desk_reference == card, ticket_events.c.kind == "reply", ticket_events.c.key.is_not(None))
    )
    return [str(key) for key in connection.scalars(query)]
