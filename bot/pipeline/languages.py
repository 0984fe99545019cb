"""What language a customer writes, as far as their messages tell."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import Connection

from bot.dialogue.wire import Turn
from bot.domain.conversations import Conversation
from bot.pipeline.outgoing import Writer
from bot.store import conversations

#: Fewer words do not tell their language.
LEAST_WORDS = 3


def keep_language(
    connection: Connection, writer: Writer, conversation: Conversation, turn: Turn, text: str
) -> Conversation:
    """Keep what language the customer writes, which says more than what their channel tells of them.

    Few words in the language that is spoken to everybody tell nothing.
    """
    told, known = turn.language, conversation.language
    is_vague = told == writer.rules.language and len(text.split()) < LEAST_WORDS
    if told is None or (known or "").casefold().startswith(told) or (known is not None and is_vague):
        return conversation
    conversations.set_language(connection, conversation.address, told)
    return replace(conversation, language=told)
