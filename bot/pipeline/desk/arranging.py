"""What agents keep about a ticket, and when they come back to it. All functions are transaction bodies."""

from __future__ import annotations

from datetime import datetime, timedelta

from bot.domain.acts import Note, Promise, SetPriority, SetTags, Snooze, Wake
from bot.domain.clocks import ClockKind
from bot.domain.desk import Done
from bot.domain.errors import DeskError
from bot.domain.texts import line
from bot.pipeline import phrases, promises
from bot.pipeline.desk.handling import Doing, Handlers, require_mine, require_open, require_text
from bot.store import clocks

TAGS_MAX = 12
TAG_MAX = 40
#: Nobody puts anything off for longer.
PUT_OFF_MAX = timedelta(days=365)


def note(doing: Doing, act: Note) -> Done:
    """Keep a remark that the customer never sees; the ticket's history has it."""
    require_text(act.text, "The note is empty.")
    return doing.done()


def snooze(doing: Doing, act: Snooze) -> Done:
    """Put the ticket aside until then, or until the customer writes."""
    require_mine(doing)
    _require_ahead(doing, act.until)
    doing = doing.change(snoozed_until=act.until)
    promises.ticket_snoozed(doing.connection, doing.writer, doing.ticket, act.until)
    doing.show()
    return doing.done()


def wake(doing: Doing, _: Wake) -> Done:
    """Take the ticket up again before its time."""
    require_mine(doing)
    if doing.ticket.snoozed_until is None:
        raise DeskError(f"Ticket {doing.ticket.number} is not snoozed.")
    doing = doing.change(snoozed_until=None)
    promises.ticket_woken(doing.connection, doing.writer, doing.ticket)
    doing.show()
    return doing.done()


def set_priority(doing: Doing, act: SetPriority) -> Done:
    """Say how urgent the ticket is; anybody may."""
    require_open(doing)
    if act.priority is doing.ticket.priority:
        return doing.done()
    doing = doing.change(priority=act.priority.value)
    promises.priority_changed(doing.connection, doing.writer, doing.ticket)
    doing.show()
    return doing.done()


def set_tags(doing: Doing, act: SetTags) -> Done:
    """Say what the ticket is about, in place of what was said before; anybody may, open or closed."""
    tags = tuple(dict.fromkeys(filter(None, (line(tag).strip(" #").lower() for tag in act.tags))))
    if len(tags) > TAGS_MAX or any(len(tag) > TAG_MAX for tag in tags):
        raise DeskError(f"A ticket has at most {TAGS_MAX} tags of {TAG_MAX} characters each.")
    if tags == doing.ticket.tags:
        return doing.done()
    doing = doing.change(tags=list(tags))
    doing.show()
    return doing.done()


def promise(doing: Doing, act: Promise) -> Done:
    """Remember what the customer was promised, in place of an earlier promise; the ticket comes back when it is due."""
    require_mine(doing)
    text = require_text(act.text, "Say what you promised, for whoever has the ticket when it is due.")
    _require_ahead(doing, act.due_at)
    known = next(
        (each for each in clocks.of(doing.connection, doing.ticket.id) if each.kind is ClockKind.PROMISE), None
    )
    remark = phrases.promise_replaced(known.detail) if known is not None and known.state.is_running else ""
    doing = doing.change()
    promises.promised(doing.connection, doing.writer, doing.ticket, text, act.due_at)
    doing.show()
    return doing.done(remark=remark)


def _require_ahead(doing: Doing, at: datetime) -> None:
    if not doing.writer.now < at <= doing.writer.now + PUT_OFF_MAX:
        raise DeskError("Choose a moment that is still to come, within a year.")


HANDLERS: Handlers = {
    Note: note,
    Snooze: snooze,
    Wake: wake,
    SetPriority: set_priority,
    SetTags: set_tags,
    Promise: promise,
}
