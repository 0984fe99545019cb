"""One Tandem per state folder and per SQLite file: the second one to start is told about the first."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import IO

from pydantic import SecretStr
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from bot.domain.errors import SettingsError


@contextmanager
def only_instance(state_dir: Path, url: str) -> Iterator[None]:
    """Hold the state folder for as long as the context lasts; raises `SettingsError` that says who holds it already."""
    with _held(state_dir / "run" / "instance.json", url):
        yield


@contextmanager
def only_user(database: str, url: str) -> Iterator[None]:
    """Hold a SQLite file while the context lasts; raises `SettingsError` that says which Tandem works on it already.

    Two would take each other's rows for those of a dead process. Other databases are meant to be shared.
    """
    file = _sqlite_file(database)
    with _held(Path(f"{file}-instance.json"), url) if file else nullcontext():
        yield


@contextmanager
def _held(path: Path, url: str) -> Iterator[None]:
    file = _open(path)
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SettingsError(_describe(file)) from None
        file.truncate(0)
        json.dump({"pid": os.getpid(), "url": url}, file)
        file.flush()
        try:
            yield
        finally:
            file.truncate(0)


def _sqlite_file(database: str) -> str | None:
    try:
        parsed = make_url(database)
    except ArgumentError:
        # Whoever opens it says what is wrong with it.
        return None
    return parsed.database if parsed.get_backend_name() == "sqlite" else None


def service_secret(chosen: SecretStr | None, state_dir: Path) -> str:
    """Return the chosen secret, or the one kept in the state folder: made on first use, readable by its owner alone."""
    if chosen is not None:
        return chosen.get_secret_value()
    path = state_dir / "secret"
    if not path.exists():
        _write_once(path, secrets.token_urlsafe(32))
    return path.read_text(encoding="ascii").strip()


def _write_once(path: Path, secret: str) -> None:
    """Make the file whole or not at all; of several who make it at once, the first one's stays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}-{secrets.token_hex(8)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
        file.write(secret)
        file.flush()
        os.fsync(file.fileno())
    try:
        with suppress(FileExistsError):
            path.hardlink_to(draft)
    finally:
        draft.unlink()


def _open(path: Path) -> IO[str]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        return path.open("r+", encoding="utf-8")
    except OSError as error:
        raise SettingsError(
            f"{path} cannot be written: {error.strerror}; set service.state_dir and service.database to places of yours"
        ) from error


def _describe(file: IO[str]) -> str:
    try:
        known = json.loads(file.read())
        return f"Tandem is running already: {known['url']} (process {known['pid']})"
    except (ValueError, KeyError):
        return "Tandem is starting already, from this folder"
