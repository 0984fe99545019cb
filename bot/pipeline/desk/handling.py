"""What every act is done with: the locked ticket, who does it, and what all acts check and write alike.

All functions are transaction bodies.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection

from bot.domain.conversations import Conversation, Owner
from bot.domain.desk import DeskPost, DeskPostKind, Done
from bot.domain.errors import DeskError
from bot.domain.messages import Author, MessageId, OutboundMessage
from bot.domain.tickets import Agent, Ticket, TicketState
from bot.pipeline.outgoing import Writer
from bot.store import conversations, tickets


@dataclass(frozen=True, kw_only=True)
class Doing:
    """An act in the middle of its transaction; what changes the ticket or its owner returns the next one."""

    connection: Connection
    writer: Writer
    #: as it is once its conversation is locked
    ticket: Ticket
    conversation: Conversation
    agent: Agent
    #: of the act; what is written under it is written once
    key: str
    #: how long it can be taken back; what it tells is held back as long
    undo_for: timedelta = timedelta()

    def change(self, **values: object) -> Doing:
        """Write columns of the ticket."""
        return replace(self, ticket=tickets.change(self.connection, self.ticket.id, **values))

    def give_to(self, owner: Owner) -> Doing:
        """Make `owner` the owner of the conversation: what bot and pipeline decided before is not sent any more."""
        conversations.give_to(self.connection, self.conversation, owner)
        return replace(self, conversation=conversations.get(self.connection, self.conversation.id))

    def tell(self, text: str) -> None:
        """Tell the customer, once for this act and owner, what has become of their conversation."""
        message = OutboundMessage(author=Author.SYSTEM, text=text)
        self.writer.say(self.connection, self.conversation, message, f"{self.key}:told")

    def post(self, post: DeskPost, name: str) -> None:
        """Show something on the desk, once for this act under that name."""
        self.writer.post(self.connection, post, f"{self.key}:{name}")

    def notice(self, text: str, called: tuple[str, ...] = ()) -> None:
        """Show a remark in the ticket's thread; `called`, by the desk's ids, are asked to look."""
        self.post(DeskPost(ticket_id=self.ticket.id, kind=DeskPostKind.NOTICE, text=text, mentions=called), "notice")

    def show(self) -> None:
        """Show the ticket's card as it is now."""
        self.writer.post_card(self.connection, self.ticket.id)

    def done(self, *, message_id: MessageId | None = None, remark: str = "") -> Done:
        """Return what came of it."""
        return Done(ticket=self.ticket, message_id=message_id, remark=remark)


#: Does one kind of act, and returns what came of it; raises `DeskError` when it cannot be done.
Handler = Callable[[Doing, Any], Done]
#: By the type of the act.
Handlers = Mapping[type, Handler]


def require_open(doing: Doing) -> None:
    """Raise `DeskError` when nothing is left to do on the ticket."""
    if not doing.ticket.state.is_open:
        raise DeskError(f"Ticket {doing.ticket.number} is closed.")


def require_mine(doing: Doing) -> None:
    """Raise `DeskError` when the ticket is closed or somebody else's; one that waits in the queue is anybody's."""
    require_open(doing)
    owner = doing.ticket.agent
    is_had = doing.ticket.state is TicketState.CLAIMED
    # In the queue again, a ticket still names whose it was.
    if is_had and owner is not None and owner.id != doing.agent.id and not owner.is_elsewhere:
        raise DeskError(f"{owner.name} has claimed ticket {doing.ticket.number}.")


def require_text(text: str, otherwise: str) -> str:
    """Return the text without blanks around it; raise `DeskError` with `otherwise` when nothing is left."""
    if not text.strip():
        raise DeskError(otherwise)
    return text.strip()
