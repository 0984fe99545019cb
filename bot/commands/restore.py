"""`restore`: bring a backup back so that nothing is sent a second time."""

from __future__ import annotations

import hashlib
import json
import shutil
import tarfile
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import structlog
from rich.console import Console
from sqlalchemy import Connection, make_url, text

from bot.commands.backup import DATABASE, FORMAT, MANIFEST, MEDIA, SECRET
from bot.domain.errors import SettingsError, TandemError
from bot.instance import only_instance, only_user
from bot.settings import Settings
from bot.store import archives
from bot.store.migrating import bring_up
from bot.store.restoring import Restore, Settled, last_known_at, settle

log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True)
class _Manifest:
    """What a backup says of itself."""

    made_at: datetime
    #: sqlite or postgresql
    dialect: str
    #: of the database's schema
    revision: str
    #: of each file in the backup
    sha256: dict[str, str]


def restore(settings: Settings, source: Path, until: datetime | None) -> int:
    """Fill an empty database from a backup that a database in use until `until` (now) was lost after.

    Nothing that is there is overwritten. Raises `TandemError` that says what to do, and leaves the database empty, or
    such that no service starts on it.
    """
    service = settings.service
    if not archives.is_empty(service.database):
        raise TandemError(
            "the database is not empty, and a restore overwrites nothing; move it away, or set service.database to a "
            "new one"
        )
    service.state_dir.mkdir(parents=True, exist_ok=True)
    with (
        only_instance(service.state_dir, service.home),
        only_user(service.database, service.home),
        tempfile.TemporaryDirectory(prefix=".restore-", dir=service.state_dir) as draft,
    ):
        manifest = _unpack(source, Path(draft))
        settled = _bring_back(service.database, manifest, Path(draft) / DATABASE, _ended(until, manifest.made_at))
        _bring_state(Path(draft), service.state_dir)
    _report(settled, manifest.made_at)
    return 0


def settle_in_place(settings: Settings, until: datetime | None) -> int:
    """Do for a database that was brought back by other means what `restore` does after it; raises `TandemError`."""
    service = settings.service
    with only_user(service.database, service.home), archives.open_for_a_moment(service.database) as engine:
        if archives.is_empty(service.database):
            raise TandemError("the database is empty: bring it back first")
        with engine.connect().execution_options(is_writer=True) as connection, connection.begin():
            if archives.others_count(connection):
                raise TandemError("somebody works on the database; stop every Tandem that shares it first")
            bring_up(connection)
            known = last_known_at(connection) or datetime.now(UTC)
            settled = settle(connection, _restore(known, _ended(until, known)))
    _report(settled, known)
    return 0


def _ended(until: datetime | None, backed_up_at: datetime) -> datetime:
    now = datetime.now(UTC)
    if until is not None and not backed_up_at <= until <= now:
        raise TandemError(
            f"--until must be between the backup's moment and now: {backed_up_at:%Y-%m-%dT%H:%MZ} to {now:%H:%MZ}"
        )
    return until or now


def _restore(backed_up_at: datetime, until: datetime) -> Restore:
    return Restore(backed_up_at=backed_up_at, until=until, restored_at=datetime.now(UTC))


def _unpack(source: Path, draft: Path) -> _Manifest:
    """Unpack a backup and check that each file is what was packed; raises `TandemError`."""
    try:
        with tarfile.open(source, "r:gz") as packed:
            packed.extractall(draft, filter="data")
        manifest = _read_manifest(draft / MANIFEST)
    except (tarfile.TarError, EOFError, ValueError, KeyError, FileNotFoundError) as error:
        raise TandemError(f"{source} is no whole backup of Tandem's: {error}") from error
    for name, expected in manifest.sha256.items():
        path = draft / name
        if not path.is_file() or _digest(path) != expected:
            raise TandemError(f"{source} is damaged: {name} is not what was backed up; take another backup")
    return manifest


def _read_manifest(path: Path) -> _Manifest:
    said = json.loads(path.read_text(encoding="utf-8"))
    if said["format"] != FORMAT:
        raise TandemError("the backup was made by a newer version of Tandem; restore it with that one")
    return _Manifest(
        made_at=datetime.fromisoformat(said["made_at"]),
        dialect=str(said["dialect"]),
        revision=str(said["revision"]),
        sha256={str(name): str(digest) for name, digest in said["sha256"].items()},
    )


def _bring_back(url: str, manifest: _Manifest, copy: Path, until: datetime) -> Settled:
    parsed = make_url(url)
    if parsed.get_backend_name() != manifest.dialect:
        raise SettingsError(f"the backup is of {manifest.dialect}; set service.database to such a one")
    meant = _restore(manifest.made_at, until)
    if manifest.dialect == "sqlite":
        settled = _settle(f"sqlite:///{copy}", manifest, meant)
        # Whole or not at all: a file of that name is a database that is settled.
        target = Path(str(parsed.database))
        target.parent.mkdir(parents=True, exist_ok=True)
        beside = target.with_name(f"{target.name}.restoring")
        archives.load(f"sqlite:///{beside}", copy)
        beside.rename(target)
        return settled
    archives.load(url, copy)
    return _settle(url, manifest, meant)


def _settle(url: str, manifest: _Manifest, meant: Restore) -> Settled:
    with (
        archives.open_for_a_moment(url) as engine,
        engine.connect().execution_options(is_writer=True) as connection,
        connection.begin(),
    ):
        archives.check(connection)
        _name_revision(connection, manifest)
        bring_up(connection)
        return settle(connection, meant)


def _name_revision(connection: Connection, manifest: _Manifest) -> None:
    """Say which schema a copy has; PostgreSQL's leaves it out, so that nobody starts on what is not settled."""
    if manifest.dialect == "postgresql":
        statement = text("INSERT INTO alembic_version (version_num) VALUES (:revision)")
        connection.execute(statement, {"revision": manifest.revision})


def _bring_state(draft: Path, state_dir: Path) -> None:
    """Bring files back beside those that are there; a secret stays the one that sessions are signed with now."""
    for path in [draft / SECRET, *sorted((draft / MEDIA).glob("*/*"))]:
        target = state_dir / path.relative_to(draft)
        if path.exists() and not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, target)


def _report(settled: Settled, backed_up_at: datetime) -> None:
    held_count = settled.inbox_count + settled.outbox_count
    log.error("database_restored", backed_up_at=backed_up_at.isoformat(), held_count=held_count)
    console = Console(highlight=False)
    console.print(
        f"The database is as it was at {backed_up_at:%Y-%m-%d %H:%M:%S} UTC, and nothing that may have been sent since "
        f"is sent again: {settled.inbox_count} that came in and {settled.outbox_count} that were to go out are held. "
        f"{settled.desk_count} posts of the desk are looked for before they are made again."
    )
    if held_count:
        console.print("Decide about what is held: `python -m bot dead-letters` lists it.")
    console.print(
        "What channels bring again that was written before the old database ended is held as well. Start Tandem now."
    )


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
