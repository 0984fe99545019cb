"""Where else a customer can be reached: the other conversations of whom we know, or think, to be the same person."""

from __future__ import annotations

from sqlalchemy import Connection, func, or_, select

from bot.domain.channels import ChannelAddress
from bot.domain.conversations import ConversationId
from bot.domain.tickets import OtherWay
from bot.store.conversations import get
from bot.store.invitations import joined_to
from bot.store.schema import conversations, identities, identity_links

#: Ways that agents are offered.
WAYS_MAX = 3

_LINKED = (identity_links.c.address == identities.c.address) & identity_links.c.undone_at.is_(None)
_KNOWN = conversations.join(identities, identities.c.address == conversations.c.address).outerjoin(
    identity_links, _LINKED
)
#: What was proved counts before what agents think.
_CUSTOMER = func.coalesce(identities.c.customer_id, identity_links.c.customer_id)


def of(connection: Connection, conversation_id: ConversationId) -> tuple[OtherWay, ...]:
    """Return the other conversations of this conversation's customer, the one they used last first; at most three.

    Those that an invitation joined to it come first: that is where the customer has just gone.
    """
    joined = _joined(connection, conversation_id)
    known = {way.conversation_id for way in joined}
    others = (way for way in _of_customer(connection, conversation_id) if way.conversation_id not in known)
    return (*joined, *others)[:WAYS_MAX]


def _joined(connection: Connection, conversation_id: ConversationId) -> tuple[OtherWay, ...]:
    found = (get(connection, link.conversation_id) for link in joined_to(connection, conversation_id))
    return tuple(OtherWay(conversation_id=each.id, address=each.address, is_proved=False) for each in found)


def _of_customer(connection: Connection, conversation_id: ConversationId) -> tuple[OtherWay, ...]:
    mine = select(_CUSTOMER.label("customer"), identities.c.customer_id).select_from(_KNOWN)
    who = connection.execute(mine.where(conversations.c.id == conversation_id)).one_or_none()
    if who is None or who.customer is None:
        return ()
    linked = select(identity_links.c.address).where(
        identity_links.c.customer_id == who.customer, identity_links.c.undone_at.is_(None)
    )
    query = (
        select(conversations.c.id, conversations.c.address, conversations.c.last_inbound_at, identities.c.customer_id)
        .select_from(_KNOWN)
        .where(
            or_(identities.c.customer_id == who.customer, identities.c.address.in_(linked)),
            who.customer == _CUSTOMER,
            conversations.c.id != conversation_id,
        )
        .order_by(conversations.c.last_inbound_at.desc(), conversations.c.id)
        .limit(WAYS_MAX)
    )
    return tuple(
        OtherWay(
            conversation_id=ConversationId(row.id),
            address=ChannelAddress.parse(row.address),
            is_proved=who.customer_id is not None and row.customer_id is not None,
        )
        for row in connection.execute(query)
    )
