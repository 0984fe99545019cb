"""The ledger of what was said in a conversation, by whom, and whether it arrived."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, bindparam, func, literal_column, select, update

from bot.domain.conversations import ConversationId
from bot.domain.messages import Attachment, Author, DeliveryState, MediaId, MessageId, Revision, TranscriptLine
from bot.store import revisions
from bot.store.codec import ATTACHMENTS, to_json
from bot.store.database import insert_once
from bot.store.prepared import Prepared
from bot.store.schema import messages

# The statements of every turn are built once; what an update sets are the columns it is executed with.
_IS_MEANT = messages.c.id == bindparam("of_message")
_WHOLE = select(messages).where(_IS_MEANT)
_DELIVERY = Prepared(select(messages.c.delivery).where(_IS_MEANT))
_CHANGING = Prepared(update(messages).where(_IS_MEANT))
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
_UNSENT: list[ColumnElement[str]] = [
    literal_column(f"'{each.value}'") for each, later in _NEXT.items() if DeliveryState.SENT in later
]
_SENDING = Prepared(
    update(messages)
    .where(_IS_MEANT, messages.c.delivery.in_(_UNSENT))
    .values(
        delivery=DeliveryState.SENT.value,
        delivery_detail="",
        external_id=func.coalesce(bindparam("named", type_=messages.c.external_id.type), messages.c.external_id),
    )
    .returning(messages.c.author)
)


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
    row = _DELIVERY.one(connection, {"of_message": message_id})
    if row is None or row.delivery is None or delivery not in _NEXT[DeliveryState(row.delivery)]:
        return False
    _CHANGING.count(connection, {"of_message": message_id, "delivery": delivery.value, "delivery_detail": detail})
    return True


def sent(connection: Connection, message_id: MessageId, external_id: str) -> Author | None:
    """Record that the channel has one of our messages, and what it calls it; return who wrote it, or none.

    None stands for a message that had come that far before, as by a report that overtook the channel's answer.
    """
    row = _SENDING.one(connection, {"of_message": message_id, "named": external_id or None})
    if row is not None:
        return Author(row.author)
    if external_id:
        name_externally(connection, message_id, external_id)
    return None


def set_attachments(connection: Connection, message_id: MessageId, attachments: tuple[Attachment, ...]) -> None:
    """Record where the files of a message are kept."""
    stored = to_json(ATTACHMENTS, attachments)
    connection.execute(update(messages).where(messages.c.id == message_id).values(attachments=stored))


def forget_files(connection: Connection, conversation_id: ConversationId) -> list[MediaId]:
    """Leave of every file in a conversation only that there was one; return those that we keep."""
    mine = messages.c.conversation_id == conversation_id
    forgotten: list[MediaId] = []
    for row in connection.execute(select(messages.c.id, messages.c.attachments).where(mine)).all():
        files: tuple[Attachment, ...] = ATTACHMENTS.validate_python(row.attachments)
        if files:
            forgotten += [each.media_id for each in files if each.media_id is not None]
            set_attachments(connection, MessageId(row.id), tuple(Attachment(kind=each.kind) for each in files))
    return forgotten


def all_files(connection: Connection) -> set[MediaId]:
    """Return every file that is in some message."""
    lines = connection.execute(select(messages.c.attachments)).yield_per(1000)
    return {MediaId(str(each["media_id"])) for row in lines for each in row.attachments if each.get("media_id")}


def name_externally(connection: Connection, message_id: MessageId, external_id: str) -> None:
    """Record what the channel calls one of our messages, so that receipts find it."""
    _CHANGING.count(connection, {"of_message": message_id, "external_id": external_id})


def add_part(connection: Connection, message_id: MessageId, external_id: str) -> None:
    """Record what the channel calls a piece of one of our messages that is not its last."""
    known = connection.scalar(select(messages.c.parts).where(_IS_MEANT), {"of_message": message_id})
    _CHANGING.count(connection, {"of_message": message_id, "parts": [*(known or ()), external_id]})


def append_piece(connection: Connection, message_id: MessageId, external_id: str) -> None:
    """Record what the channel calls a piece by which one of our messages, all of which it has, got longer."""
    known = pieces(connection, message_id)
    _CHANGING.count(connection, {"of_message": message_id, "parts": list(known), "external_id": external_id})


def keep_pieces(connection: Connection, message_id: MessageId, count: int) -> None:
    """Forget the pieces of one of our messages beyond the first `count`, at least one: the channel has them no more."""
    *parts, last = pieces(connection, message_id)[:count]
    _CHANGING.count(connection, {"of_message": message_id, "parts": parts, "external_id": last})


def pieces(connection: Connection, message_id: MessageId) -> tuple[str, ...]:
    """Return what the channel calls the pieces of one of our messages, in order; empty when none was sent."""
    query = select(messages.c.parts, messages.c.external_id).where(_IS_MEANT)
    row = connection.execute(query, {"of_message": message_id}).one_or_none()
    return (*(row.parts or ()), row.external_id) if row and row.external_id else ()


def find_external(connection: Connection, conversation_id: ConversationId, external_id: str) -> TranscriptLine | None:
    """Return the message of a conversation that the channel calls so, or none."""
    mine = (messages.c.conversation_id == conversation_id) & (messages.c.external_id == external_id)
    row = connection.execute(select(messages).where(mine).order_by(messages.c.position.desc()).limit(1)).first()
    return _line(row, {}) if row else None


def find_first(connection: Connection, conversation_id: ConversationId, external_id: str) -> TranscriptLine | None:
    """Return what the customer first wrote under that id of the channel's, before any edit, or none."""
    mine = (messages.c.conversation_id == conversation_id) & (messages.c.external_id == external_id)
    row = connection.execute(select(messages).where(mine).order_by(messages.c.position).limit(1)).first()
    return _line(row, {}) if row else None


def is_answered(connection: Connection, conversation_id: ConversationId, message_id: MessageId) -> bool:
    """Whether an agent has written since a line of the conversation."""
    since = select(messages.c.position).where(messages.c.id == message_id).scalar_subquery()
    later = select(messages.c.id).where(
        messages.c.conversation_id == conversation_id,
        messages.c.author == Author.AGENT.value,
        messages.c.position > since,
    )
    return connection.execute(later.limit(1)).first() is not None


def after(connection: Connection, conversation_id: ConversationId, message_id: MessageId) -> list[TranscriptLine]:
    """Return the lines of a conversation that follow one of it, oldest first; none follow a line it does not have."""
    since = select(messages.c.position).where(
        messages.c.id == message_id, messages.c.conversation_id == conversation_id
    )
    mine = (messages.c.conversation_id == conversation_id) & (messages.c.position > since.scalar_subquery())
    return [_line(row, {}) for row in connection.execute(select(messages).where(mine).order_by(messages.c.position))]


def since(
    connection: Connection, conversation_id: ConversationId, moment: datetime, limit: int
) -> list[TranscriptLine]:
    """Return the newest lines of a conversation that were said at that moment or later, oldest first."""
    mine = (messages.c.conversation_id == conversation_id) & (messages.c.at >= moment)
    query = select(messages).where(mine).order_by(messages.c.position.desc()).limit(limit)
    return [_line(row, {}) for row in reversed(connection.execute(query).all())]


def belongs(connection: Connection, conversation_id: ConversationId, message_id: MessageId) -> bool:
    """Whether a line is one of the conversation."""
    mine = (messages.c.id == message_id) & (messages.c.conversation_id == conversation_id)
    return connection.execute(select(messages.c.id).where(mine)).first() is not None


def newest(connection: Connection, conversation_id: ConversationId, authors: Collection[Author]) -> MessageId | None:
    """Return the newest line of a conversation that one of `authors` wrote, or none."""
    mine = (messages.c.conversation_id == conversation_id) & messages.c.author.in_([each.value for each in authors])
    found = connection.scalar(select(messages.c.id).where(mine).order_by(messages.c.position.desc()).limit(1))
    return MessageId(found) if found else None


def get(connection: Connection, message_id: MessageId) -> TranscriptLine | None:
    """Return one line, or none."""
    row = connection.execute(_WHOLE, {"of_message": message_id}).one_or_none()
    return _line(row, revisions.of(connection, [message_id])) if row else None


def last(connection: Connection, conversation_id: ConversationId, limit: int) -> list[TranscriptLine]:
    """Return the last lines of a conversation, oldest first."""
    query = (
        select(messages)
        .where(messages.c.conversation_id == conversation_id)
        .order_by(messages.c.position.desc())
        .limit(limit)
    )
    rows = connection.execute(query).all()
    changes = revisions.of(connection, [MessageId(row.id) for row in rows])
    return [_line(row, changes) for row in reversed(rows)]


def _line(row: Row[Any], changes: Mapping[MessageId, tuple[Revision, ...]]) -> TranscriptLine:
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
        revisions=changes.get(MessageId(row.id), ()),
    )
