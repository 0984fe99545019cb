"""Wrong guesses, counted by what is guessed at or by who guesses. All functions are transaction bodies."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, select, update

from bot.domain.assurance import GUESSES_MAX
from bot.store.database import insert_once
from bot.store.schema import token_guesses

#: Wrong guesses are counted, and further ones not listened to, for so long.
BARRED_FOR = timedelta(hours=1)


def is_barred(connection: Connection, about: str, at_most: int, now: datetime) -> bool:
    """Whether so many wrong guesses were counted lately that no further one is listened to."""
    row = connection.execute(select(token_guesses).where(token_guesses.c.address == about)).one_or_none()
    return row is not None and row.wrong_count >= at_most and now < row.since + BARRED_FOR


def count(connection: Connection, about: str, now: datetime) -> None:
    """Count a wrong guess; whatever is longer ago than `BARRED_FOR` is forgotten."""
    old = select(token_guesses.c.address).where(token_guesses.c.since <= now - BARRED_FOR)
    # What somebody else counts at this moment, they forget.
    connection.execute(delete(token_guesses).where(token_guesses.c.address.in_(old.with_for_update(skip_locked=True))))
    if insert_once(connection, token_guesses, {"address": about, "wrong_count": 1, "since": now}):
        return
    mine = token_guesses.c.address == about
    more = {"wrong_count": token_guesses.c.wrong_count + 1}
    lately = token_guesses.c.since > now - BARRED_FOR
    if connection.execute(update(token_guesses).where(mine, lately).values(**more)).rowcount == 0:
        connection.execute(update(token_guesses).where(mine).values(wrong_count=1, since=now))


def is_guessed_at(connection: Connection, number: str, proof: str, now: datetime) -> bool:
    """Whether an order or a proof was guessed at so often, in whatever conversations, that no proof is looked at.

    Conversations cost nothing: whoever tries all orders with a postcode they know begins a new one for each try.
    """
    return any(is_barred(connection, about, GUESSES_MAX, now) for about in _guessed(number, proof))


def count_wrong_proof(connection: Connection, number: str, proof: str, now: datetime) -> None:
    """Count that an order and a proof did not fit."""
    for about in _guessed(number, proof):
        count(connection, about, now)


def _guessed(number: str, proof: str) -> tuple[str, str]:
    """Return the names of both halves; none is an address, and what a customer typed is not kept."""
    return f"guessed:{_digest(f'order {number}')}", f"guessed:{_digest(f'proof {_bare(proof)}')}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def _bare(proof: str) -> str:
    """Return a proof as it is however it is typed."""
    return re.sub(r"[\W_]", "", unicodedata.normalize("NFKC", proof).casefold())
