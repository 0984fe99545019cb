"""Conversations, their owner and epoch, and the channel identity behind each."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, case, func, select, update

from bot.domain.assurance import IDLE_FOR, Assurance, Level
from bot.domain.channels import ChannelAddress
from bot.domain.conversations import Conversation, ConversationId, Owner
from bot.domain.customers import CustomerId, OrderNumber
from bot.domain.errors import OwnerChangedError
from bot.store import guesses
from bot.store.database import Database, insert_once
from bot.store.ids import new_conversation_id
from bot.store.prepared import Prepared
from bot.store.schema import conversations, identities

_JOINED = conversations.join(identities, identities.c.address == conversations.c.address)
# The statements of every turn are built once.
_WHOLE = select(conversations, identities.c.display_name, identities.c.language).select_from(_JOINED)
_HAS_ID = _WHOLE.where(conversations.c.id == bindparam("id"))
_AT_ADDRESS = Prepared(_WHOLE.where(conversations.c.address == bindparam("key")))
_BY_ID = Prepared(_HAS_ID)
_LOCKED = Prepared(_HAS_ID.with_for_update(of=conversations))
_IDENTITY = select(identities).select_from(_JOINED).where(conversations.c.id == bindparam("id"))
_WROTE = Prepared(
    update(conversations)
    .where(conversations.c.address == bindparam("key"))
    .values(last_inbound_at=bindparam("now"))
    .returning(*conversations.c)
)
_WAS_IDLE = identities.c.last_seen_at < bindparam("idle_since")
_SEEN = Prepared(
    update(identities)
    .where(identities.c.address == bindparam("key"))
    .values(
        last_seen_at=bindparam("now"),
        display_name=func.coalesce(bindparam("name"), identities.c.display_name),
        level=case((_WAS_IDLE, Level.L0.value), else_=identities.c.level),
        proved_at=case((_WAS_IDLE, None), else_=identities.c.proved_at),
    )
    .returning(identities.c.display_name, identities.c.language)
)


def meet(connection: Connection, address: ChannelAddress, display_name: str | None, now: datetime) -> Conversation:
    """Return the conversation of an address, made if this is its first message, and note that the customer is here.

    After a silence longer than `IDLE_FOR` it may be somebody else who writes: they have to prove themselves anew.
    """
    key = str(address)
    seen = {"key": key, "now": now, "idle_since": now - IDLE_FOR, "name": display_name or None}
    identity = _SEEN.one(connection, seen)
    if identity is None:
        first: dict[str, object] = {
            "address": key,
            "display_name": display_name,
            "first_seen_at": now,
            "last_seen_at": now,
            "level": 0,
        }
        insert_once(connection, identities, first)
        # Another process may have been the first in this very moment: then it counts as theirs.
        identity = _SEEN.one(connection, seen)
    wrote = _WROTE.one(connection, {"key": key, "now": now})
    if wrote is None:
        begun: dict[str, object] = {"owner": Owner.BOT.value, "epoch": 0, "started_at": now, "last_inbound_at": now}
        insert_once(connection, conversations, {"id": new_conversation_id(), "address": key} | begun)
        wrote = _WROTE.one(connection, {"key": key, "now": now})
    return _conversation(wrote, identity)


def set_language(connection: Connection, address: ChannelAddress, language: str) -> None:
    """Keep what language the channel says a customer speaks."""
    connection.execute(update(identities).where(identities.c.address == str(address)).values(language=language))


def set_reply_context(connection: Connection, conversation_id: ConversationId, context: Mapping[str, str]) -> None:
    """Keep what an answer to the customer's last message has to carry."""
    mine = conversations.c.id == conversation_id
    connection.execute(update(conversations).where(mine).values(reply_context=dict(context)))


def set_name(connection: Connection, address: ChannelAddress, name: str) -> None:
    """Keep what a customer is called, where no name is kept."""
    nameless = (identities.c.address == str(address)) & identities.c.display_name.is_(None)
    connection.execute(update(identities).where(nameless).values(display_name=name))


def find_by_address(connection: Connection, address: ChannelAddress) -> Conversation | None:
    """Return the conversation of an address, or none."""
    row = _AT_ADDRESS.one(connection, {"key": str(address)})
    return _conversation(row, row) if row else None


def get(connection: Connection, conversation_id: ConversationId) -> Conversation:
    """Return a conversation; raises `LookupError`."""
    return _one(connection, _BY_ID, conversation_id)


def of_customer(connection: Connection, customer_id: str) -> list[ConversationId]:
    """Return the conversations whose customer proved to be that one of the brand's records."""
    query = (
        select(conversations.c.id)
        .join(identities, identities.c.address == conversations.c.address)
        .where(identities.c.customer_id == customer_id)
    )
    return [ConversationId(found) for found in connection.scalars(query)]


def lock(connection: Connection, conversation_id: ConversationId) -> Conversation:
    """Return a conversation that nobody else can change until this transaction ends; raises `LookupError`."""
    return _one(connection, _LOCKED, conversation_id)


def lock_at(connection: Connection, conversation_id: ConversationId, epoch: int) -> Conversation:
    """Like `lock`; raises `OwnerChangedError` when the epoch is not `epoch` any more."""
    conversation = lock(connection, conversation_id)
    if conversation.epoch != epoch:
        raise OwnerChangedError
    return conversation


def give_to(connection: Connection, conversation: Conversation, owner: Owner) -> int:
    """Make `owner` the owner of a locked conversation and return the new epoch."""
    epoch = conversation.epoch + 1
    connection.execute(
        update(conversations).where(conversations.c.id == conversation.id).values(owner=owner.value, epoch=epoch)
    )
    return epoch


def read_assurance(connection: Connection, conversation_id: ConversationId) -> Assurance:
    """Return how surely we know who writes; an empty assurance for an unknown conversation."""
    row = connection.execute(_IDENTITY, {"id": conversation_id}).one_or_none()
    if row is None:
        return Assurance()
    return Assurance(
        customer_id=CustomerId(row.customer_id) if row.customer_id else None,
        level=Level(row.level),
        method=row.method,
        proved_at=row.proved_at,
        last_seen_at=row.last_seen_at,
        failure_count=row.failure_count,
        failed_at=row.failed_at,
    )


def bind_customer(
    connection: Connection, address: ChannelAddress, customer_id: CustomerId, method: str, now: datetime
) -> None:
    """Record that the identity proved to be a customer, at level L1; failures are forgotten."""
    values = {
        "customer_id": customer_id,
        "level": Level.L1.value,
        "method": method,
        "proved_at": now,
        "failure_count": 0,
    }
    connection.execute(update(identities).where(identities.c.address == str(address)).values(**values))


def count_failed_proof(connection: Connection, address: ChannelAddress, now: datetime) -> None:
    """Record that a proof did not fit."""
    mine = identities.c.address == str(address)
    connection.execute(
        update(identities).where(mine).values(failure_count=identities.c.failure_count + 1, failed_at=now)
    )


class StoredAssurances:
    """`bot.domain.ports.Assurances` over the database."""

    def __init__(self, database: Database) -> None:
        """Read from `database`."""
        self._database = database

    async def assurance(self, conversation_id: ConversationId) -> Assurance:
        """Return what is held of who writes in the conversation."""
        return await self._database.read(read_assurance, conversation_id)

    async def is_guessed_at(self, number: OrderNumber, proof: str, now: datetime) -> bool:
        """Whether this order or this proof failed so often lately that none is looked at."""
        return await self._database.read(guesses.is_guessed_at, number, proof, now)


def _one(connection: Connection, query: Prepared, conversation_id: ConversationId) -> Conversation:
    row = query.one(connection, {"id": conversation_id})
    if row is None:
        raise LookupError(f"no conversation {conversation_id}")
    return _conversation(row, row)


def _conversation(row: Any, identity: Any) -> Conversation:
    return Conversation(
        id=ConversationId(row.id),
        address=ChannelAddress.parse(row.address),
        owner=Owner(row.owner),
        epoch=row.epoch,
        display_name=identity.display_name,
        started_at=row.started_at,
        last_inbound_at=row.last_inbound_at,
        language=identity.language,
        reply_context=row.reply_context or {},
    )
