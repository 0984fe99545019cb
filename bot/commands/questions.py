"""What `connect` asks about an account, read from the class that holds its settings."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from bot.domain.errors import SettingsError
from connectors.registry import SECTIONS
from connectors.setup import ChannelSettings

_DOCS = Path("docs")
_MEMBER = re.compile(r"^    #: (?P<words>.+)\n    (?P<name>[a-z_]+):", re.MULTILINE)
_STEP = re.compile(r"^(\d+\. |   |$)")


@dataclass(frozen=True, kw_only=True)
class Question:
    """One member of a section."""

    name: str
    #: what it is, in the words of the settings
    words: str
    is_secret: bool
    is_needed: bool
    #: whether any words will do, so that we can make them up
    is_made_up: bool


def section_of(name: str) -> type[ChannelSettings]:
    """Return the section of a channel, by its name, the section's or what people call it; raises `SettingsError`."""
    wanted = name.strip().lower()
    for section in SECTIONS.values():
        known = {section.section, *section.titles, *(title.lower() for title in section.titles.values())}
        if wanted in known:
            return section
    raise SettingsError(f"{name} is no channel that can be connected; take one of {', '.join(SECTIONS)}")


def questions(section: type[ChannelSettings]) -> tuple[Question, ...]:
    """Return what to ask, what has to be there first; switches, numbers and servers' addresses keep their defaults."""
    words, asked = _words(section), list[Question]()
    for name, field in section.model_fields.items():
        is_secret = field.annotation in {SecretStr, SecretStr | None}
        is_needed = name in section.needed
        is_text = field.annotation in {str, str | None} and not (field.default and not is_needed)
        if is_needed or ((is_secret or is_text) and not name.endswith("_url")):
            asked.append(
                Question(
                    name=name,
                    words=words.get(name) or name.replace("_", " "),
                    is_secret=is_secret,
                    is_needed=is_needed,
                    is_made_up=name in section.made_up,
                )
            )
    return tuple(sorted(asked, key=lambda each: not each.is_needed))


def _words(section: type[ChannelSettings]) -> dict[str, str]:
    """Return the comment above each member, those of the class above included."""
    found: dict[str, str] = {}
    for each in reversed(section.__mro__):
        if issubclass(each, ChannelSettings):
            found |= {match["name"]: match["words"] for match in _MEMBER.finditer(inspect.getsource(each))}
    return found


def steps(section: type[ChannelSettings], docs: Path = _DOCS) -> str:
    """Return the first numbered list of the channel's guide, as Markdown; empty where there is no guide."""
    try:
        text = (docs / f"connect-{section.section}.md").read_text(encoding="utf-8")
    except OSError:
        return ""
    lines = iter(text.splitlines())
    taken: list[str] = []
    for line in lines:
        if taken and not _STEP.match(line):
            break
        if taken or line.startswith("1. "):
            taken.append(line)
    return "\n".join(taken).strip()


def from_environment(environ: Mapping[str, str], section: type[ChannelSettings], prefix: str) -> frozenset[str]:
    """Return the members that the environment gives: they are neither asked for nor written to a file."""
    start = f"{prefix}{section.section.upper()}__"
    named = (name.removeprefix(start).lower() for name, value in environ.items() if name.startswith(start) and value)
    return frozenset(named)
