"""Whether a channel still lets us answer a customer, and whom of us: the clock runs from their last message."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from bot.domain.connectors import Capabilities, Refusal
from bot.domain.messages import Author, OutboundMessage


def admit(message: OutboundMessage, can: Capabilities, silence: timedelta) -> OutboundMessage | Refusal:
    """Return `message` as it may leave `silence` after the customer's last message, or why it may not.

    What leaves after the reply window, as only people may write, is marked `is_late`.
    """
    if can.reply_window is None or silence <= can.reply_window:
        return message
    people_may = can.people_window is not None and silence <= can.people_window
    if people_may and message.author is Author.AGENT:
        return replace(message, is_late=True)
    since = f"the customer has not written for {_in_words(silence)}"
    if people_may:
        return Refusal(reason=f"{since}: their channel takes nothing from the bot any more, only from people")
    return Refusal(reason=f"{since}: their channel takes nothing from us until they write again")


def _in_words(silence: timedelta) -> str:
    hours = int(silence.total_seconds() // 3600)
    return f"{hours} hours" if hours < 48 else f"{hours // 24} days"
