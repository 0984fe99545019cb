"""Writes an account into the settings file and leaves everything else in it as people wrote it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import AoT, Table

from bot.domain.errors import SettingsError


def put_account(text: str, section: str, values: Mapping[str, str], *, is_another: bool) -> str:
    """Return the settings file `text` with `values` in `[section]`, beside the account there if it `is_another`.

    Raises `SettingsError` for what is not TOML.
    """
    document = _parse(text)
    present = document.get(section)
    if present is None:
        document.add(section, _filled(tomlkit.table(), values))
    elif isinstance(present, AoT):
        if is_another:
            present.append(_filled(tomlkit.table(), values))
        else:
            _filled(present[-1], values)
    elif not isinstance(present, Table):
        raise SettingsError(f"[{section}] must be a section of the settings file")
    elif is_another:
        several = tomlkit.aot()
        several.append(present)
        several.append(_filled(tomlkit.table(), values))
        document[section] = several
    else:
        _filled(present, values)
    return tomlkit.dumps(document)


def put_public_url(text: str, url: str) -> str:
    """Return the settings file `text` with the address at which channels reach us."""
    document = _parse(text)
    if not isinstance(document.get("service"), Table):
        document.add("service", tomlkit.table())
    service = document["service"]
    if isinstance(service, Table):
        service["public_url"] = url
    return tomlkit.dumps(document)


def write(path: Path, text: str) -> None:
    """Replace the file whole or not at all; a new one is its owner's alone, as it holds secrets."""
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o600
    fresh = path.with_name(f".{path.name}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w", encoding="utf-8") as file:
            file.write(text)
        fresh.chmod(mode)
        fresh.replace(path)
    except OSError as error:
        raise SettingsError(f"the settings file {path} cannot be written: {error.strerror}") from None


def _parse(text: str) -> tomlkit.TOMLDocument:
    try:
        return tomlkit.parse(text)
    except TOMLKitError as error:
        raise SettingsError(f"the settings file is not TOML: {error}") from None


def _filled(table: Table, values: Mapping[str, str]) -> Table:
    for name, value in values.items():
        table[name] = value
    return table
