"""Taking back an act, while nothing has come of it yet. All functions are transaction bodies."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from bot.domain.acts import (
    UNDO_FOR,
    Act,
    Assign,
    Claim,
    HandBack,
    Promise,
    Release,
    Reopen,
    Reply,
    ReplyElsewhere,
    Resolve,
    SetPriority,
    SetTags,
    Snooze,
    Transfer,
    Undo,
    Wake,
)
from bot.domain.desk import DeskPost, DeskPostKind, Done
from bot.domain.errors import DeskError
from bot.pipeline import notices, phrases
from bot.pipeline.desk.handling import Doing, Handlers
from bot.pipeline.desk.moving import move
from bot.store import acts, conversations, held, tickets
from bot.store.acts import Past, State

_UNDOABLE = (
    *(Claim, Release, Assign, Transfer, Reopen, Resolve, HandBack),
    *(Snooze, Wake, SetPriority, SetTags, Promise),
)


def keys_of(key: str) -> tuple[str, ...]:
    """Return the keys of what an act tells the customer and the bot; all that is held back with it."""
    return key, f"{key}:told", f"{key}:asked", f"handed_back:{key}"


def there(key: str) -> str:
    """Return the key of what an act does in another conversation of the same customer."""
    return f"{key}:there"


def past_of(connection: Connection, key: str) -> Past | None:
    """Return what an act did, in whichever conversation it did it; none: there was no such act."""
    return acts.find(connection, there(key)) or acts.find(connection, key)


def hold(doing: Doing, before: State) -> datetime | None:
    """Let go what an earlier act told this customer, and hold back what this one does until it cannot be undone.

    Returns until when that is, having kept how the ticket was `before`; none: it cannot be undone.
    """
    connection, now, mine = doing.connection, doing.writer.now, keys_of(doing.key)
    held.let_go(connection, str(doing.conversation.address), mine, now)
    if not doing.undo_for:
        return None
    until = now + doing.undo_for
    held.hold(connection, mine, until)
    after = acts.state_of(connection, doing.ticket.id, conversations.get(connection, doing.conversation.id).owner)
    acts.seal(connection, doing.key, before, after, until)
    return until


def undo_for(act: Act, hold_replies: timedelta) -> timedelta:
    """Return how long an act can be taken back, and so what it tells is held back; nought: it cannot."""
    if isinstance(act, Reply | ReplyElsewhere):
        return hold_replies
    return UNDO_FOR if isinstance(act, _UNDOABLE) else timedelta()


def undo(doing: Doing, act: Undo) -> Done:
    """Put the ticket back as it was before an act of the agent's own, and withhold what that told the customer."""
    mine = acts.find(doing.connection, act.key)
    past = past_of(doing.connection, act.key)
    if mine is None or past is None or mine.ticket_id != doing.ticket.id:
        raise DeskError("There is nothing to take back.")
    if past.agent is None or past.agent.id != doing.agent.id:
        raise DeskError(f"Only {past.agent.name if past.agent else 'who did it'} can take that back.")
    if past.is_undone:
        return doing.done()
    if past.ticket_id == doing.ticket.id:
        return _restore(doing, act.key, past)
    ticket = tickets.get(doing.connection, past.ticket_id) or doing.ticket
    other = conversations.lock(doing.connection, ticket.conversation_id)
    _restore(replace(doing, ticket=ticket, conversation=other), there(act.key), past)
    acts.mark_undone(doing.connection, act.key, doing.writer.now)
    doing.notice(notices.not_answered_elsewhere(doing.agent.name, ticket.number))
    return doing.done()


def _restore(doing: Doing, key: str, past: Past) -> Done:
    """Put the ticket back as it was before the act of that key, and withhold what that told."""
    columns = _require_undoable(doing, past)
    taken = held.take_back(doing.connection, keys_of(key), doing.writer.now)
    if taken is None:
        raise DeskError("It is too late to take that back: it has reached the customer.")
    former_team = doing.ticket.team
    acts.restore_clocks(doing.connection, past)
    acts.mark_undone(doing.connection, key, doing.writer.now)
    if "agent_id" in columns or past.owner is not doing.conversation.owner:
        doing = doing.give_to(past.owner)
    doing = doing.change(**columns)
    for message_id in taken:
        receipt = DeskPost(ticket_id=doing.ticket.id, kind=DeskPostKind.RECEIPT, message_id=message_id)
        doing.post(receipt, f"receipt:{message_id}")
    if doing.ticket.team != former_team:
        move(doing, doing.writer.rules.team(former_team), phrases.moved_back(doing.agent))
    else:
        doing.show()
    return doing.done()


def _require_undoable(doing: Doing, past: Past) -> dict[str, object]:
    """Return the columns to write back; raise `DeskError` when it is too late, or never was possible."""
    if past.until is None:
        raise DeskError("That cannot be taken back.")
    if doing.writer.now >= past.until:
        raise DeskError("It is too late to take that back.")
    if doing.ticket.version != past.version:
        raise DeskError(f"Ticket {doing.ticket.number} has been changed since: that cannot be taken back any more.")
    other = tickets.open_of(doing.connection, doing.conversation.id)
    if other is not None and other.id != doing.ticket.id:
        raise DeskError(f"This customer has a newer ticket, {other.number}, that is open: go on there.")
    return acts.columns_before(past)


HANDLERS: Handlers = {Undo: undo}
