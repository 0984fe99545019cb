"""Who agents think a customer is: links that are made and undone, never forgotten, and never a proof."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select, update

from bot.domain.channels import ChannelAddress
from bot.domain.customers import CustomerId
from bot.domain.tickets import Agent
from bot.store.schema import identity_links


@dataclass(frozen=True, kw_only=True)
class IdentityLink:
    """A channel identity and the customer record that an agent linked it with."""

    customer_id: CustomerId
    #: who linked it and why, in words
    evidence: str
    at: datetime
    undone_at: datetime | None


def add(connection: Connection, address: ChannelAddress, link: IdentityLink, agent: Agent) -> None:
    """Link an identity in place of the link it has."""
    undo(connection, address, agent, link.at)
    connection.execute(
        identity_links.insert().values(
            address=str(address),
            customer_id=link.customer_id,
            evidence=link.evidence,
            agent_id=agent.id,
            at=link.at,
        )
    )


def undo(connection: Connection, address: ChannelAddress, agent: Agent, now: datetime) -> bool:
    """Take back the link of an identity; return whether there was one."""
    live = (identity_links.c.address == str(address)) & identity_links.c.undone_at.is_(None)
    return connection.execute(update(identity_links).where(live).values(undone_at=now, undone_by=agent.id)).rowcount > 0


def live(connection: Connection, address: ChannelAddress) -> IdentityLink | None:
    """Return the link that an identity has now, or none."""
    query = select(identity_links).where(identity_links.c.address == str(address), identity_links.c.undone_at.is_(None))
    row = connection.execute(query).one_or_none()
    return _link(row) if row else None


def history(connection: Connection, address: ChannelAddress) -> list[IdentityLink]:
    """Return every link that an identity ever had, oldest first."""
    query = select(identity_links).where(identity_links.c.address == str(address)).order_by(identity_links.c.id)
    return [_link(row) for row in connection.execute(query)]


def _link(row: Row[Any]) -> IdentityLink:
    return IdentityLink(
        customer_id=CustomerId(row.customer_id), evidence=row.evidence, at=row.at, undone_at=row.undone_at
    )
