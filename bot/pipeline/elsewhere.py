"""What happens on the channel itself: customers change and take back what they wrote, people of the brand answer there.

All functions are transaction bodies.
"""

from __future__ import annotations

from sqlalchemy import Connection

from bot.domain.channels import ChannelAddress
from bot.domain.conversations import Conversation, Owner
from bot.domain.handoff import HandoffRequest, Reason
from bot.domain.messages import Author, Echo, InboundMessage, MediaId, Reaction, Revision, RevisionState, Withdrawal
from bot.domain.tickets import Agent, Ticket, TicketEvent, TicketState
from bot.pipeline import notices, promises
from bot.pipeline.handing_off import hand_off
from bot.pipeline.outgoing import Writer
from bot.store import conversations, erasing, inbox, revisions, tickets, transcript
from bot.store.codec import ECHO, INBOUND, REACTION, WITHDRAWAL
from bot.store.inbox import InboxRow


def show_edit(connection: Connection, writer: Writer, ticket: Ticket, row: InboxRow) -> None:
    """Point the agent to a message that its writer changed after it had been answered."""
    message: InboundMessage = INBOUND.validate_python(row.body)
    first = transcript.find_first(connection, ticket.conversation_id, message.edits) if message.edits else None
    if first is None:
        return
    changes = revisions.of(connection, [first.id]).get(first.id, ())
    if changes and changes[-1].detail:
        text = notices.edited_late(first.text, message.text)
        writer.post_notice(connection, ticket.id, text, f"edited:{row.message_id}")


def withdrawn_files(connection: Connection, row: InboxRow) -> list[MediaId]:
    """Return the files of a message that was taken back, where our copies have to go too."""
    withdrawal: Withdrawal = WITHDRAWAL.validate_python(row.body)
    conversation = conversations.find_by_address(connection, withdrawal.address) if withdrawal.is_erasure else None
    return erasing.files_of(connection, conversation.id, withdrawal.of_external_id) if conversation else []


def record_withdrawal(connection: Connection, writer: Writer, row: InboxRow) -> None:
    """A customer took a message back; finishes the row.

    The ledger and the agent keep what it was, unless the channel's rules want it gone: then that it was there.
    """
    withdrawal: Withdrawal = WITHDRAWAL.validate_python(row.body)
    conversation = conversations.find_by_address(connection, withdrawal.address)
    line = transcript.find_first(connection, conversation.id, withdrawal.of_external_id) if conversation else None
    if conversation is not None and line is not None and line.author is Author.CUSTOMER:
        gone = Revision(at=writer.now, author=Author.CUSTOMER, text=None, state=RevisionState.SENT)
        revisions.add(connection, line.id, gone, f"withdrawn:{row.message_id}")
        ticket = tickets.open_of(connection, conversation.id)
        if ticket is not None:
            text = "" if withdrawal.is_erasure else line.text
            writer.post_notice(connection, ticket.id, notices.taken_back(text), f"withdrawn:{row.message_id}")
            writer.post_card(connection, ticket.id)
        if withdrawal.is_erasure:
            erasing.erase_message(connection, conversation.id, withdrawal.of_external_id)
    inbox.finish(connection, row.lease, writer.now)


def record_reaction(connection: Connection, writer: Writer, row: InboxRow) -> None:
    """A customer put a sign to a message: agents who have a ticket of theirs are shown it; finishes the row."""
    reaction: Reaction = REACTION.validate_python(row.body)
    conversation = conversations.find_by_address(connection, reaction.address)
    ticket = tickets.open_of(connection, conversation.id) if conversation else None
    if conversation is not None and ticket is not None and reaction.emoji:
        line = transcript.find_external(connection, conversation.id, reaction.of_external_id)
        text = notices.reacted(reaction.emoji, line.text if line else "")
        writer.post_notice(connection, ticket.id, text, f"reaction:{row.message_id}")
    inbox.finish(connection, row.lease, writer.now)


def record_echo(connection: Connection, writer: Writer, row: InboxRow) -> None:
    """A person of the brand answered on the channel: the ticket is theirs unless an agent has it; finishes the row.

    The bot is silent since the answer was received; the customer is told nothing, as they see who answers.
    """
    echo: Echo = ECHO.validate_python(row.body)
    found = conversations.find_by_address(connection, ChannelAddress.parse(row.address))
    if found is not None and transcript.belongs(connection, found.id, row.message_id):
        conversation = conversations.lock(connection, found.id)
        ticket = tickets.open_of(connection, conversation.id)
        if ticket is None or ticket.state is TicketState.QUEUED:
            ticket = _take(connection, writer, conversation, echo)
        promises.agent_replied(connection, writer, ticket)
        writer.post_line(connection, ticket.id, row.message_id)
        writer.post_card(connection, ticket.id)
    inbox.finish(connection, row.lease, writer.now)


def _take(connection: Connection, writer: Writer, conversation: Conversation, echo: Echo) -> Ticket:
    request = HandoffRequest(
        reason=Reason.OTHER, topic="answered on the channel", summary="A colleague answered on the channel itself."
    )
    conversation, ticket = hand_off(connection, writer, conversation, request)
    conversations.give_to(connection, conversation, Owner.AGENT)
    agent = Agent.elsewhere(str(conversation.address.channel), str(conversation.address.account), echo.author_name)
    claimed = {"agent_id": agent.id, "agent_name": agent.name, "claimed_at": writer.now}
    ticket = tickets.change(connection, ticket.id, state=TicketState.CLAIMED.value, **claimed)
    event = TicketEvent(at=writer.now, kind="answered_on_channel", agent=agent, detail=echo.text)
    tickets.log(connection, ticket.id, event)
    promises.ticket_claimed(connection, writer, ticket)
    return ticket


def keep_edit(connection: Connection, conversation: Conversation, message: InboundMessage, key: str) -> None:
    """Put a customer's change of a message into the ledger of the message, with whether it had been answered."""
    first = transcript.find_first(connection, conversation.id, message.edits) if message.edits else None
    if first is not None:
        late = notices.EDITED_LATE if transcript.is_answered(connection, conversation.id, first.id) else ""
        changed = Revision(
            at=conversation.last_inbound_at,
            author=Author.CUSTOMER,
            text=message.text,
            state=RevisionState.SENT,
            detail=late,
        )
        revisions.add(connection, first.id, changed, f"edit:{key}")


def silence_bot(connection: Connection, conversation: Conversation) -> None:
    """Make people the owner of a conversation from this commit on: one of them has just answered."""
    locked = conversations.lock(connection, conversation.id)
    if locked.owner is not Owner.AGENT:
        conversations.give_to(connection, locked, Owner.AGENT)
