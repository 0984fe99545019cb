"""The desk's words for what the domain knows, the same on every surface."""

from __future__ import annotations

from datetime import datetime

from bot.domain.assurance import Level
from bot.domain.customers import Money, Order
from bot.domain.handoff import Reason
from bot.domain.messages import Attachment, Author, DeliveryState, TranscriptLine
from bot.domain.tickets import TicketState, TicketView

REASONS = {
    Reason.EXPLICIT_WISH: "asked for a person",
    Reason.NOT_UNDERSTOOD: "the bot did not understand, twice",
    Reason.LOW_CONFIDENCE: "the bot was not sure",
    Reason.FAILED_ACTION: "something the bot tried did not work",
    Reason.ANGER: "the customer is upset",
    Reason.PEOPLE_ONLY: "a topic for people",
    Reason.VERIFICATION_FAILED: "could not prove who they are",
    Reason.OTHER: "handed over by the bot",
}

STATES = {
    TicketState.QUEUED: "waiting",
    TicketState.CLAIMED: "claimed",
    TicketState.RESOLVED: "resolved",
    TicketState.HANDED_BACK: "handed back to the bot",
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

#: What to do about a message that did not arrive.
WHAT_TO_DO = "The customer has not seen it. Reply again, or reach them another way and note that here."

_SYMBOLS = {"GBP": "£", "EUR": "€", "USD": "$"}


def money(amount: Money) -> str:
    """Return `£12.50`; currencies without a symbol here carry their code."""
    figure = f"{abs(amount.minor) // 100:,}.{abs(amount.minor) % 100:02d}"
    sign = "-" if amount.minor < 0 else ""
    symbol = _SYMBOLS.get(amount.currency)
    return f"{sign}{symbol}{figure}" if symbol else f"{sign}{figure} {amount.currency}"


def customer_name(view: TicketView) -> str:
    """Return the name in the record, else what the channel calls the customer."""
    known = view.record.customer.name if view.record is not None else ""
    return known.strip() or (view.conversation.display_name or "").strip() or "Unknown customer"


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


def order(entry: Order) -> str:
    """Return one order in one line: number, state, day, total, parcels."""
    parts = [entry.number, entry.status.value.replace("_", " "), f"{entry.placed_at:%d %b %Y}", money(entry.total)]
    parts += [f"{parcel.carrier}: {parcel.status.value.replace('_', ' ')}" for parcel in entry.shipments]
    parts += [f"return {back.status.value}" for back in entry.returns]
    return " · ".join(parts)


def moment(at: datetime) -> str:
    """Return `22 Nov, 14:05 UTC`."""
    return f"{at:%d %b, %H:%M} UTC"
