"""One Tandem per state folder: the second one to start is told about the first."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from pydantic import SecretStr

from bot.domain.errors import SettingsError


@contextmanager
def only_instance(state_dir: Path, url: str) -> Iterator[None]:
    """Hold the state folder for as long as the context lasts; raises `SettingsError` that says who holds it already."""
    file = _open(state_dir / "run" / "instance.json")
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


def service_secret(chosen: SecretStr | None, state_dir: Path) -> str:
    """Return the chosen secret, or the one kept in the state folder: made on first use, readable by its owner alone."""
    if chosen is not None:
        return chosen.get_secret_value()
    path = state_dir / "secret"
    try:
        state_dir.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text(encoding="ascii").strip()
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        secret = secrets.token_urlsafe(32)
        file.write(secret)
    return secret


def _open(path: Path) -> IO[str]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        return path.open("r+", encoding="utf-8")
    except OSError as error:
        raise SettingsError(
            f"{path} cannot be written: {error.strerror}; set service.state_dir to a folder of yours"
        ) from error


def _describe(file: IO[str]) -> str:
    try:
        known = json.loads(file.read())
        return f"Tandem is running already: {known['url']} (process {known['pid']})"
    except (ValueError, KeyError):
        return "Tandem is starting already, from this folder"
