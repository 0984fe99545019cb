"""Answers of the bot to what a channel brought."""

from __future__ import annotations

from bot.domain.connectors import Connector, SendOperation
from bot.domain.messages import Attachment, Author, InboundEvent, InboundMessage, OutboundMessage


def planned(connector: Connector, event: InboundEvent, text: str, *files: Attachment) -> tuple[SendOperation, ...]:
    """Return the calls that answer a message."""
    assert isinstance(event, InboundMessage)
    message = OutboundMessage(author=Author.BOT, text=text, attachments=files, reply_context=event.reply_context)
    operations = connector.plan(message, event.address)
    assert isinstance(operations, tuple)
    return operations
