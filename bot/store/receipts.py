"""Which of our messages a channel speaks of, in receipts and echoes. All functions are transaction bodies."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, select, update

from bot.domain.channels import ChannelAddress
from bot.domain.conversations import ConversationId
from bot.domain.messages import Author, DeliveryState, Echo, MessageId, Receipt, ReceiptKind, TranscriptLine
from bot.store import conversations, transcript
from bot.store.schema import conversations as conversations_table
from bot.store.schema import messages, outbox

#: One of our messages, and the conversation it belongs to.
Meant = tuple[ConversationId, TranscriptLine]
#: Of our last messages in a conversation, those that may have been cut.
_LOOKED_BACK = 100
_ARRIVING = (DeliveryState.SENT.value, DeliveryState.DELIVERED.value)


def meant(connection: Connection, receipt: Receipt) -> list[Meant]:
    """Return the messages that a receipt speaks of: by the channel's id, by a moment, or by the key of our call.

    The key finds a message whose id the channel has not told us yet: its report can overtake its answer.
    """
    conversation = conversations.find_by_address(connection, receipt.address)
    if conversation is not None and receipt.up_to is not None:
        lines = _sent_until(connection, conversation.id, receipt.up_to)
        return [(conversation.id, line) for line in lines]
    if conversation is not None and receipt.of_external_id:
        line = transcript.find_external(connection, conversation.id, receipt.of_external_id)
        if line is not None:
            return [(conversation.id, line)]
    return _by_key(connection, receipt) if receipt.of_key else []


def _sent_until(connection: Connection, conversation_id: ConversationId, moment: datetime) -> list[TranscriptLine]:
    mine = select(messages.c.id).where(
        messages.c.conversation_id == conversation_id,
        messages.c.delivery.in_(_ARRIVING),
        messages.c.at <= moment,
    )
    found = connection.scalars(mine.order_by(messages.c.position)).all()
    return [line for each in found if (line := transcript.get(connection, MessageId(each))) is not None]


def _by_key(connection: Connection, receipt: Receipt) -> list[Meant]:
    # The pipeline's calls carry the row's key and the number of the piece.
    key, _, index = receipt.of_key.rpartition(":")
    sent = (
        select(outbox, messages.c.id.label("sent_id"), messages.c.parts, messages.c.external_id)
        .select_from(outbox.join(messages, messages.c.id == outbox.c.message_id))
        .where(outbox.c.key == key)
    )
    row = connection.execute(sent).one_or_none()
    if row is None or not _is_same_account(ChannelAddress.parse(row.address), receipt.address):
        return []
    if receipt.kind is not ReceiptKind.FAILED and row.state == "pending" and index == str(row.progress):
        # We were told to try again, and it had arrived all the same: go on behind it.
        done = update(outbox).where(outbox.c.id == row.id, outbox.c.state == "pending")
        connection.execute(done.values(progress=row.progress + 1, is_ambiguous=False))
    is_whole = index == "0" and not row.parts
    if not is_whole and receipt.kind is not ReceiptKind.FAILED:
        return []
    if is_whole and row.external_id is None and receipt.of_external_id:
        transcript.name_externally(connection, MessageId(row.sent_id), receipt.of_external_id)
    line = transcript.get(connection, MessageId(row.sent_id))
    return [(ConversationId(row.conversation_id), line)] if line is not None else []


def _is_same_account(one: ChannelAddress, other: ChannelAddress) -> bool:
    return (one.channel, one.account) == (other.channel, other.account)


def is_ours(connection: Connection, echo: Echo) -> bool:
    """Whether what a channel tells of was sent by us: it has told us the id, or a call of ours is just on its way.

    Some channels repeat everything that is sent for the brand, and say of nothing by whom.
    """
    if _asked_privately(connection, echo):
        return True
    conversation = conversations.find_by_address(connection, echo.address)
    if conversation is None:
        return False
    if transcript.find_external(connection, conversation.id, echo.external_id) is not None:
        return True
    cut = select(messages.c.parts).where(
        messages.c.conversation_id == conversation.id, messages.c.author != Author.CUSTOMER.value
    )
    for parts in connection.scalars(cut.order_by(messages.c.position.desc()).limit(_LOOKED_BACK)):
        if parts and echo.external_id in parts:
            return True
    leaving = select(outbox.c.body).where(
        outbox.c.address == str(echo.address), outbox.c.state == "claimed", outbox.c.kind == "message"
    )
    return any(_says(body, echo.text) for body in connection.scalars(leaving))


def _asked_privately(connection: Connection, echo: Echo) -> bool:
    """Whether it is what we asked in private about something public, whose conversation is the one that knows it."""
    told = (
        select(conversations_table.c.address)
        .join(messages, messages.c.conversation_id == conversations_table.c.id)
        .where(messages.c.external_id == echo.external_id, messages.c.author != Author.CUSTOMER.value)
    )
    if any(_is_public_side(address, echo) for address in connection.scalars(told)):
        return True
    asking = select(outbox.c.address, outbox.c.body).where(outbox.c.state == "claimed", outbox.c.kind == "message")
    return any(
        row.body.get("invitation") and _is_public_side(row.address, echo) and _says(row.body, echo.text)
        for row in connection.execute(asking)
    )


def _is_public_side(address: str, echo: Echo) -> bool:
    public = ChannelAddress.parse(address)
    return public.account == echo.address.account and public.channel.startswith(f"{echo.address.channel}-")


def _says(body: dict[str, object], text: str) -> bool:
    """Whether a message that leaves may show this text; choices and files are shown in the channel's own words."""
    return (
        not text
        or bool(body["choices"] or body["attachments"])
        or " ".join(text.split()) in " ".join(str(body["text"]).split())
    )
