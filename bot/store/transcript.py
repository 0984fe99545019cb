"""The ledger of what was said in a conversation, by whom, and whether it arrived."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, bindparam, select, update

from bot.domain.conversations import ConversationId
from bot.domain.messages import Attachment, Author, DeliveryState, MessageId, TranscriptLine
from bot.store.codec import ATTACHMENTS, to_json
from bot.store.database import insert_once
from bot.store.schema import messages

# The statements of every turn are built once; what an update sets are the columns it is executed with.
_IS_MEANT = messages.c.id == bindparam("of_message")
_WHOLE = select(messages).where(_IS_MEANT)
_DELIVERY = select(messages.c.delivery).where(_IS_MEANT)
_CHANGING = update(messages).where(_IS_MEANT)
#: What may follow each delivery state: never an earlier one. A channel can take a message and fail to bring it, and
#: what failed can be sent again.
_NEXT: dict[DeliveryState, frozenset[DeliveryState]] = {
    DeliveryState.PENDING: frozenset(DeliveryState) - {DeliveryState.PENDING},
    DeliveryState.WITHHELD: frozenset({DeliveryState.SENT, DeliveryState.DELIVERED, DeliveryState.READ}),
    DeliveryState.FAILED: frozenset({DeliveryState.SENT, DeliveryState.DELIVERED, DeliveryState.READ}),
    DeliveryState.SENT: frozenset({DeliveryState.FAILED, DeliveryState.DELIVERED, DeliveryState.READ}),
    DeliveryState.DELIVERED: frozenset({DeliveryState.READ}),
    DeliveryState.READ: frozenset(),
}


def add(connection: Connection, conversation_id: ConversationId, line: TranscriptLine, external_id: str | None) -> None:
    """Append a line; one whose id is there already is left as it is."""
    values = {
        "id": line.id,
        "conversation_id": conversation_id,
        "author": line.author.value,
        "author_name": line.author_name,
        "text": line.text,
        "attachments": to_json(ATTACHMENTS, line.attachments),
        "choices": list(line.choices),
        "at": line.at,
        "external_id": external_id,
        "delivery": line.delivery.value if line.delivery else None,
        "delivery_detail": line.delivery_detail,
        "edited_from": line.edited_from,
    }
    insert_once(connection, messages, values)


def mark(connection: Connection, message_id: MessageId, delivery: DeliveryState, detail: str = "") -> bool:
    """Move one of our messages to a later delivery state; return whether that changed anything."""
    row = connection.execute(_DELIVERY, {"of_message": message_id}).one_or_none()
    if row is None or row.delivery is None or delivery not in _NEXT[DeliveryState(row.delivery)]:
        return False
    change = {"of_message": message_id, "delivery": delivery.value, "delivery_detail": detail}
    connection.execute(_CHANGING, change)
    return True


def set_attachments(connection: Connection, message_id: MessageId, attachments: tuple[Attachment, ...]) -> None:
    """Record where the files of a message are kept."""
    stored = to_json(ATTACHMENTS, attachments)
    connection.execute(update(messages).where(messages.c.id == message_id).values(attachments=stored))


def name_externally(connection: Connection, message_id: MessageId, external_id: str) -> None:
    """Record what the channel calls one of our messages, so that receipts find it."""
    connection.execute(_CHANGING, {"of_message": message_id, "external_id": external_id})


def find_external(connection: Connection, conversation_id: ConversationId, external_id: str) -> TranscriptLine | None:
    """Return the message of a conversation that the channel calls so, or none."""
    mine = (messages.c.conversation_id == conversation_id) & (messages.c.external_id == external_id)
    row = connection.execute(select(messages).where(mine).order_by(messages.c.position.desc()).limit(1)).first()
    return _line(row) if row else None


def get(connection: Connection, message_id: MessageId) -> TranscriptLine | None:
    """Return one line, or none."""
    row = connection.execute(_WHOLE, {"of_message": message_id}).one_or_none()
    return _line(row) if row else None


def last(connection: Connection, conversation_id: ConversationId, limit: int) -> list[TranscriptLine]:
    """Return the last lines of a conversation, oldest first."""
    query = (
        select(messages)
        .where(messages.c.conversation_id == conversation_id)
        .order_by(messages.c.position.desc())
        .limit(limit)
    )
    return [_line(row) for row in reversed(connection.execute(query).all())]


def _line(row: Row[Any]) -> TranscriptLine:
    return TranscriptLine(
        id=MessageId(row.id),
        author=Author(row.author),
        author_name=row.author_name,
        text=row.text,
        attachments=ATTACHMENTS.validate_python(row.attachments),
        choices=tuple(row.choices),
        at=row.at,
        delivery=DeliveryState(row.delivery) if row.delivery else None,
        delivery_detail=row.delivery_detail,
        edited_from=row.edited_from,
    )
