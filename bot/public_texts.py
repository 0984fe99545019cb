"""The texts that a brand approved for everybody to read, from their file."""

from __future__ import annotations

import re
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

from bot.domain.connectors import ConnectorRegistry, RepliesPrivately
from bot.domain.doorways import doorways
from bot.domain.errors import SettingsError
from bot.domain.public import PublicRules, PublicText, PublicTexts, Texts, check_texts
from bot.domain.rules import Rules
from bot.settings import Settings

#: Those of the sample brand.
SAMPLE_TEXTS = Path("deploy/public.example.toml")
_LANGUAGE = re.compile("[a-z]{2,3}")
_KINDS = {
    "thanks": "thanks",
    "invitation": "invitations",
    "invitation_by_code": "invitations_by_code",
    "private_reply": "private_replies",
    "closing": "closings",
}
_NAMES = frozenset({*_KINDS, "answer"})


def with_public(rules: Rules, settings: Settings, connectors: ConnectorRegistry) -> Rules:
    """Return the rules with what is done in public; raises `SettingsError` for texts that cannot be used."""
    chosen = settings.public.texts
    if chosen is None and settings.records.url is None and SAMPLE_TEXTS.exists():
        chosen = SAMPLE_TEXTS
    public = PublicRules(
        doorways=doorways(connectors.connectors, settings.public.invite_to),
        replying=frozenset(
            f"{each.channel}/{each.account}" for each in connectors.connectors if isinstance(each, RepliesPrivately)
        ),
        texts=load(chosen) if chosen is not None else PublicTexts(),
        names=(settings.brand.name,),
        invitation_for=settings.public.invitation_for,
    )
    return replace(rules, public=public)


def load(path: Path) -> PublicTexts:
    """Return the texts of a TOML file; raises `SettingsError` that names what is wrong with it."""
    try:
        read = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"the public texts {path} cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is not TOML: {error}") from None
    languages = {name: part for name, part in read.items() if isinstance(part, dict) and name not in _NAMES}
    everywhere = {name: part for name, part in read.items() if name not in languages}
    for language in languages:
        if not _LANGUAGE.fullmatch(language):
            raise SettingsError(f"{path}: [{language}] must be a language of two or three letters, such as [de]")
    made = replace(
        _made(everywhere, str(path)),
        by_language={language: _made(part, f"{path}: [{language}]") for language, part in languages.items()},
    )
    try:
        check_texts(made)
    except SettingsError as error:
        raise SettingsError(f"{path}: {error}") from None
    return made


def _made(read: dict[str, Any], place: str) -> PublicTexts:
    """Return the texts of one language; `place` says in errors where they stand."""
    kinds = {name: value for name, value in read.items() if name != "answer"}
    entries, unknown = read.get("answer", []), sorted(set(kinds) - set(_KINDS))
    if unknown or not isinstance(entries, list):
        what = unknown[0] if unknown else "answer"
        raise SettingsError(f"{place}: {what!r} is none of {', '.join(_KINDS)}; write each answer under [[answer]]")
    answers: dict[str, Texts] = {}
    for entry in entries:
        intent, texts = _answer(entry, place)
        if intent in answers:
            raise SettingsError(f"{place}: there are two answers to {intent!r}; write the variations into one")
        answers[intent] = texts
    written: dict[str, Any] = {_KINDS[name]: _texts(value, name, place) for name, value in kinds.items()}
    return PublicTexts(answers=answers, **written)


def _answer(entry: object, place: str) -> tuple[str, Texts]:
    fields = entry if isinstance(entry, dict) else {}
    intent = fields.get("intent")
    if set(fields) != {"intent", "texts"} or not isinstance(intent, str) or not intent.strip():
        raise SettingsError(f"{place}: each [[answer]] needs an intent and texts, and nothing else")
    return intent.strip(), _texts(fields["texts"], f"the answer to {intent}", place)


def _texts(value: object, name: str, place: str) -> Texts:
    """Return one text or several variations."""
    written = value if isinstance(value, list) else [value]
    texts = [text.strip() for text in written if isinstance(text, str)]
    if not texts or len(texts) != len(written):
        raise SettingsError(f"{place}: {name} is a text, or a list of texts")
    return tuple(map(PublicText, texts))
