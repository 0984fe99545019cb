from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pysqlite3.dbapi2
import pytest
from sqlalchemy.exc import SQLAlchemyError

from bot.pipeline import worker
from bot.store.database import Database
from tests.fakes.connector import message
from tests.pipeline.rig import Rig, handoff
from tests.pipeline.test_working import idle, working

#: More commits than the longest of the stories has.
_COMMITS_MAX = 60


class Deaf:
    """Lets one commit be made whose answer is lost."""

    def __init__(self, database: Database) -> None:
        self._database = database
        #: commits that are still heard of; below nought, all are
        self.until = -1

    def commit(self, connection: Any) -> None:
        """Commit, and break off instead of saying so if this is the one."""
        connection.commit()
        # Of a SQLite file only the writer's commits can be lost.
        if self._database.is_sqlite and threading.current_thread().name != "database-writer":
            return
        self.until -= 1
        if self.until == -1:
            if self._database.is_sqlite:
                raise pysqlite3.dbapi2.OperationalError("disk I/O error")
            connection.driver_connection.close()
            raise psycopg.OperationalError("server closed the connection unexpectedly")


@contextmanager
def deaf(database: Database) -> Iterator[Deaf]:
    """Let commits of this database go unheard as told."""
    made = Deaf(database)
    dialect: Any = database.engine.dialect
    dialect.do_commit = made.commit
    try:
        yield made
    finally:
        del dialect.do_commit


async def bring(rig: Rig, customer: str, text: str) -> None:
    """Let a message come, and come again where it was not acknowledged."""
    try:
        await rig.bring(message(rig.connector, customer, f"{customer}-1", text))
    except SQLAlchemyError:
        await rig.bring(message(rig.connector, customer, f"{customer}-1", text))


async def test_no_row_is_lost_or_held_whichever_commit_nobody_hears_of(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever commit's answer is lost, all goes on at once, as if it had been heard: no lease has to end for it."""
    monkeypatch.setattr(worker, "LOOK_EVERY", 0.05)
    rig.engine.by_text = {"a person": handoff("A colleague will answer you.")}
    with deaf(rig.database) as lost:
        async with working(rig.worker):
            for text, answer in (("hello", "re: hello"), ("a person", "A colleague will answer you.")):
                for number in range(_COMMITS_MAX):
                    customer = f"{text[0]}{number}"
                    lost.until = number
                    await bring(rig, customer, text)
                    await idle(rig)
                    is_over, lost.until = lost.until >= 0, -1
                    assert rig.seen(customer)[0] == answer
                    assert len(set(rig.seen(customer))) == len(rig.seen(customer)), f"doubled after commit {number}"
                    if is_over:
                        break
                assert is_over, "a story has more commits"
    states = [await rig.inbox_states(), await rig.outbox_states()]
    assert not any(state["held"] + state["dead"] for state in states)
