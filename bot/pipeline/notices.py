"""What agents are told in a ticket's thread when a moment comes that it waits for."""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo

from bot.domain.clocks import ClockKind, TicketClock
from bot.domain.rules import Team
from bot.domain.tickets import Ticket

IN_DANGER = "🆘 The customer may be about to harm themselves. Answer at once, before all others."
EDITED_LATE = "Edited after you answered"
ASKED_PRIVATELY = "🔒 They were asked in private, as an answer to what they wrote here: nobody else reads it."
#: Characters of a message that a remark quotes.
_QUOTED_MAX = 300
_WHAT = {
    ClockKind.FIRST_RESPONSE: "The first answer",
    ClockKind.NEXT_RESPONSE: "The next answer",
    ClockKind.RESOLUTION: "A solution",
}


def warned(clock: TicketClock, now: datetime, zone: tzinfo) -> str:
    """Say that something is due soon; times are the zone's."""
    due, left = _moment(clock.due_at, now, zone), _left(clock.due_at - now)
    match clock.kind:
        case ClockKind.REPLY_WINDOW:
            return f"⏳ The customer's channel lets us answer until {due} only, {left} from now."
        case ClockKind.PROMISE:
            return f"⏳ You promised the customer something by {due}, {left} from now: {clock.detail}"
        case _:
            return f"⏳ {_WHAT[clock.kind]} is due by {due}, {left} from now."


def broken(clock: TicketClock, now: datetime, zone: tzinfo) -> str:
    """Say that something is late; times are the zone's."""
    due = _moment(clock.due_at, now, zone)
    match clock.kind:
        case ClockKind.REPLY_WINDOW:
            return (
                f"🔴 The customer's channel let us answer until {due}. A reply may be refused until they write again: "
                "reach them another way."
            )
        case ClockKind.PROMISE:
            return f"🔴 The customer was promised something by {due}: {clock.detail}"
        case _:
            return f"🔴 {_WHAT[clock.kind]} was promised by {due} and is late."


def not_asked_privately(reason: str) -> str:
    """Say that somebody could not be asked in private."""
    return f"They could not be asked in private: {reason}"


def answered_elsewhere(number: int) -> str:
    """Say where a customer is answered whom a reply did not reach."""
    return f"The customer is answered on another channel of theirs, in ticket {number}."


def not_answered_elsewhere(name: str, number: int) -> str:
    """Say that such an answer was taken back before it left."""
    return f"{name} has taken back what was answered in ticket {number}: it was not sent."


def unclaimed(ticket: Ticket, team: Team, now: datetime, *, is_last: bool) -> str:
    """Ask more people for somebody who takes a ticket."""
    waited = _left(now - ticket.opened_at)
    if is_last:
        return f"🔔 Ticket {ticket.number} has waited {waited}, and nobody of {team.title} has claimed it. Please do."
    return f"🔔 Ticket {ticket.number} has waited {waited} for somebody of {team.title}. Who claims it?"


def came_to_private(channel: str, number: int | None) -> str:
    """Say that the customer of a public thread goes on in private."""
    where = f", in ticket {number}" if number is not None else ""
    return (
        f"💬 Somebody has followed the invitation and writes on {channel}{where}. Everybody could read the invitation: "
        "that it is the same person is not proved."
    )


def came_from_public(channel: str, text: str) -> str:
    """Say what a private conversation is about that began in public."""
    return f"💬 They come from {channel}, where it was written in public: “{text[:_QUOTED_MAX]}”. It is not proved who."


def woken() -> str:
    """Say that a snooze is over."""
    return "⏰ The snooze is over: this ticket is up again."


def reopened(clock: TicketClock) -> str:
    """Say why a closed ticket is open again."""
    return f"⏰ This ticket is open again: the customer was promised something for now: {clock.detail}"


def customer_came_back(why: str) -> str:
    """Say that a closed ticket is open again because its customer is not done."""
    return f"🔁 The customer has come back, so this ticket is open again. {why}"


def rated(rating: int) -> str:
    """Say how it was for the customer."""
    return f"{'★' * rating}{'☆' * (5 - rating)} The customer says how it was: {rating} of 5."


def proved(way: str) -> str:
    """Say that the customer proved who they are."""
    return f"✅ The customer proved who they are ({way}): the card shows their record."


def not_proved(*, is_last: bool) -> str:
    """Say that a proof was wrong, and whether the customer may try again."""
    then = "They are not asked again" if is_last else "They are asked to try again"
    return f"⚠️ What the customer sent to prove who they are does not fit the records. {then}."


def proof_not_checked() -> str:
    """Say that the records were out of reach."""
    return "⚠️ The customer's proof could not be checked: the records cannot be read now. Ask again in a while."


def edited_late(before: str, after: str) -> str:
    """Show a change that the answer does not know of."""
    return f"✏️ {EDITED_LATE}. It said: “{before[:_QUOTED_MAX]}”. It says now: “{after[:_QUOTED_MAX]}”."


def reacted(emoji: str, text: str) -> str:
    """Say that the customer put a sign to a message."""
    return f"{emoji} The customer reacted to " + (f"“{text[:_QUOTED_MAX]}”." if text else "a message.")


def taken_back(text: str) -> str:
    """Show what the customer does not want to have said, as far as it may be kept."""
    if not text:
        return "↩️ The customer took a message back. Its channel wants every copy gone: delete it here too, please."
    return f"↩️ The customer took a message back. It said: “{text[:_QUOTED_MAX]}”."


def assigned(name: str) -> str:
    """Say whose turn it was."""
    return f"🎯 Given to {name}, whose turn it is."


def _moment(at: datetime, now: datetime, zone: tzinfo) -> str:
    local, today = at.astimezone(zone), now.astimezone(zone).date()
    return f"{local:%H:%M}" if local.date() == today else f"{local:%a %d %b, %H:%M}"


def _left(time: timedelta) -> str:
    minutes = max(round(time.total_seconds() / 60), 1)
    if minutes < 90:
        return f"{minutes} minute{'s' if minutes > 1 else ''}"
    hours = round(minutes / 60)
    return f"{hours} hours" if hours < 48 else f"{round(hours / 24)} days"
