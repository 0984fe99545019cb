"""Starts anew on what a disk may hold after a power cut, and says what of what the world was told is not so."""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, select, text
from sqlalchemy.exc import DatabaseError

from bot.domain.rules import Rules
from bot.pipeline.giving_up import release_inbox, release_outbox
from bot.pipeline.outgoing import Writer
from bot.store.database import open_engine
from bot.store.lanes import Release
from bot.store.migrating import migrate
from bot.store.schema import inbox, media, outbox
from tests.power.recording import Truth

#: What customers write, and are answered with.
_WORDS = re.compile(r"power-\w\d-\d{4}")


@dataclass(frozen=True, kw_only=True)
class Cut:
    """A moment at which the power was cut, and what the disk holds after it."""

    #: in seconds of `time.time`: what the world was told before then has to hold
    at: float
    files: Mapping[Path, bytes]
    state_dir: Path
    #: whether the service was at work, not still starting for the first time
    is_ready: bool


def lay_out(cut: Cut, folder: Path, beginning: str = "") -> None:
    """Write the image's files to `folder`, in place of what is there; of all, or of those whose names begin so."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for path, content in cut.files.items():
        # What lies in shared memory is made anew by SQLite, and never safe.
        if path.name.startswith(beginning) and not path.name.endswith("-shm"):
            target = folder / path.relative_to(cut.state_dir)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)


def losses(cut: Cut, truth: Truth, folder: Path) -> list[str]:
    """Return what is wrong after a start on the image, whose database is laid out in `folder`."""
    lay_out(cut, folder, "tandem.db")
    engine = open_engine(f"sqlite:///{folder / 'tandem.db'}")
    try:
        return list(_found(engine, cut, truth))
    except DatabaseError as error:
        return [f"the database cannot be read: {error.orig}"]
    finally:
        engine.dispose()


def unanswered(connection: Connection, cut: Cut, truth: Truth) -> list[str]:
    """Return what was acknowledged before the cut, and has neither left as an answer nor is with people."""
    ended = select(outbox.c.body).where(outbox.c.state.in_(("sent", "held", "dead")), outbox.c.kind == "message")
    found = _said(" ".join(str(body) for body in connection.scalars(ended)))
    return sorted({words for at, words in truth.acknowledged if at < cut.at} - found)


def _found(engine: Engine, cut: Cut, truth: Truth) -> Iterator[str]:
    with engine.connect() as connection:
        if not inspect(connection).has_table("inbox"):
            yield from (["there are no tables"] if cut.is_ready else [])
            return
        verdict = str(connection.scalar(text("PRAGMA integrity_check")))
    if verdict != "ok":
        yield f"the database is damaged: {verdict}"
        return
    migrate(engine)
    with engine.connect().execution_options(is_writer=True) as connection, connection.begin():
        yield from _left_unsure(connection, cut, truth)
        _recover(connection)
        yield from _forgotten(connection, cut, truth)
        yield from _half_done(connection)
        yield from _without_bytes(connection, cut, truth)


def _recover(connection: Connection) -> None:
    """Do what a service does that starts alone on its database."""
    now = datetime.now(UTC)
    writer, which = Writer(now=now, desk=None, rules=Rules()), Release(now=now, is_alone=True)
    release_inbox(connection, writer, which)
    release_outbox(connection, writer, which)


def _said(words: str) -> set[str]:
    return set(_WORDS.findall(words))


def _left_unsure(connection: Connection, cut: Cut, truth: Truth) -> Iterator[str]:
    """What was sent has to be known as sent, or as perhaps sent: else it would be sent again."""
    told = set().union(*(_said(words) for at, words in truth.shown if at < cut.at))
    known = set()
    for row in connection.execute(select(outbox)):
        if row.state != "pending" or row.is_ambiguous or row.progress:
            known |= _said(str(row.body))
    yield from (f"{words} was sent, and nobody knows" for words in sorted(told - known))


def _forgotten(connection: Connection, cut: Cut, truth: Truth) -> Iterator[str]:
    kept = _said(" ".join(str(body) for body in connection.scalars(select(inbox.c.body))))
    told = {words for at, words in truth.acknowledged if at < cut.at}
    yield from (f"{words} was acknowledged, and is lost" for words in sorted(told - kept))


def _half_done(connection: Connection) -> Iterator[str]:
    """What counts as handled has its answer."""
    answered = _said(" ".join(str(body) for body in connection.scalars(select(outbox.c.body))))
    done = select(inbox.c.body).where(inbox.c.state == "done", inbox.c.kind == "message")
    handled = _said(" ".join(str(body) for body in connection.scalars(done)))
    yield from (f"{words} is done, and has no answer" for words in sorted(handled - answered))


def _without_bytes(connection: Connection, cut: Cut, truth: Truth) -> Iterator[str]:
    """What a customer was told that we have, we have, and all that the database knows has its bytes."""
    known = set(connection.scalars(select(media.c.sha256)))
    told = {digest for at, digest in truth.files if at < cut.at}
    yield from (f"the file {digest} is lost" for digest in sorted(told - known))
    for digest in sorted(known):
        content = cut.files.get(cut.state_dir / "media" / digest[:2] / digest)
        if content is None:
            yield f"the file {digest} has no bytes"
        elif hashlib.sha256(content).hexdigest() != digest:
            yield f"the file {digest} has other bytes"
