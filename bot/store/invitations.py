"""Invitations into private, and the conversations that they joined. All functions are transaction bodies."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, or_, select, update

from bot.domain.channels import ChannelAddress
from bot.domain.conversations import ConversationId
from bot.domain.invitations import GUESSES_MAX, InvitationToken, Joining, fingerprint
from bot.store import guesses
from bot.store.database import insert_once
from bot.store.ids import new_invitation_token
from bot.store.schema import invitations

#: So long after its end it is still said of an invitation that it has ended; then nobody knows it any more.
FORGOTTEN_AFTER = timedelta(days=90)


@dataclass(frozen=True, kw_only=True)
class Used:
    """What came of using a token."""

    joining: Joining
    #: the public conversation; none: nobody is told where a token leads that is not theirs
    public_id: ConversationId | None = None


@dataclass(frozen=True, kw_only=True)
class Link:
    """Another conversation that an invitation joined to one, and when."""

    conversation_id: ConversationId
    at: datetime


def make(
    connection: Connection, conversation_id: ConversationId, now: datetime, expires_at: datetime
) -> InvitationToken:
    """Return a new token that leads to a public conversation; only its hash is kept, and not for ever."""
    old = select(invitations.c.fingerprint).where(
        invitations.c.expires_at <= now - FORGOTTEN_AFTER, invitations.c.joined_id.is_(None)
    )
    connection.execute(delete(invitations).where(invitations.c.fingerprint.in_(old.with_for_update(skip_locked=True))))
    while True:
        token = new_invitation_token()
        values = {
            "fingerprint": fingerprint(token),
            "conversation_id": conversation_id,
            "made_at": now,
            "expires_at": expires_at,
        }
        if insert_once(connection, invitations, values):
            return token


def drop(connection: Connection, mark: str) -> None:
    """Forget an invitation that nobody was told of, by its fingerprint."""
    connection.execute(delete(invitations).where(invitations.c.fingerprint == mark))


def expect(connection: Connection, mark: str, address: ChannelAddress) -> None:
    """Let an invitation, by its fingerprint, be used by whoever writes from a private address, without its token."""
    awaited = fingerprint(_token_of(address))
    # They were asked before and never came: what counts is what they were asked last.
    drop(connection, awaited)
    connection.execute(update(invitations).where(invitations.c.fingerprint == mark).values(fingerprint=awaited))


def expected(connection: Connection, address: ChannelAddress, now: datetime) -> InvitationToken | None:
    """Return what stands for the token of who was asked at a private address to write there, and has not yet."""
    token = _token_of(address)
    live = (invitations.c.fingerprint == fingerprint(token)) & (invitations.c.expires_at > now)
    found = connection.execute(select(invitations.c.fingerprint).where(live)).first()
    return token if found is not None else None


def _token_of(address: ChannelAddress) -> InvitationToken:
    """Return a token that nobody can type, as it has other signs."""
    return InvitationToken(f"from {address}")


def is_invited(connection: Connection, conversation_id: ConversationId, now: datetime) -> bool:
    """Whether somebody was asked in a public conversation to go on in private, and still can be or has been."""
    counts = or_(invitations.c.expires_at > now, invitations.c.joined_id.is_not(None))
    mine = select(invitations.c.fingerprint).where(invitations.c.conversation_id == conversation_id, counts)
    return connection.execute(mine.limit(1)).first() is not None


def use(
    connection: Connection, token: InvitationToken, private_id: ConversationId, address: ChannelAddress, now: datetime
) -> Used:
    """Join a private conversation, which is locked and writes from `address`, to the one that the token leads to.

    The same conversation may hand the same token in again. Unknown tokens are counted by address.
    """
    if guesses.is_barred(connection, str(address), GUESSES_MAX, now):
        return Used(joining=Joining.BARRED)
    meant = select(invitations).where(invitations.c.fingerprint == fingerprint(token))
    row = connection.execute(meant.with_for_update()).one_or_none()
    if row is None:
        guesses.count(connection, str(address), now)
        return Used(joining=Joining.UNKNOWN)
    if row.joined_id is not None:
        is_again = row.joined_id == private_id
        return Used(joining=Joining.JOINED, public_id=row.conversation_id) if is_again else Used(joining=Joining.USED)
    if row.expires_at <= now:
        return Used(joining=Joining.EXPIRED)
    mine = invitations.c.fingerprint == row.fingerprint
    spent = {"fingerprint": fingerprint(new_invitation_token())} if token == _token_of(address) else {}
    connection.execute(update(invitations).where(mine).values(joined_id=private_id, joined_at=now, **spent))
    return Used(joining=Joining.JOINED, public_id=ConversationId(row.conversation_id))


def joined_to(connection: Connection, conversation_id: ConversationId) -> list[Link]:
    """Return the conversations that invitations joined to one, public or private, the newest first."""
    either = or_(invitations.c.conversation_id == conversation_id, invitations.c.joined_id == conversation_id)
    query = select(invitations).where(either, invitations.c.joined_id.is_not(None))
    found: dict[str, datetime] = {}
    for row in connection.execute(query.order_by(invitations.c.joined_at.desc())):
        other = row.joined_id if row.conversation_id == conversation_id else row.conversation_id
        found.setdefault(other, row.joined_at)
    return [Link(conversation_id=ConversationId(other), at=at) for other, at in found.items()]
