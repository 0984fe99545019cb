"""What the bot may not say any more becomes a draft for people. All functions are transaction bodies."""

from __future__ import annotations

from sqlalchemy import Connection

from bot.domain.desk import DeskPost, DeskPostKind
from bot.domain.messages import Author, OutboundMessage
from bot.domain.suggestions import Suggestion, SuggestionState
from bot.pipeline.giving_up import give_up_outgoing
from bot.pipeline.outgoing import Writer
from bot.store import suggestions, tickets, transcript
from bot.store.ids import new_suggestion_id
from bot.store.outbox import OutboxRow


def leave_to_people(
    connection: Connection, writer: Writer, row: OutboxRow, message: OutboundMessage, reason: str
) -> None:
    """Give up on a claimed row that the channel's window refuses; what the bot wanted to say is offered to agents.

    What may have arrived before the window shut is not offered: the customer might read it twice.
    """
    give_up_outgoing(connection, writer, row, reason, "held" if row.is_ambiguous else "dead")
    if row.is_ambiguous or message.author is not Author.BOT or not message.text or row.conversation_id is None:
        return
    ticket = tickets.open_of(connection, row.conversation_id)
    answered = transcript.newest(connection, row.conversation_id, {Author.CUSTOMER})
    if ticket is None or answered is None:
        return
    draft = Suggestion(
        id=new_suggestion_id(),
        message_id=answered,
        text=message.text,
        intent=None,
        confidence=None,
        state=SuggestionState.OFFERED,
        at=writer.now,
    )
    if suggestions.add(connection, ticket.id, draft):
        post = DeskPost(ticket_id=ticket.id, kind=DeskPostKind.SUGGESTION, message_id=draft.message_id)
        writer.post(connection, post, f"suggestion:{draft.id}")
