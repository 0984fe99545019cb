"""The way from a public thread into private: being asked, and what happens when somebody brings an invitation's token.

A token joins two conversations for people to see. Whoever reads the thread can use it, so it proves nothing.
All functions are transaction bodies.
"""

from __future__ import annotations

import re
from datetime import datetime

import structlog
from sqlalchemy import Connection

from bot import metrics
from bot.domain.connectors import Sent
from bot.domain.conversations import Conversation, ConversationId, Owner
from bot.domain.handoff import HandoffRequest, Reason
from bot.domain.invitations import Brought, Joining
from bot.domain.messages import Author, DeliveryState, InboundMessage, OutboundMessage
from bot.domain.tickets import Ticket, TicketState
from bot.domain.triage import Kind, bare
from bot.pipeline import bursts, notices, phrases
from bot.pipeline.effects import record_sent
from bot.pipeline.handing_off import hand_off
from bot.pipeline.outgoing import Writer
from bot.pipeline.overdue import give
from bot.pipeline.public import invite
from bot.pipeline.waiting import outlook
from bot.store import conversations, invitations, outbox, tickets, transcript, triages
from bot.store.inbox import InboxRow
from bot.store.lanes import Ending
from bot.store.outbox import OutboxRow

log = structlog.get_logger()

#: Characters of the public message that the customer is reminded of.
_QUOTED_MAX = 200
#: What people write around a code that says nothing.
_LEAD_IN = re.compile(
    r"(?:(?:hi|hello|hey|there|this|that|here|is|it|s|i|ve|have|followed|my|the|your|a|code|token|invitation|for|you|please|"
    r"thanks|get|started|start)\b|\W)*",
    re.IGNORECASE,
)
_TOLD = {
    Joining.USED: phrases.INVITATION_USED,
    Joining.EXPIRED: phrases.INVITATION_EXPIRED,
    Joining.UNKNOWN: phrases.INVITATION_UNKNOWN,
    Joining.BARRED: phrases.INVITATION_BARRED,
}


def join(connection: Connection, writer: Writer, row: InboxRow, before: Conversation, brought: Brought) -> str:
    """Use a token, and return the words to go on with; empty, and the row is finished, where nothing is left to do.

    Of a conversation that an agent has, the row is never finished. Done again for the same row, it does the same.
    Raises `OwnerChangedError`.
    """
    conversation = conversations.lock_at(connection, before.id, before.epoch)
    used = invitations.use(connection, brought.token, conversation.id, conversation.address, writer.now)
    metrics.JOININGS.labels(used.joining.value).inc()
    log.info("invitation_came_back", conversation=conversation.id, result=used.joining)
    words = "" if _LEAD_IN.fullmatch(brought.rest) else brought.rest
    is_told = conversation.owner is not Owner.AGENT
    if used.public_id is not None:
        asked = _welcome(connection, writer, row, conversation, used.public_id) if is_told else words
        words = "" if asked is None else words or asked
        _show(connection, writer, conversation, used.public_id)
    elif is_told:
        _say(
            connection,
            writer,
            conversation,
            phrases.told(_TOLD[used.joining], conversation.language),
            f"{row.message_id}:invitation",
        )
    if is_told and not words:
        bursts.finish(connection, row, writer.now)
    return words


def expected(connection: Connection, message: InboundMessage, now: datetime) -> Brought | None:
    """Return what a message brings whose writer was asked in private to write there; none: they were not."""
    token = invitations.expected(connection, message.address, now)
    return Brought(token=token, rest=message.text.strip()) if token is not None else None


def record_asked(connection: Connection, writer: Writer, row: OutboxRow, message: OutboundMessage, sent: Sent) -> None:
    """Somebody was asked in private, as an answer to what they said in public: whoever writes from there is them."""
    record_sent(connection, writer, row, sent.external_id)
    if sent.reached is not None:
        invitations.expect(connection, message.invitation, sent.reached)
    ticket = tickets.open_of(connection, row.conversation_id) if row.conversation_id else None
    if ticket is not None:
        writer.post_notice(connection, ticket.id, notices.ASKED_PRIVATELY, f"asked:{row.key}")


def ask_in_public(
    connection: Connection, writer: Writer, row: OutboxRow, message: OutboundMessage, reason: str
) -> None:
    """Ask where everybody reads it, as the channel does not let us ask in private; not if an agent has come since."""
    outbox.finish(connection, row.lease, Ending(state="withheld", at=writer.now, error=reason))
    invitations.drop(connection, message.invitation)
    if row.message_id is not None:
        transcript.mark(connection, row.message_id, DeliveryState.WITHHELD, reason)
    if row.conversation_id is None:
        return
    conversation = conversations.lock(connection, row.conversation_id)
    ticket = tickets.open_of(connection, conversation.id)
    if conversation.epoch == row.epoch:
        said = invite(connection, writer, conversation, f"{row.key}:public", in_private=False)
        if ticket is not None and said is not None:
            writer.post_line(connection, ticket.id, said)
    if ticket is not None:
        writer.post_notice(connection, ticket.id, notices.not_asked_privately(reason), f"asked:{row.key}")


def _show(connection: Connection, writer: Writer, private: Conversation, public_id: ConversationId) -> None:
    """Say on the tickets of both conversations where the other one is."""
    public = conversations.get(connection, public_id)
    there, here = tickets.last_of(connection, public_id), tickets.open_of(connection, private.id)
    key = f"joined:{public_id}:{private.id}"
    if there is not None:
        said = notices.came_to_private(private.address.channel, here.number if here else None)
        writer.post_notice(connection, there.id, said, key)
        writer.post_card(connection, there.id)
    if here is not None:
        said = notices.came_from_public(public.address.channel, _last_words(connection, public_id))
        writer.post_notice(connection, here.id, said, f"{key}:here")
        writer.post_card(connection, here.id)


def _welcome(
    connection: Connection, writer: Writer, row: InboxRow, conversation: Conversation, public_id: ConversationId
) -> str | None:
    """Greet somebody who came from public, and return the question of theirs that the bot is to answer, maybe empty.

    None: it goes on with the people who have it, or whom it is for.
    """
    asked = _last_words(connection, public_id)
    quoted = phrases.told(phrases.JOINED, conversation.language).format(quoted=asked[:_QUOTED_MAX])
    ticket, kind = tickets.open_of(connection, public_id), triages.last_kind(connection, public_id)
    is_new = tickets.open_of(connection, conversation.id) is None
    if ticket is None or not is_new or not _is_for_people(ticket, kind):
        _say(connection, writer, conversation, quoted, f"{row.message_id}:invitation")
        return bare(asked) if kind is Kind.QUESTION else ""
    conversation, own = hand_off(connection, writer, conversation, _request(ticket))
    if ticket.agent is not None and ticket.state is TicketState.CLAIMED and not ticket.agent.is_elsewhere:
        give(connection, writer, own, ticket.agent)
        conversation = conversations.get(connection, conversation.id)
        text = f"{quoted} {phrases.told(phrases.JOINED_PEOPLE, conversation.language)}"
    else:
        place = tickets.place_in_queue(connection, own) or 1
        waits = phrases.place_in_queue(place, outlook(connection, writer, own), conversation.language)
        text = f"{quoted} {waits}"
    _say(connection, writer, conversation, text, f"{row.message_id}:invitation")
    return None


def _is_for_people(ticket: Ticket, kind: Kind | None) -> bool:
    """Whether the bot should not try first: somebody has the matter, or it is a complaint."""
    return ticket.state is TicketState.CLAIMED or ticket.request.reason is Reason.ANGER or kind is Kind.COMPLAINT


def _request(ticket: Ticket) -> HandoffRequest:
    return HandoffRequest(
        reason=ticket.request.reason,
        topic=ticket.request.topic,
        summary=f"Followed the invitation from public ticket {ticket.number}; who it is, is not proved.",
        tried=ticket.request.tried,
    )


def _last_words(connection: Connection, conversation_id: ConversationId) -> str:
    """Return what the customer wrote last in a conversation."""
    newest = transcript.newest(connection, conversation_id, {Author.CUSTOMER})
    line = transcript.get(connection, newest) if newest is not None else None
    return line.text if line is not None else ""


def _say(connection: Connection, writer: Writer, conversation: Conversation, text: str, key: str) -> None:
    writer.say(connection, conversation, OutboundMessage(author=Author.SYSTEM, text=text), key)
