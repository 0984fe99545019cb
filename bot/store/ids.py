"""New opaque ids."""

from __future__ import annotations

import secrets

from bot.domain.conversations import ConversationId
from bot.domain.invitations import ALPHABET, LENGTH, InvitationToken
from bot.domain.messages import MediaId, MessageId
from bot.domain.suggestions import SuggestionId
from bot.domain.tickets import TicketId


def new_conversation_id() -> ConversationId:
    """Return 128 random bits as hex."""
    return ConversationId(secrets.token_hex(16))


def new_message_id() -> MessageId:
    """Return 128 random bits as hex."""
    return MessageId(secrets.token_hex(16))


def new_ticket_id() -> TicketId:
    """Return 128 random bits as hex."""
    return TicketId(secrets.token_hex(16))


def new_media_id() -> MediaId:
    """Return 128 random bits as hex."""
    return MediaId(secrets.token_hex(16))


def new_suggestion_id() -> SuggestionId:
    """Return 128 random bits as hex."""
    return SuggestionId(secrets.token_hex(16))


def new_choice_key() -> str:
    """Return 96 random bits in 16 characters that every channel carries."""
    return secrets.token_urlsafe(12)


def new_invitation_token() -> InvitationToken:
    """Return 47 random bits in signs that people can type; one of them at least is a letter."""
    while True:
        token = "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
        if not token.isdecimal():
            return InvitationToken(token)
