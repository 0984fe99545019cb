"""`backup`: everything that a new machine needs to go on, in one file, while the service works on."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from sqlalchemy import make_url

from bot.domain.errors import TandemError
from bot.settings import Settings
from bot.store import archives
from bot.store.migrating import revisions

#: What a file begins with to be one of ours; grows when older versions could not read it.
FORMAT = 1
MANIFEST = "manifest.json"
DATABASE = "database"
MEDIA = "media"
SECRET = "secret"  # noqa: S105 - the name of a file


def backup(settings: Settings, target: Path) -> int:
    """Write the backup, or nothing; raises `TandemError`."""
    if target.exists():
        raise TandemError(f"{target} is there already; give the backup a name of its own")
    made_at = datetime.now(UTC)
    with tempfile.TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent) as draft:
        archive, copy = Path(draft) / "archive", Path(draft) / DATABASE
        url = settings.service.database
        archives.dump(url, copy)
        manifest = {"format": FORMAT, "made_at": made_at.isoformat(), **_describe(url, copy)}
        file_count = _write(archive, copy, settings.service.state_dir, manifest)
        archive.rename(target)
    size = target.stat().st_size / 1024 / 1024
    Console(highlight=False).print(
        f"{target}: the database and {file_count} files, {size:.1f} MB. It holds all that customers wrote, and the "
        "secret of sessions: keep it as safe as the database. Settings and models are not in it."
    )
    return 0


def _describe(url: str, copy: Path) -> dict[str, str]:
    """Return which database the copy is of, once it is looked through."""
    dialect = make_url(url).get_backend_name()
    looked_at = f"sqlite:///{copy}" if dialect == "sqlite" else url
    with archives.open_for_a_moment(looked_at) as engine, engine.connect() as connection:
        archives.check(connection)
        revision, _ = revisions(connection)
    if revision is None:
        raise TandemError("the database holds nothing of Tandem's; check service.database")
    return {"dialect": dialect, "revision": revision}


def _write(archive: Path, copy: Path, state_dir: Path, manifest: dict[str, object]) -> int:
    """Pack everything; return how many files of customers and agents that were."""
    sums = {DATABASE: _digest(copy)}
    with archive.open("xb") as file:
        os.fchmod(file.fileno(), 0o600)
        with tarfile.open(fileobj=file, mode="w:gz", compresslevel=6) as packed:
            packed.add(copy, DATABASE)
            for path in [state_dir / SECRET, *sorted((state_dir / MEDIA).glob("*/*"))]:
                _pack(packed, path, str(path.relative_to(state_dir)), sums)
            content = json.dumps(manifest | {"sha256": sums}).encode()
            packed.addfile(_entry(MANIFEST, content), io.BytesIO(content))
        file.flush()
        os.fsync(file.fileno())
    return sum(name.startswith(MEDIA) for name in sums)


def _pack(packed: tarfile.TarFile, path: Path, name: str, sums: dict[str, str]) -> None:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        # Erased since the folder was listed, or a secret that the settings hold.
        return
    sums[name] = hashlib.sha256(content).hexdigest()
    packed.addfile(_entry(name, content), io.BytesIO(content))


def _entry(name: str, content: bytes) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), 0o600
    return entry


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
