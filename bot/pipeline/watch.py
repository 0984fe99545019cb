"""A ticket's clocks while something happens to the ticket. All methods belong into a transaction."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from bot import metrics
from bot.domain.clocks import ClockKind, ClockState, TicketClock
from bot.domain.hours import ALWAYS, BusinessHours
from bot.domain.promises import PROMISED, meet, next_due, pause, resume, start, window
from bot.domain.tickets import Ticket, TicketEvent, TicketState
from bot.pipeline.outgoing import Writer
from bot.store import clocks as store
from bot.store import conversations, tickets

#: `TicketClock.detail` of an unclaimed ticket: who is asked when it is due.
ASK_GROUP = "group"
ASK_ON_CALL = "on_call"
#: Kind of the line in a ticket's history for a promise that was not kept; its detail is the clock's kind.
BROKEN_EVENT = "promise_broken"


class Watch:
    """A ticket's clocks while they are changed."""

    def __init__(self, connection: Connection, writer: Writer, ticket: Ticket) -> None:
        """Read them, with the ticket as it is now."""
        self._connection = connection
        self._writer = writer
        self.ticket = tickets.get(connection, ticket.id) or ticket
        self._conversation = conversations.get(connection, ticket.conversation_id)
        self._before = {clock.kind: clock for clock in store.of(connection, ticket.id)}
        self._policy = store.policy_of(connection, ticket.id)
        self.clocks = dict(self._before)
        self.waiting_since = self.ticket.waiting_since
        self.first_replied_at = self.ticket.first_replied_at
        self.snoozed_until = self.ticket.snoozed_until

    def agree(self) -> None:
        """Make the settings' policy for such a ticket the ticket's own."""
        channel = self._conversation.address.channel
        self._policy = self._writer.rules.policy(self.ticket.priority, channel, self.ticket.team)
        store.set_policy(self._connection, self.ticket.id, self._policy)

    def start(self, kind: ClockKind, since: datetime) -> None:
        """Count from `since`, if something is promised."""
        if self._policy is not None:
            clock = start(kind, since, self._policy, self._hours(kind))
            if clock is not None:
                self.put(clock)

    def put(self, clock: TicketClock) -> None:
        """Make it the clock of its kind."""
        self.clocks[clock.kind] = clock

    def meet(self, *kinds: ClockKind) -> None:
        """Note that what they wait for has happened; what is promised to nobody is forgotten."""
        for kind in kinds:
            if not kind.orders_queue:
                self.clocks.pop(kind, None)
            elif kind in self.clocks:
                self.put(meet(self.clocks[kind], self._writer.now))

    def pause(self, *kinds: ClockKind) -> None:
        """Stop them."""
        for kind in kinds:
            if kind in self.clocks:
                self.put(pause(self.clocks[kind], self._writer.now, self._hours(kind)))

    def wake(self) -> None:
        """End a snooze, and let go on what does not wait for the customer."""
        self.snoozed_until = None
        self.clocks.pop(ClockKind.SNOOZE, None)
        going_on = {ClockKind.UNCLAIMED} if self.ticket.state is TicketState.QUEUED else set()
        if self.waiting_since is not None:
            going_on.update(PROMISED)
        for kind in going_on & self.clocks.keys():
            self.put(resume(self.clocks[kind], self._writer.now, self._hours(kind)))

    def open_window(self) -> None:
        """Count how long the channel lets us answer the customer's last message."""
        open_for = self._writer.rules.reply_window(self._conversation.address)
        if open_for is not None:
            self.put(window(self._conversation.last_inbound_at, open_for))

    def ask_to_claim(self) -> None:
        """Count how long the ticket stays unclaimed."""
        rules = self._writer.rules
        after = rules.widen_after if rules.widen_after is not None else rules.on_call_after
        if after is not None:
            asked = ASK_GROUP if rules.widen_after is not None else ASK_ON_CALL
            due_at = rules.hours.add(self._writer.now, after)
            self.put(TicketClock(kind=ClockKind.UNCLAIMED, state=ClockState.RUNNING, due_at=due_at, detail=asked))

    def gone(self, kind: ClockKind) -> timedelta | None:
        """Return how much of a promise's time has gone by; none: it is not owed any more, or not yet."""
        clock, now = self.clocks.get(kind), self._writer.now
        if clock is None:
            since = self._owed_since(kind)
            return None if since is None else self._writer.rules.hours.between(since, now)
        if clock.state in {ClockState.MET, ClockState.BROKEN}:
            return None
        target = self._policy.target(kind) if self._policy is not None else None
        left = self._hours(kind).between(now, clock.due_at) if clock.left is None else clock.left
        return None if target is None else target - left

    def restart(self, kind: ClockKind, gone: timedelta) -> None:
        """Count what is promised now, of which `gone` has gone by already."""
        was_paused = kind in self.clocks and self.clocks[kind].state is ClockState.PAUSED
        self.clocks.pop(kind, None)
        target = self._policy.target(kind) if self._policy is not None else None
        if target is None or self._policy is None:
            return
        now, hours = self._writer.now, self._hours(kind)
        left = max(target - gone, timedelta())
        warned_after = max(target * self._policy.warn_share - gone, timedelta())
        running = TicketClock(
            kind=kind, state=ClockState.RUNNING, due_at=hours.add(now, left), warn_at=hours.add(now, warned_after)
        )
        is_awaited = kind is ClockKind.RESOLUTION and self.waiting_since is None
        is_stopped = was_paused or is_awaited or self.snoozed_until is not None
        self.put(pause(running, now, hours) if is_stopped else running)

    def ask_on_call(self) -> None:
        """Count on until those on call are asked, if anybody is; nobody else is left to ask after them."""
        rules, clock = self._writer.rules, self.clocks[ClockKind.UNCLAIMED]
        if clock.detail == ASK_ON_CALL or rules.on_call_after is None:
            self.put(replace(clock, state=ClockState.BROKEN))
            return
        due_at = rules.hours.add(self._writer.now, rules.on_call_after)
        self.put(replace(clock, due_at=due_at, detail=ASK_ON_CALL))

    def save(self) -> None:
        """Write what has changed."""
        for clock in self.clocks.values():
            if clock.state is ClockState.BROKEN and self._before.get(clock.kind) != clock:
                self._log_broken(clock)
        if self.clocks != self._before:
            store.write(self._connection, self.ticket.id, self.clocks.values())
        noted = replace(
            self.ticket,
            waiting_since=self.waiting_since,
            first_replied_at=self.first_replied_at,
            snoozed_until=self.snoozed_until,
        )
        store.note(self._connection, replace(noted, next_due_at=next_due(noted, self.clocks.values())))

    def _log_broken(self, clock: TicketClock) -> None:
        if clock.kind not in {*PROMISED, ClockKind.PROMISE}:
            return
        event = TicketEvent(at=self._writer.now, kind=BROKEN_EVENT, agent=None, detail=clock.kind.value)
        key = f"{BROKEN_EVENT}:{self.ticket.id}:{clock.kind}:{clock.due_at.isoformat()}"
        if tickets.log(self._connection, self.ticket.id, event, key):
            metrics.PROMISES_BROKEN.labels(clock.kind.value).inc()

    def _owed_since(self, kind: ClockKind) -> datetime | None:
        match kind:
            case ClockKind.FIRST_RESPONSE:
                return self.ticket.opened_at if self.first_replied_at is None else None
            case ClockKind.NEXT_RESPONSE:
                return self.waiting_since if self.first_replied_at is not None else None
            case _:
                return self.ticket.opened_at

    def _hours(self, kind: ClockKind) -> BusinessHours:
        if kind is ClockKind.UNCLAIMED:
            return self._writer.rules.hours
        return self._writer.rules.hours_of(self._policy) if kind in PROMISED and self._policy else ALWAYS
