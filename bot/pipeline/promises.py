"""What happens to a ticket's clocks when something happens to the ticket.

Each function is a transaction body that starts, pauses, meets or breaks the ticket's clocks and keeps its
`waiting_since`, `first_replied_at`, `snoozed_until` and `next_due_at` right. The caller has locked the conversation
and has already written what happened.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection

from bot.domain.clocks import ClockKind, ClockState, TicketClock
from bot.domain.promises import PROMISED
from bot.domain.tickets import Ticket, TicketState
from bot.pipeline.outgoing import Writer
from bot.pipeline.watch import Watch

#: A promised date is recalled at most this long before.
RECALLED_BEFORE = timedelta(hours=4)

_RESPONSES = (ClockKind.FIRST_RESPONSE, ClockKind.NEXT_RESPONSE)
_STOPPED_BY_SNOOZE = (*PROMISED, ClockKind.UNCLAIMED)


def ticket_opened(connection: Connection, writer: Writer, ticket: Ticket) -> None:
    """Start what is promised about such a ticket today, and keep that promise for its life."""
    watch = Watch(connection, writer, ticket)
    watch.agree()
    watch.waiting_since = ticket.opened_at
    watch.start(ClockKind.FIRST_RESPONSE, ticket.opened_at)
    watch.start(ClockKind.RESOLUTION, ticket.opened_at)
    watch.open_window()
    watch.ask_to_claim()
    watch.save()


def customer_wrote(connection: Connection, writer: Writer, ticket: Ticket) -> None:
    """Count from the customer's oldest unanswered message; a snoozed ticket is up again."""
    watch = Watch(connection, writer, ticket)
    if watch.waiting_since is None:
        watch.waiting_since = writer.now
        if watch.first_replied_at is not None:
            watch.start(ClockKind.NEXT_RESPONSE, writer.now)
    watch.wake()
    watch.open_window()
    watch.save()


def agent_replied(connection: Connection, writer: Writer, ticket: Ticket) -> None:
    """Meet what was due, and let the rest wait for the customer."""
    watch = Watch(connection, writer, ticket)
    watch.first_replied_at = watch.first_replied_at or writer.now
    watch.waiting_since = None
    watch.meet(*_RESPONSES, ClockKind.REPLY_WINDOW, ClockKind.UNCLAIMED)
    promise = watch.clocks.get(ClockKind.PROMISE)
    if promise is not None and promise.state is ClockState.WARNED:
        # An answer long before the date is not yet what was promised.
        watch.meet(ClockKind.PROMISE)
    watch.pause(ClockKind.RESOLUTION)
    watch.save()


def ticket_claimed(connection: Connection, writer: Writer, ticket: Ticket) -> None:
    """Ask nobody else."""
    watch = Watch(connection, writer, ticket)
    watch.meet(ClockKind.UNCLAIMED)
    watch.save()


def ticket_queued(connection: Connection, writer: Writer, ticket: Ticket) -> None:
    """Ask for somebody anew: the ticket was given back to a queue."""
    watch = Watch(connection, writer, ticket)
    watch.ask_to_claim()
    watch.save()


def ticket_closed(connection: Connection, writer: Writer, ticket: Ticket) -> None:
    """End every clock."""
    watch = Watch(connection, writer, ticket)
    watch.waiting_since = None
    watch.snoozed_until = None
    watch.meet(*ClockKind)
    watch.save()


def ticket_reopened(connection: Connection, writer: Writer, ticket: Ticket, *, is_customer_waiting: bool) -> None:
    """Count anew what is promised about the ticket."""
    watch = Watch(connection, writer, ticket)
    watch.waiting_since = writer.now if is_customer_waiting else None
    watch.start(ClockKind.RESOLUTION, writer.now)
    if is_customer_waiting:
        is_first = watch.first_replied_at is None
        watch.start(ClockKind.FIRST_RESPONSE if is_first else ClockKind.NEXT_RESPONSE, writer.now)
        watch.open_window()
    else:
        watch.pause(ClockKind.RESOLUTION)
    if ticket.state is TicketState.QUEUED:
        watch.ask_to_claim()
    watch.save()


def ticket_snoozed(connection: Connection, writer: Writer, ticket: Ticket, until: datetime) -> None:
    """Stop what is promised until then; a reply window goes on: no channel waits for us."""
    watch = Watch(connection, writer, ticket)
    watch.snoozed_until = until
    watch.pause(*_STOPPED_BY_SNOOZE)
    watch.put(TicketClock(kind=ClockKind.SNOOZE, state=ClockState.RUNNING, due_at=until))
    watch.save()


def ticket_woken(connection: Connection, writer: Writer, ticket: Ticket) -> None:
    """Let what the snooze stopped go on."""
    watch = Watch(connection, writer, ticket)
    watch.wake()
    watch.save()


def priority_changed(connection: Connection, writer: Writer, ticket: Ticket) -> None:
    """Promise what the settings now say for a ticket of this priority and team, less the time that has gone by."""
    writer.rank_anew(connection, ticket)
    watch = Watch(connection, writer, ticket)
    gone = {kind: watch.gone(kind) for kind in PROMISED}
    watch.agree()
    for kind, time in gone.items():
        if time is not None:
            watch.restart(kind, time)
    watch.save()


def promised(connection: Connection, writer: Writer, ticket: Ticket, text: str, due_at: datetime) -> None:
    """Remember what an agent promised the customer, in place of what they promised before.

    What is promised with a ticket's end (call this after `ticket_closed`) opens it again when it is due.
    """
    watch = Watch(connection, writer, ticket)
    before = min(RECALLED_BEFORE, max(due_at - writer.now, timedelta()) / 5)
    warn_at = due_at - before if watch.ticket.state.is_open else None
    watch.put(
        TicketClock(kind=ClockKind.PROMISE, state=ClockState.RUNNING, due_at=due_at, warn_at=warn_at, detail=text)
    )
    watch.save()
