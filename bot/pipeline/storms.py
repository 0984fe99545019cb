"""When more tickets wait to be shown than a channel takes in a moment, one post says how many and which are urgent.

All functions are transaction bodies.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from sqlalchemy import Connection, select

from bot.domain.desk import NO_TICKET, DeskPost, DeskPostKind
from bot.domain.tickets import Priority, TeamName, TicketState
from bot.pipeline.outgoing import DeskAddress, Writer
from bot.store.schema import tickets

#: Tickets that wait to be shown in one channel from which on it is a storm.
STORM_MIN = 15
#: While it lasts, what people are told is renewed this often, in seconds.
TOLD_EVERY = 60
#: Urgent tickets that are named.
NAMED_MAX = 10
_OPEN = (TicketState.QUEUED.value, TicketState.CLAIMED.value)


@dataclass(frozen=True, kw_only=True)
class _Waiting:
    """A ticket that has no card yet."""

    number: int
    topic: str
    priority: Priority


def announce(connection: Connection, writer: Writer) -> int:
    """Post a summary to each channel that has a storm, unless that was done just now; return how many have one."""
    desk = writer.desk
    if desk is None or desk.channel is None:
        return 0
    storms = {channel: found for channel, found in _waiting(connection, writer, desk).items() if len(found) > STORM_MIN}
    for channel, found in storms.items():
        post = DeskPost(ticket_id=NO_TICKET, kind=DeskPostKind.SUMMARY, text=_text(found), channel=channel)
        writer.post(connection, post, f"storm:{channel}:{int(writer.now.timestamp()) // TOLD_EVERY}")
    return len(storms)


def _waiting(connection: Connection, writer: Writer, desk: DeskAddress) -> dict[str, list[_Waiting]]:
    """Return the open tickets without a card, by the channel that waits for them."""
    columns = (tickets.c.number, tickets.c.topic, tickets.c.priority, tickets.c.team)
    query = select(*columns).where(tickets.c.state.in_(_OPEN), tickets.c.desk_reference.is_(None))
    found: defaultdict[str, list[_Waiting]] = defaultdict(list)
    for row in connection.execute(query.order_by(tickets.c.number)):
        channel = writer.rules.team(TeamName(row.team)).slack_channel or desk.channel
        found[str(channel)].append(_Waiting(number=row.number, topic=row.topic, priority=Priority(row.priority)))
    return found


def _text(waiting: list[_Waiting]) -> str:
    urgent = [ticket for ticket in waiting if ticket.priority is Priority.URGENT]
    named = ", ".join(f"#{ticket.number} {ticket.topic[:60]}" for ticket in urgent[:NAMED_MAX])
    more = f" and {len(urgent) - NAMED_MAX} more" if len(urgent) > NAMED_MAX else ""
    says_urgent = f"Urgent: {named}{more}." if urgent else "None of them is urgent."
    return (
        f"{len(waiting)} new tickets are on their way to this channel. {says_urgent}\n"
        "Slack takes about one post a second: urgent tickets come first, then the others, the oldest first. "
        "None is lost; the local desk shows all of them now."
    )
