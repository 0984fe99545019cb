"""Gates: what lets through so many rows of the outbox a second, and is shut while the other side is in trouble.

A gate stands for what shares a limit, such as one channel of the desk. It lives in the database, so that a restart does
not forget what has just gone through, and several workers share one pace.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, bindparam, or_, select, update

from bot.store.database import insert_once
from bot.store.prepared import Prepared
from bot.store.schema import gates, outbox

#: One message a second and channel, with short bursts (https://docs.slack.dev/apis/web-api/rate-limits).
INTERVAL = timedelta(seconds=1)
BURST = 3
#: A gate that was shut this often in a row has kept much waiting: when it opens, nothing waits for its own timetable.
_HASTENED_AFTER = 3
_SHUT_FOR_MAX = timedelta(seconds=30)

_OPEN = Prepared(
    select(gates)
    .where(or_(gates.c.shut_until.is_(None), gates.c.shut_until <= bindparam("now")))
    .where(gates.c.paced_until <= bindparam("paced_by"))
    .with_for_update(skip_locked=True)
)


@dataclass(frozen=True, kw_only=True)
class Opening:
    """What a gate lets through now."""

    name: str
    #: rows, at least one
    count: int


@dataclass(frozen=True, kw_only=True)
class Failure:
    """Why nothing goes through a gate."""

    at: datetime
    reason: str
    #: whether somebody has to mend it; else it passes
    is_blocked: bool


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """A gate that nothing goes through."""

    name: str
    since: datetime
    reason: str
    is_blocked: bool


def make(connection: Connection, name: str, now: datetime) -> None:
    """Make an open gate unless it is there."""
    insert_once(connection, gates, {"name": name, "paced_until": now})


def openings(connection: Connection, now: datetime) -> list[Opening]:
    """Return the gates that are open now, locked until the transaction ends, with what may go through each.

    A gate in trouble lets one through, to see whether the trouble is over.
    """
    rows = _OPEN.all(connection, {"now": now, "paced_by": now + (BURST - 1) * INTERVAL})
    return [Opening(name=row.name, count=_count(row, now)) for row in rows]


def pace(connection: Connection, name: str, count: int, now: datetime) -> None:
    """Record that `count` rows go through an open gate."""
    known = connection.scalar(select(gates.c.paced_until).where(gates.c.name == name)) or now
    paced_until = max(known, now) + count * INTERVAL
    connection.execute(update(gates).where(gates.c.name == name).values(paced_until=paced_until))


def shut(connection: Connection, name: str, until: datetime) -> None:
    """Let nothing through until then: the other side asks for it."""
    shorter = or_(gates.c.shut_until.is_(None), gates.c.shut_until < until)
    connection.execute(update(gates).where(gates.c.name == name, shorter).values(shut_until=until))


def fail(connection: Connection, name: str, failure: Failure) -> datetime:
    """Shut a gate for a while, longer each time, keep since when and why, and return until when."""
    make(connection, name, failure.at)
    row = connection.execute(select(gates).where(gates.c.name == name).with_for_update()).one()
    until = failure.at + min(timedelta(seconds=1 << min(int(row.failure_count), 10)), _SHUT_FOR_MAX)
    values = {
        "failing_since": row.failing_since or failure.at,
        "failure_count": row.failure_count + 1,
        "shut_until": until,
        "is_blocked": failure.is_blocked,
        "reason": failure.reason,
    }
    connection.execute(update(gates).where(gates.c.name == name).values(**values))
    return until


def is_failing(connection: Connection, name: str) -> bool:
    """Whether a gate is in trouble."""
    return connection.scalar(select(gates.c.failing_since).where(gates.c.name == name)) is not None


def mend(connection: Connection, name: str, now: datetime) -> bool:
    """Record that something went through; return whether the gate had been in trouble until now."""
    failing = (gates.c.name == name) & gates.c.failing_since.is_not(None)
    row = connection.execute(select(gates).where(failing).with_for_update()).one_or_none()
    if row is None:
        return False
    values = {"failing_since": None, "failure_count": 0, "shut_until": None, "is_blocked": False, "reason": ""}
    connection.execute(update(gates).where(gates.c.name == name).values(**values))
    if row.failure_count >= _HASTENED_AFTER:
        waiting = (outbox.c.gate == name) & (outbox.c.state == "pending") & (outbox.c.ready_at > now)
        connection.execute(update(outbox).where(waiting).values(ready_at=now))
    return True


def troubles(connection: Connection) -> list[Trouble]:
    """Return the gates that nothing goes through, the oldest trouble first."""
    query = select(gates).where(gates.c.failing_since.is_not(None)).order_by(gates.c.failing_since, gates.c.name)
    return [
        Trouble(name=row.name, since=row.failing_since, reason=row.reason, is_blocked=row.is_blocked)
        for row in connection.execute(query)
    ]


def _count(row: Any, now: datetime) -> int:
    if row.failing_since is not None:
        return 1
    return int((now + BURST * INTERVAL - max(row.paced_until, now)) / INTERVAL)
