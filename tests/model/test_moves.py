from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import Connection, select
from sqlalchemy.exc import IntegrityError

from bot.domain.boxes import MOVES, Box, Move, RowState, Step, end, sources
from bot.domain.conversations import ConversationId
from bot.domain.messages import MALFORMED, MessageId
from bot.domain.retry import CRASHES_MAX
from bot.store import held, inbox, lanes, outbox, restoring, unread
from bot.store.inbox import DESK_ACCOUNT, Arrival, InboxKind, InboxRow, Waiting
from bot.store.lanes import Ending, Release
from bot.store.outbox import OutboxKind, OutboxRow, Outgoing
from bot.store.restoring import Restore
from bot.store.schema import inbox as inbox_table
from bot.store.schema import outbox as outbox_table
from bot.store.unread import Unread
from tests.databases import run_in
from tests.model.guard import steps

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
LEASE = timedelta(seconds=10)
LATER = NOW + 2 * LEASE
TABLES = {Box.INBOX: inbox_table, Box.OUTBOX: outbox_table}

_numbers = count()


def arrive(connection: Connection, kind: InboxKind = InboxKind.MESSAGE, *, is_doubtful: bool = False) -> str:
    """Put a row into the inbox, in a lane of its own; return its external id."""
    name = f"in{next(_numbers)}"
    arrival = Arrival(
        account=DESK_ACCOUNT,
        external_id=name,
        address=f"test/brand/{name}",
        kind=kind,
        body={},
        message_id=MessageId(name),
        is_doubtful=is_doubtful,
    )
    inbox.add(connection, arrival, NOW)
    return name


def go_out(connection: Connection, kind: OutboxKind = OutboxKind.COMMAND, epoch: int | None = None) -> str:
    """Put a row into the outbox, in a lane of its own; return its key."""
    key = f"out{next(_numbers)}"
    outgoing = Outgoing(
        key=key,
        address=f"test/brand/{key}",
        kind=kind,
        body={},
        epoch=epoch,
        conversation_id=ConversationId("nobody") if epoch is not None else None,
    )
    outbox.add(connection, outgoing, NOW)
    return key


def taken_in(connection: Connection) -> InboxRow:
    """Return a claimed row of the inbox."""
    arrive(connection)
    (row,) = inbox.claim(connection, NOW, LEASE, 1)
    return row


def taken_out(connection: Connection) -> OutboxRow:
    """Return a claimed row of the outbox."""
    go_out(connection)
    (row,) = outbox.claim(connection, NOW, LEASE, 1)
    return row


def _unread(connection: Connection, kind: str) -> None:
    raw = Unread(account="test/brand", kind=kind, raw=f"raw{next(_numbers)}")
    unread.keep(connection, raw, MessageId(f"un{next(_numbers)}"), NOW)


def _put_in(connection: Connection) -> None:
    arrive(connection)
    arrive(connection, is_doubtful=True)
    _unread(connection, MALFORMED)
    _unread(connection, "of the future")


def _go_along(connection: Connection) -> None:
    arrive(connection)
    row = connection.execute(select(inbox_table)).one()
    waiting = Waiting(row_id=row.id, message_id=row.message_id, body=row.body, received_at=row.received_at)
    inbox.finish_behind(connection, [waiting], NOW)


def _join(connection: Connection) -> None:
    go_out(connection)
    connection.execute(lanes.moving(outbox_table, Move.GO_ALONG).values(finished_at=NOW))


def _release_in(connection: Connection) -> None:
    taken_in(connection)
    for crash in range(CRASHES_MAX):
        inbox.release(connection, Release(now=NOW, is_alone=True))
        if crash + 1 < CRASHES_MAX:
            inbox.claim_suspects(connection, NOW, LEASE, 1)


def _release_out(connection: Connection) -> None:
    taken_out(connection)
    for _ in range(CRASHES_MAX):
        outbox.release(connection, Release(now=LATER))
        outbox.claim_suspects(connection, NOW, LEASE, 1)


def _restore(connection: Connection) -> None:
    taken_in(connection)
    arrive(connection, InboxKind.RECEIPT)
    inbox.claim(connection, NOW, LEASE, 1)
    arrive(connection)
    taken_out(connection)
    go_out(connection, OutboxKind.DESK)
    outbox.claim(connection, NOW, LEASE, 1)
    go_out(connection)
    restoring.settle(connection, Restore(backed_up_at=NOW, until=NOW, restored_at=NOW))


def _revive(connection: Connection) -> None:
    inbox.bury(connection, taken_in(connection).lease, NOW, "no")
    arrive(connection, is_doubtful=True)
    outbox.bury(connection, taken_out(connection).lease, NOW, "no")
    outbox.finish(connection, taken_out(connection).lease, Ending(state="dead", at=NOW))
    for table in TABLES.values():
        for letter in lanes.dead_letters(connection, table, 10):
            assert lanes.revive(connection, table, letter.id, NOW)


def _drop(connection: Connection) -> None:
    inbox.bury(connection, taken_in(connection).lease, NOW, "no")
    arrive(connection, is_doubtful=True)
    _unread(connection, "of the future")
    outbox.bury(connection, taken_out(connection).lease, NOW, "no")
    outbox.finish(connection, taken_out(connection).lease, Ending(state="dead", at=NOW))
    for table in TABLES.values():
        for letter in lanes.dead_letters(connection, table, 10):
            assert lanes.drop(connection, table, letter.id)
    for sample in unread.samples(connection, 10):
        assert unread.forget(connection, sample.id)


def _withhold(connection: Connection) -> None:
    go_out(connection, epoch=0)
    assert outbox.claim(connection, NOW, LEASE, 1) == []


def _end_outgoing(*states: RowState) -> Callable[[Connection], None]:
    def body(connection: Connection) -> None:
        for state in states:
            outbox.finish(connection, taken_out(connection).lease, Ending(state=state.value, at=NOW))

    return body


#: What makes each move, by nothing but the store's own functions; steps that only lead there are other moves.
DRIVERS: dict[tuple[Box, Move], Callable[[Connection], object]] = {
    (Box.INBOX, Move.PUT): _put_in,
    (Box.INBOX, Move.CLAIM): taken_in,
    (Box.INBOX, Move.FINISH): lambda c: inbox.finish(c, taken_in(c).lease, NOW),
    (Box.INBOX, Move.GO_ALONG): _go_along,
    (Box.INBOX, Move.DEFER): lambda c: inbox.defer(c, taken_in(c).lease, NOW, "later"),
    (Box.INBOX, Move.TAKE_BACK): lambda c: held.take_back(c, [arrive(c)], NOW),
    (Box.INBOX, Move.GIVE_UP): lambda c: inbox.bury(c, taken_in(c).lease, NOW, "no"),
    (Box.INBOX, Move.RELEASE): _release_in,
    (Box.INBOX, Move.RESTORE): _restore,
    (Box.INBOX, Move.REVIVE): _revive,
    (Box.INBOX, Move.DROP): _drop,
    (Box.OUTBOX, Move.PUT): go_out,
    (Box.OUTBOX, Move.CLAIM): taken_out,
    (Box.OUTBOX, Move.FINISH): _end_outgoing(RowState.SENT, RowState.JOINED),
    (Box.OUTBOX, Move.GO_ALONG): _join,
    (Box.OUTBOX, Move.DEFER): lambda c: outbox.defer(c, taken_out(c).lease, NOW, "later", is_ambiguous=False),
    (Box.OUTBOX, Move.WITHHOLD): _withhold,
    (Box.OUTBOX, Move.TAKE_BACK): lambda c: held.take_back(c, [go_out(c)], NOW),
    (Box.OUTBOX, Move.GIVE_UP): _end_outgoing(RowState.DEAD, RowState.HELD),
    (Box.OUTBOX, Move.RELEASE): _release_out,
    (Box.OUTBOX, Move.RESTORE): _restore,
    (Box.OUTBOX, Move.REVIVE): _revive,
    (Box.OUTBOX, Move.DROP): _drop,
}


def observed(url: str, box: Box, driver: Callable[[Connection], object]) -> set[Step]:
    """Return the steps that rows of the box make while the driver runs."""

    def state(word: str | None) -> RowState | None:
        return RowState(word) if word else None

    def body(connection: Connection) -> set[Step]:
        run = connection.exec_driver_sql
        run("CREATE TEMP TABLE seen (of TEXT, into_ TEXT)")
        log = "INSERT INTO seen VALUES"
        run(f"CREATE TEMP TRIGGER a AFTER INSERT ON main.{box} BEGIN {log} (NULL, NEW.state); END")
        run(
            f"CREATE TEMP TRIGGER b AFTER UPDATE OF state ON main.{box} WHEN OLD.state <> NEW.state "
            f"BEGIN {log} (OLD.state, NEW.state); END"
        )
        run(f"CREATE TEMP TRIGGER c AFTER DELETE ON main.{box} BEGIN {log} (OLD.state, NULL); END")
        driver(connection)
        return {(state(of), state(to)) for of, to in run("SELECT of, into_ FROM seen")}

    return run_in(url, body)


def test_each_move_of_the_table_is_one_of_the_store(migrated_sqlite: Path, tmp_path: Path) -> None:
    """What the store's functions make of rows is, move by move, what the table says, and nothing else."""
    assert set(DRIVERS) == {(box, move) for box, moves in MOVES.items() for move in moves}
    for (box, move), driver in DRIVERS.items():
        path = tmp_path / f"{box}-{move}.db"
        path.write_bytes(migrated_sqlite.read_bytes())
        found = observed(f"sqlite:///{path}", box, driver)
        wanted = set(MOVES[box][move])
        assert wanted <= found, (box, move)
        assert found <= steps(box), (box, move)
    # That a driver leads up to its move by others' steps hides none of its own: no state is reached but by the table.
    assert all(of in {to for _, to in steps(box)} for box in Box for of, _ in steps(box) if of is not None)


def test_a_step_that_the_table_does_not_name_is_refused(migrated_sqlite: Path, tmp_path: Path) -> None:
    """The tests' database fails a statement that makes a row do what the table does not know."""
    path = tmp_path / "guarded.db"
    path.write_bytes(migrated_sqlite.read_bytes())

    def rise(connection: Connection) -> None:
        _end_outgoing(RowState.SENT)(connection)
        connection.execute(outbox_table.update().values(state="pending"))

    with pytest.raises(IntegrityError, match="no such move"):
        run_in(f"sqlite:///{path}", rise)


def test_what_a_move_cannot_do_is_an_error() -> None:
    """A move that a box does not know, or an end that it has not, is named where it is asked for."""
    for box, move, into in ((Box.INBOX, Move.WITHHOLD, RowState.WITHHELD), (Box.OUTBOX, Move.CLAIM, RowState.SENT)):
        with pytest.raises(ValueError, match="cannot"):
            end(box, move, into)
        with pytest.raises(ValueError, match="cannot"):
            sources(box, move, into)
    with pytest.raises(ValueError, match="cannot"):
        end(Box.OUTBOX, Move.GIVE_UP)


def test_work_ends_only_where_the_table_says(migrated_sqlite: Path, tmp_path: Path) -> None:
    """A claimed row cannot be finished into a state that is no end of its box."""
    path = tmp_path / "ended.db"
    path.write_bytes(migrated_sqlite.read_bytes())

    def body(connection: Connection) -> None:
        lanes.finish(connection, inbox_table, taken_in(connection).lease, Ending(state="sent", at=NOW))

    with pytest.raises(ValueError, match="'sent'"):
        run_in(f"sqlite:///{path}", body)
