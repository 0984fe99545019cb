"""The desk's words for what the domain knows, the same on every surface."""

from __future__ import annotations

from datetime import datetime, timedelta

from bot.domain.acts import Closing
from bot.domain.assurance import Level
from bot.domain.clocks import ClockKind, ClockState, TicketClock
from bot.domain.customers import Money, Order
from bot.domain.handoff import Reason
from bot.domain.invitations import Joined
from bot.domain.messages import Attachment, Author, DeliveryState, TranscriptLine
from bot.domain.moods import Mood
from bot.domain.tickets import EVERYBODY, Priority, TicketState, TicketView
from connectors.registry import TITLES

REASONS = {
    Reason.EXPLICIT_WISH: "asked for a person",
    Reason.NOT_UNDERSTOOD: "the bot did not understand, twice",
    Reason.LOW_CONFIDENCE: "the bot was not sure",
    Reason.FAILED_ACTION: "something the bot tried did not work",
    Reason.ANGER: "the customer is upset",
    Reason.IN_DANGER: "may be about to harm themselves",
    Reason.PEOPLE_ONLY: "a topic for people",
    Reason.VERIFICATION_FAILED: "could not prove who they are",
    Reason.IN_PUBLIC: "written in public",
    Reason.OTHER: "handed over by the bot",
}

#: Languages by the first part of their code; any other is called by its code.
LANGUAGES = {
    "ar": "Arabic", "cs": "Czech", "da": "Danish", "de": "German", "el": "Greek", "en": "English",
    "es": "Spanish", "fi": "Finnish", "fr": "French", "he": "Hebrew", "hi": "Hindi", "hu": "Hungarian",
    "it": "Italian", "ja": "Japanese", "ko": "Korean", "nl": "Dutch", "no": "Norwegian", "pl": "Polish",
    "pt": "Portuguese", "ro": "Romanian", "ru": "Russian", "sv": "Swedish", "tr": "Turkish", "uk": "Ukrainian",
    "zh": "Chinese",
}  # fmt: skip

STATES = {
    TicketState.QUEUED: "waiting",
    TicketState.CLAIMED: "claimed",
    TicketState.RESOLVED: "resolved",
    TicketState.HANDED_BACK: "handed back to the bot",
}

MOODS = {
    Mood.ANGRY: "😠 angry",
    Mood.UNHAPPY: "🙁 unhappy",
    Mood.THANKFUL: "🙂 thankful",
    Mood.PLEASED: "😀 pleased",
}

LEVELS = {
    Level.L0: "not verified",
    Level.L1: "knows the order's details (L1)",
    Level.L2: "verified over a second way (L2)",
    Level.L3: "verified just now (L3)",
}

DELIVERIES = {
    DeliveryState.PENDING: "on its way",
    DeliveryState.SENT: "sent",
    DeliveryState.DELIVERED: "delivered",
    DeliveryState.READ: "read",
    DeliveryState.FAILED: "not delivered",
    DeliveryState.WITHHELD: "not sent",
}

PRIORITIES = {
    Priority.URGENT: "urgent",
    Priority.HIGH: "high",
    Priority.NORMAL: "normal",
    Priority.LOW: "low",
}

CLOSINGS = {
    Closing.SOLVED: "Solved",
    Closing.ANSWERED_ELSEWHERE: "Answered elsewhere",
    Closing.NOTHING_TO_DO: "Nothing to do",
    Closing.NO_ANSWER: "The customer did not answer",
    Closing.SPAM: "Spam",
}

CLOCKS = {
    ClockKind.FIRST_RESPONSE: "First answer",
    ClockKind.NEXT_RESPONSE: "Next answer",
    ClockKind.RESOLUTION: "Solved",
    ClockKind.REPLY_WINDOW: "Reply window",
    ClockKind.PROMISE: "Promised",
    ClockKind.UNCLAIMED: "Claimed",
    ClockKind.SNOOZE: "Snoozed",
}

#: What to do about a message that did not arrive.
WHAT_TO_DO = "The customer has not seen it. Reply again, or reach them another way and note that here."

#: Of a customer who is known nowhere else, and of one who is, in the opinion of colleagues.
NO_OTHER_WAY = "No other channel of this customer is known."
WAY_NOT_PROVED = (
    "That it is the same customer on the other channel is not proved: write nothing there that only they may read."
)

#: Where everybody reads what is written.
PUBLIC = "📣 PUBLIC."
PUBLIC_REPLY = "Everybody will read this reply. Write nothing there that only the customer may know."
#: An invitation stands where everybody can follow it.
JOINED_NOT_PROVED = "Everybody could follow the invitation: that it is the same person is not proved."

_RUNNING = frozenset({ClockState.RUNNING, ClockState.WARNED})
_SYMBOLS = {"GBP": "£", "EUR": "€", "USD": "$"}


def money(amount: Money) -> str:
    """Return `£12.50`; currencies without a symbol here carry their code."""
    figure = f"{abs(amount.minor) // 100:,}.{abs(amount.minor) % 100:02d}"
    sign = "-" if amount.minor < 0 else ""
    symbol = _SYMBOLS.get(amount.currency)
    return f"{sign}{symbol}{figure}" if symbol else f"{sign}{figure} {amount.currency}"


def channel(name: str) -> str:
    """Return `Telegram`."""
    return TITLES.get(name, name.capitalize())


def joined(other: Joined) -> str:
    """Return where a conversation is that an invitation joined to this one."""
    where = f"{'Came from public' if other.is_public else 'Went on in private'}: {channel(other.address.channel)}"
    return f"{where}, ticket {other.ticket_number}." if other.ticket_number is not None else f"{where}."


def clocks(view: TicketView) -> list[TicketClock]:
    """Return what people have to know of the ticket's clocks, the earliest first: what runs, and what was broken."""
    shown = [
        clock
        for clock in view.clocks
        if clock.kind is not ClockKind.UNCLAIMED and clock.state in {*_RUNNING, ClockState.PAUSED, ClockState.BROKEN}
    ]
    return sorted(shown, key=lambda clock: (clock.state not in _RUNNING, clock.due_at))


def known_name(view: TicketView) -> str:
    """Return the name in the record, else what the channel calls the customer; empty when nobody knows."""
    known = view.record.customer.name if view.record is not None else ""
    return known.strip() or (view.conversation.display_name or "").strip()


def language(view: TicketView) -> str:
    """Return what language the customer writes, or their channel says they speak; empty where nobody knows."""
    code = view.conversation.language or ""
    return LANGUAGES.get(code.replace("_", "-").partition("-")[0].lower(), code)


def customer_name(view: TicketView) -> str:
    """Return how agents call the customer; one without a name by the channel and what tells them from others.

    That is the order it is about, else the beginning of the conversation's id, by which `find` finds them as well.
    """
    where = channel(view.conversation.address.channel)
    return known_name(view) or f"{where} visitor · {view.ticket.request.order_number or view.conversation.id[:4]}"


def customer_and_channel(view: TicketView) -> str:
    """Return `Dana Smith on Telegram`; one without a name is called by the channel already."""
    name = known_name(view)
    return f"{name} on {channel(view.conversation.address.channel)}" if name else customer_name(view)


def identity(view: TicketView) -> str:
    """Return how surely we know who the customer is, and since when we are not sure any more."""
    if view.level is Level.L0 and view.proved_at is not None:
        return f"proved on {view.proved_at:%d %b %Y}, lapsed"
    return LEVELS[view.level]


def team(view: TicketView) -> str:
    """Return `Returns & refunds`; empty where there are no teams."""
    return "" if view.ticket.team == EVERYBODY else view.team_title or view.ticket.team


def author_name(line: TranscriptLine, view: TicketView) -> str:
    """Return who speaks in a line, as agents read it."""
    match line.author:
        case Author.CUSTOMER:
            return (line.author_name or "").strip() or customer_name(view)
        case Author.BOT:
            return "Bot"
        case Author.SYSTEM:
            return "Automatic message"
        case Author.AGENT:
            return (line.author_name or "").strip() or "Agent"


def attachment(file: Attachment) -> str:
    """Return `[image: cup.jpg]`."""
    return f"[{file.kind.value}: {file.name or 'no name'}]"


def said(line: TranscriptLine) -> str:
    """Return all that a line says: text, files, choices that were offered."""
    parts = [line.text] if line.text else []
    parts += [attachment(file) for file in line.attachments]
    if line.choices:
        parts.append(" · ".join(f"[{title}]" for title in line.choices))
    return "\n".join(parts) or "(empty message)"


def order(entry: Order) -> str:
    """Return one order in one line: number, state, day, total, parcels."""
    parts = [entry.number, entry.status.value.replace("_", " "), f"{entry.placed_at:%d %b %Y}", money(entry.total)]
    parts += [f"{parcel.carrier}: {parcel.status.value.replace('_', ' ')}" for parcel in entry.shipments]
    parts += [f"return {back.status.value}" for back in entry.returns]
    return " · ".join(parts)


def duration(span: timedelta) -> str:
    """Return `4 min`, `2 h 10 min`, `3 days`."""
    minutes = max(round(span.total_seconds() / 60), 1)
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 48 * 60:
        return f"{minutes // 60} h {minutes % 60} min" if minutes % 60 else f"{minutes // 60} h"
    return f"{minutes // (24 * 60)} days"


def moment(at: datetime) -> str:
    """Return `22 Nov, 14:05 UTC`."""
    return f"{at:%d %b, %H:%M} UTC"
