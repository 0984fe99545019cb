"""Which message of a thread became which message to the customer."""

from __future__ import annotations

from dataclasses import dataclass

from bot.desk.slack.whereabouts import sent_keys
from bot.domain.messages import Author, MessageId, message_id_of
from bot.domain.tickets import TicketView


@dataclass(frozen=True, kw_only=True)
class SentAs:
    """A message of the thread that was sent to the customer."""

    message_id: MessageId
    #: what the customer has
    text: str
    #: it started with `>`: what does not is no new version of it
    was_reply: bool


def sent_as(view: TicketView, channel: str, ts: str) -> SentAs | None:
    """Return what a message of the thread became; none: the customer never got it."""
    sent = {entry.id: entry.text for entry in view.transcript if entry.author is Author.AGENT}
    for key, was_reply in sent_keys(channel, ts).items():
        message_id = message_id_of(key)
        if message_id in sent:
            return SentAs(message_id=message_id, text=sent[message_id], was_reply=was_reply)
    return None
