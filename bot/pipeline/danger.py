"""Somebody may be about to harm themselves: their ticket goes before all others, and people are called at once."""

from __future__ import annotations

import structlog
from sqlalchemy import Connection

from bot.domain.desk import DeskPost, DeskPostKind
from bot.domain.handoff import HandoffRequest, Reason
from bot.domain.tickets import Priority, Ticket, TicketEvent
from bot.pipeline import notices, promises
from bot.pipeline.outgoing import Writer
from bot.store import tickets
from bot.store.ids import new_message_id

log = structlog.get_logger()

#: What the history calls it.
EVENT = "in_danger"


def alarm(connection: Connection, writer: Writer, ticket: Ticket, request: HandoffRequest) -> Ticket:
    """Put an open ticket before all others and call who leads, who is on call and the team; a transaction body.

    People are called once for a ticket. Whoever has it keeps it.
    """
    if tickets.last_event(connection, ticket.id, (EVENT,)) is not None and ticket.request.reason is Reason.IN_DANGER:
        return ticket
    urgent = {"reason": Reason.IN_DANGER.value, "topic": request.topic, "summary": request.summary}
    ticket = tickets.change(connection, ticket.id, priority=Priority.URGENT.value, snoozed_until=None, **urgent)
    tickets.log(connection, ticket.id, TicketEvent(at=writer.now, kind=EVENT, agent=None, detail=request.summary))
    promises.priority_changed(connection, writer, ticket)
    log.warning("ticket_in_danger", ticket=ticket.id)
    team = writer.rules.team(ticket.team)
    groups = (team.user_group,) if team.user_group else ()
    mine = ticket.agent.mentions if ticket.agent else ()
    post = DeskPost(
        ticket_id=ticket.id,
        kind=DeskPostKind.NOTICE,
        text=notices.IN_DANGER,
        mentions=tuple(dict.fromkeys((*mine, *groups, *team.on_call, *writer.rules.leads))),
    )
    writer.post(connection, post, f"notice:{new_message_id()}")
    writer.post_card(connection, ticket.id)
    return tickets.get(connection, ticket.id) or ticket
