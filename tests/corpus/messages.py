"""Reads the training data and the corpora beside this file as plain messages."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

CORPUS = Path(__file__).parent
_DATA = CORPUS.parent.parent / "data"
#: Where the training data of each language is.
TRAINING = {"en": _DATA / "nlu", "de": _DATA / "de"}

_ENTITY = re.compile(r"\[(?P<text>[^\]]+)\](?:\((?P<name>\w+)\)|\{[^}]*\})")
_NUMBER = re.compile(r"\d{6}")
_BARE_NUMBER = re.compile(r"[#\s]*(?:cl)?[-\s]*\d{6}")
#: Letters, digits and emoji; all else is how a message is dressed.
_NOISE = re.compile("[^a-zäöüß0-9\U0001f000-\U0001ffff\u2600-\u27bf]+")


class Message(NamedTuple):
    """What somebody wrote, with its label."""

    intent: str
    #: as typed, without the marks of entities
    text: str
    #: (name, text) of each marked entity
    entities: tuple[tuple[str, str], ...]


def read(path: Path) -> list[Message]:
    """Return the examples of all intents in one NLU file."""
    return [
        Message(part["intent"], _ENTITY.sub(r"\g<text>", line), tuple(_entities(line)))
        for part in _parts(path)
        if "intent" in part
        for line in _lines(part)
    ]


def training(language: str) -> list[Message]:
    """Return all training examples in a language."""
    return [message for path in _files(language) for message in read(path)]


def pattern(name: str) -> re.Pattern[str]:
    """Return the regex of an entity as the bot uses it: case does not matter."""
    parts = [part for path in _files("en") for part in _parts(path) if part.get("regex") == name]
    return re.compile("|".join(f"(?:{line})" for part in parts for line in _lines(part)), re.IGNORECASE)


def bare(text: str) -> str:
    """Return the text without case, punctuation and the digits of an order number in a sentence: equal for twins."""
    text = re.sub("['’]", "", text.lower()).strip()
    if not _BARE_NUMBER.fullmatch(text):
        text = _NUMBER.sub("number", text)
    return " ".join(_NOISE.sub(" ", text).split()) or text


def _files(language: str) -> list[Path]:
    return sorted(TRAINING[language].glob("*.yml"))


@functools.cache
def _parts(path: Path) -> list[dict[str, Any]]:
    parts: list[dict[str, Any]] = yaml.safe_load(path.read_text("utf-8")).get("nlu") or []
    return parts


def _lines(part: dict[str, Any]) -> list[str]:
    return [line.removeprefix("- ") for line in part["examples"].splitlines() if line.startswith("- ")]


def _entities(line: str) -> Iterator[tuple[str, str]]:
    return ((match["name"], match["text"]) for match in _ENTITY.finditer(line) if match["name"])
