"""Further addresses of one customer: a channel may come to know somebody by another id.

A conversation keeps the address it began at, which is its lane; what comes from a later one is taken to it, and what is
said goes to the newest.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, select, update

from bot.domain.assurance import Level
from bot.domain.channels import ChannelAddress
from bot.domain.tickets import TicketState
from bot.store.database import insert_once
from bot.store.schema import aliases, conversations, identities, tickets


def home(
    connection: Connection, address: ChannelAddress, also: Sequence[ChannelAddress], now: datetime
) -> ChannelAddress:
    """Return where the conversation of an address is, learning it from what else the channel calls the customer.

    Another id counts only while it is the newest that the conversation is known by: an id that has passed to somebody
    else, as telephone numbers do, leads nobody into a stranger's conversation. Of two conversations that turn out to be
    of one customer, it goes on in the one that people have, and else where it was: what was said stays where it is.
    """
    known = _home(connection, address)
    if known != address:
        return known
    has_own = _has_conversation(connection, address)
    for other in also:
        begun = _home(connection, other)
        is_theirs = _has_conversation(connection, begun) and reached_at(connection, begun) == other
        is_awaited = not has_own or (_has_ticket(connection, begun) and not _has_ticket(connection, address))
        if begun != address and is_theirs and is_awaited:
            _add(connection, address, begun, now)
            return begun
    return address


def rename(connection: Connection, former: ChannelAddress, address: ChannelAddress, now: datetime) -> bool:
    """Let what comes from `address` be part of the conversation that `former` has; return whether that is new.

    Where nobody has written from `former`, or somebody has from `address`, nothing is joined.
    """
    begun = _home(connection, former)
    if not _has_conversation(connection, begun) or _has_conversation(connection, address):
        return False
    return _add(connection, address, begun, now)


def reached_at(connection: Connection, begun: ChannelAddress) -> ChannelAddress:
    """Return where the customer of a conversation that began at an address is written to."""
    query = select(aliases.c.address).where(aliases.c.of_address == str(begun)).order_by(aliases.c.id.desc()).limit(1)
    newest = connection.scalar(query)
    return ChannelAddress.parse(newest) if newest else begun


def _add(connection: Connection, address: ChannelAddress, begun: ChannelAddress, now: datetime) -> bool:
    is_new = insert_once(connection, aliases, {"address": str(address), "of_address": str(begun), "at": now})
    if is_new:
        # Another id may be another hand: they prove who they are anew.
        mine = identities.c.address == str(begun)
        connection.execute(update(identities).where(mine).values(level=Level.L0.value, proved_at=None))
    return is_new


def _home(connection: Connection, address: ChannelAddress) -> ChannelAddress:
    found = connection.scalar(select(aliases.c.of_address).where(aliases.c.address == str(address)))
    return ChannelAddress.parse(found) if found else address


def _has_ticket(connection: Connection, address: ChannelAddress) -> bool:
    """Whether people have the conversation of an address in hand."""
    joined = tickets.join(conversations, conversations.c.id == tickets.c.conversation_id)
    is_open = tickets.c.state.in_([state.value for state in TicketState if state.is_open])
    query = select(tickets.c.id).select_from(joined).where(conversations.c.address == str(address), is_open)
    return connection.execute(query.limit(1)).first() is not None


def _has_conversation(connection: Connection, address: ChannelAddress) -> bool:
    query = select(conversations.c.id).where(conversations.c.address == str(address))
    return connection.execute(query).first() is not None
