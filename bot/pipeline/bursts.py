"""Messages that a customer writes in a row and that are answered in one turn.

The first of them is the claimed row; the others wait behind it, where nobody can claim them, and are finished with it.
What the bot understands at once is answered at once. What it does not, or what only opens a conversation, is held: it
is pending again, and taken up when the customer goes on writing or has paused.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from bot.dialogue.wire import Turn
from bot.domain import bursts
from bot.domain.channels import ChannelAddress
from bot.domain.connectors import ConnectorRegistry
from bot.domain.conversations import Owner
from bot.domain.errors import SupersededError
from bot.domain.messages import InboundMessage
from bot.pipeline.situation import Situation, read_situation
from bot.store import inbox
from bot.store.codec import INBOUND
from bot.store.inbox import InboxRow, Waiting

#: Rows that are looked at behind one; reports on what we sent may stand between the messages.
_LOOKED_AT = 3 * bursts.PIECES_MAX
#: Intents that people begin with before they say what they want.
_OPENERS = frozenset({"greet"})


@dataclass(frozen=True, kw_only=True)
class Pauses:
    """How long a customer's next words are waited for."""

    connectors: ConnectorRegistry
    #: on every channel; none: as each channel says
    chosen: timedelta | None = None

    def at(self, address: ChannelAddress) -> timedelta:
        """Return how long; nothing where each message is a turn of its own."""
        connector = self.connectors.find(address.channel, address.account)
        if connector is None or connector.capabilities.is_public:
            return timedelta()
        return connector.capabilities.debounce if self.chosen is None else self.chosen

    def until(self, row: InboxRow) -> datetime:
        """Return until when the rest of what a row begins is waited for."""
        last_at = row.pieces[-1].received_at if row.pieces else row.received_at
        return bursts.waits_until(row.received_at, last_at, self.at(ChannelAddress.parse(row.address)))


@dataclass(frozen=True, kw_only=True)
class Burst:
    """What is answered in one turn, read at one moment."""

    situation: Situation
    #: with what waits behind it and belongs to it
    row: InboxRow
    #: its message and theirs
    pieces: tuple[InboundMessage, ...]

    @property
    def whole(self) -> InboundMessage:
        """All that was said, as one message."""
        return bursts.joined(self.pieces)


def read_burst(connection: Connection, row: InboxRow, head: InboundMessage, pause: timedelta) -> Burst:
    """Return where the conversation stands, and a row with what is answered together with it.

    What an agent gets, what is answered without the bot, and what has failed or may have killed a worker is by itself.
    """
    situation = read_situation(connection, head.address, head)
    is_agents, is_known = situation.conversation.owner is Owner.AGENT, situation.aftercare is not None
    has_failed = row.crash_count > 0 or row.attempt_count > 1
    if not pause or is_agents or is_known or has_failed or not bursts.is_piece(head):
        return Burst(situation=situation, row=row, pieces=(head,))
    waiting, behind = _behind(connection, row, head)
    return Burst(situation=situation, row=replace(row, pieces=waiting), pieces=(head, *behind))


def _behind(
    connection: Connection, row: InboxRow, head: InboundMessage
) -> tuple[tuple[Waiting, ...], tuple[InboundMessage, ...]]:
    """Return the rows and the messages behind one that belong to it."""
    waiting = inbox.behind(connection, row, _LOOKED_AT)
    behind: list[InboundMessage] = [INBOUND.validate_python(each.body) for each in waiting]
    count = bursts.fitting(head, behind)
    return tuple(waiting[:count]), tuple(behind[:count])


def check(connection: Connection, row: InboxRow) -> None:
    """Return if nothing came meanwhile that belongs to what is about to be answered; raises `SupersededError`."""
    if row.pieces is not None:
        there_now, _ = _behind(connection, row, INBOUND.validate_python(row.body))
        if len(there_now) > len(row.pieces):
            raise SupersededError


def finish(connection: Connection, row: InboxRow, now: datetime) -> None:
    """Mark the row and what was answered with it as handled; raises `StaleLeaseError`."""
    if row.pieces:
        inbox.finish_behind(connection, row.pieces, now)
    inbox.finish(connection, row.lease, now)


def hold(connection: Connection, row: InboxRow, until: datetime) -> None:
    """Take the row up again at `until`; raises `SupersededError` when more has come already, and `StaleLeaseError`."""
    check(connection, row)
    inbox.hold(connection, row, until)


def may_go_on(text: str, turn: Turn) -> bool:
    """Whether the customer may have more to say, by the bot's turn on what they said."""
    is_sure = not turn.is_fallback and turn.intent not in _OPENERS
    return not is_sure and not bursts.looks_whole(text)
