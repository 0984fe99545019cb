"""Where a conversation stands when a message of it is taken up."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from bot.dialogue.memory import recall
from bot.dialogue.wire import TurnRequest
from bot.domain.channels import ChannelAddress
from bot.domain.conversations import Conversation, Owner
from bot.domain.messages import InboundMessage, Meaning
from bot.domain.tickets import Ticket
from bot.pipeline.aftercare import read_aftercare
from bot.store import choices, conversations, tickets, turns
from bot.store.inbox import InboxRow
from bot.store.turns import History


@dataclass(frozen=True, kw_only=True)
class Situation:
    """All that is decided from, read at one moment."""

    conversation: Conversation
    history: History
    #: the open ticket
    ticket: Ticket | None
    place_in_queue: int | None
    #: what the tapped choice stands for
    meaning: Meaning | None
    #: what the message says to the pipeline's own questions after a ticket
    aftercare: Meaning | None

    def request(self, row: InboxRow, text: str, meaning: Meaning | None, owner: Owner) -> TurnRequest:
        """Return what to ask the engine about a message, as if `owner` had the conversation."""
        says_words = meaning is not None and bool(meaning.words)
        return TurnRequest(
            conversation_id=self.conversation.id,
            message_id=row.message_id,
            channel=self.conversation.address.channel,
            text=meaning.words if meaning and says_words else text,
            meaning=None if says_words else meaning,
            events=recall(self.history.state_before, self.history.turns),
            metadata={
                "owner": owner.value,
                "place_in_queue": self.place_in_queue,
                "said_at": row.received_at.isoformat(),
            },
        )


def read_situation(connection: Connection, address: ChannelAddress, message: InboundMessage | None) -> Situation:
    """Return the situation; raises `LookupError` for an address that nobody has written from."""
    conversation = conversations.find_by_address(connection, address)
    if conversation is None:
        raise LookupError(f"no conversation at {address}")
    last = tickets.last_of(connection, conversation.id)
    ticket = last if last is not None and last.state.is_open else None
    choice = message.choice if message else None
    chosen = choices.meaning_of(connection, conversation.id, choice) if choice else None
    meaning = chosen[1] if chosen else None
    return Situation(
        conversation=conversation,
        history=turns.history(connection, conversation.id),
        ticket=ticket,
        place_in_queue=tickets.place_in_queue(connection, ticket) if ticket else None,
        meaning=meaning,
        aftercare=read_aftercare(connection, last, message.text, meaning) if message else None,
    )
