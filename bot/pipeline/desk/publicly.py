"""What agents do where everybody reads it: they are asked first, and can ask the customer to go on in private.

All functions but `PublicReplies.check` are transaction bodies.
"""

from __future__ import annotations

from sqlalchemy import Connection

from bot.domain.acts import Act, Amend, InviteToPrivate, Reply
from bot.domain.conversations import ConversationId
from bot.domain.customers import CustomerId, CustomerRecord
from bot.domain.desk import Done
from bot.domain.errors import DeskError, DirectoryUnavailableError, PublicReplyError
from bot.domain.exposure import exposed
from bot.domain.invitations import Joined
from bot.domain.messages import Author
from bot.domain.ports import CustomerDirectory
from bot.domain.public import PublicRules, pick
from bot.domain.tickets import TicketId
from bot.pipeline.desk.handling import Doing, Handlers, require_mine
from bot.pipeline.public import invite
from bot.store import conversations, invitations, links, tickets, transcript
from bot.store.database import Database

#: Lines of a joined conversation that agents are shown.
LINES_MAX = 3
WARNING = "PUBLIC: everybody will read it."
NO_PROOF = "Everybody reads this thread, so nobody can prove anything here: invite them to write in private."
NO_HAND_BACK = (
    "In public the bot answers with approved texts only and goes on with nothing: resolve the ticket instead."
)
NO_INVITATION = (
    "There is no way to ask them to write in private: connect a private channel and approve a text for it, see "
    "docs/public-messages.md."
)


class PublicReplies:
    """Looks at what agents are about to write, before it is written down."""

    def __init__(self, database: Database, directory: CustomerDirectory, public: PublicRules) -> None:
        """Know who is meant from `database` and `directory`, and what is public from `public`."""
        self._database = database
        self._directory = directory
        self._public = public

    async def check(self, ticket_id: TicketId, act: Act) -> None:
        """Raise `PublicReplyError` for what everybody would read and its agent was not asked about."""
        if not isinstance(act, Reply | Amend) or not act.text:
            return
        found = await self.exposed(ticket_id, act.text)
        if found is not None and (not act.is_known_public or set(found) - set(act.exposes)):
            raise PublicReplyError(_warning(found), exposed=found)

    async def exposed(self, ticket_id: TicketId, text: str) -> tuple[str, ...] | None:
        """Return what of somebody's alone a text tells everybody; none: the ticket's conversation is private."""
        if not self._public.doorways:
            return None
        who = await self._database.read(_who, ticket_id, self._public)
        if who is None:
            return None
        return exposed(text, [await self._record(each) for each in who], self._directory.order_numbers)

    async def _record(self, customer_id: CustomerId) -> CustomerRecord | None:
        try:
            return await self._directory.record(customer_id)
        except DirectoryUnavailableError:
            return None


def _warning(found: tuple[str, ...]) -> str:
    if not found:
        return f"Not sent yet. {WARNING}"
    return f"Not sent yet. {WARNING} It tells them what may be somebody's alone: {', '.join(found)}"


def _who(connection: Connection, ticket_id: TicketId, public: PublicRules) -> list[CustomerId] | None:
    """Return whose records a public ticket, and what was joined to it, are about; none: it is not public."""
    ticket = tickets.get(connection, ticket_id)
    conversation = conversations.get(connection, ticket.conversation_id) if ticket is not None else None
    if conversation is None or not public.covers(conversation.address):
        return None
    found: list[CustomerId] = []
    joined = [link.conversation_id for link in invitations.joined_to(connection, conversation.id)]
    for each in (conversation.id, *joined):
        link = links.live(connection, conversations.get(connection, each).address)
        known = conversations.read_assurance(connection, each).customer_id
        found += [customer_id for customer_id in (known, link.customer_id if link else None) if customer_id]
    return list(dict.fromkeys(found))


def require_known(doing: Doing, *, is_known_public: bool) -> None:
    """Raise `PublicReplyError` when everybody would read it and the agent was not shown that."""
    if is_public(doing) and not is_known_public:
        raise PublicReplyError(_warning(()))


def require_private(doing: Doing, otherwise: str) -> None:
    """Raise `DeskError` with `otherwise` when everybody reads the conversation."""
    if is_public(doing):
        raise DeskError(otherwise)


def is_public(doing: Doing) -> bool:
    """Whether everybody reads the ticket's conversation."""
    return doing.writer.rules.public.covers(doing.conversation.address)


def close_publicly(doing: Doing, *, is_told: bool) -> None:
    """Say in a public thread, with an approved text, that it was looked after, if the agent wants that."""
    closings = doing.writer.rules.public.texts.spoken(doing.conversation.language).closings
    if is_told and closings:
        doing.tell(pick(closings, doing.ticket.id).template)


def invite_to_private(doing: Doing, _: InviteToPrivate) -> Done:
    """Ask the customer of a public thread to go on in private; whose ticket it is stays as it is."""
    require_mine(doing)
    said = None
    if is_public(doing):
        said = invite(doing.connection, doing.writer, doing.conversation, f"{doing.key}:invited")
    if said is None:
        raise DeskError(NO_INVITATION if is_public(doing) else "This conversation is private already.")
    doing = doing.change()
    doing.writer.post_line(doing.connection, doing.ticket.id, said)
    doing.show()
    return doing.done()


def read_joined(connection: Connection, conversation_id: ConversationId, public: PublicRules) -> tuple[Joined, ...]:
    """Return the conversations that invitations joined to one, as agents see them, the newest first."""
    found = []
    for link in invitations.joined_to(connection, conversation_id):
        other = conversations.get(connection, link.conversation_id)
        ticket = tickets.last_of(connection, other.id)
        said = [
            line for line in transcript.last(connection, other.id, 2 * LINES_MAX) if line.author is not Author.SYSTEM
        ]
        found.append(
            Joined(
                conversation_id=other.id,
                address=other.address,
                is_public=public.covers(other.address),
                at=link.at,
                ticket_number=ticket.number if ticket else None,
                transcript=tuple(said[-LINES_MAX:]),
            )
        )
    return tuple(found)


HANDLERS: Handlers = {InviteToPrivate: invite_to_private}
