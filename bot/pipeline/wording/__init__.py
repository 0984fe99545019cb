"""What the pipeline's own sentences are in other languages than English, from the files beside this one."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import yaml

_FOLDER = Path(__file__).parent


@cache
def languages() -> tuple[str, ...]:
    """Return the codes of the languages that there is a file for."""
    return tuple(sorted(file.stem for file in _FOLDER.glob("*.yml")))


def wording(language: str | None) -> dict[str, str]:
    """Return the sentences in a language ("de", "de-at") by their names; nothing where there is no file for it."""
    code = (language or "").replace("_", "-").partition("-")[0].casefold()
    return _read(code) if code in languages() else {}


@cache
def _read(code: str) -> dict[str, str]:
    read: dict[str, str] = yaml.safe_load((_FOLDER / f"{code}.yml").read_text("utf-8"))
    return read
