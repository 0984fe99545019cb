"""What agents type in Slack, as the plain text a customer reads."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

#: `<@U1>`, `<#C1|general>`, `<!here>`, `<https://example.com|label>`: all that Slack puts between angle brackets.
_TOKEN = re.compile(r"<([^<>|]*)(?:\|([^<>]*))?>")
_MENTION = re.compile(r"<@([A-Z0-9]+)(?:\|[^<>]*)?>")


class Destination(StrEnum):
    """Where a message written in a ticket's thread goes."""

    #: every line starts with `>`
    CUSTOMER = "customer"
    #: no line that counts does
    NOTE = "note"
    #: it starts with `>` but not every line does: it could be either, so it is not sent
    UNCLEAR = "unclear"


@dataclass(frozen=True, kw_only=True)
class Written:
    """A message of the thread, read for what its author meant."""

    destination: Destination
    #: plain; without the `>` signs when it goes to the customer
    text: str


def mentioned(text: str) -> set[str]:
    """Return the ids of the people a Slack text mentions."""
    return set(_MENTION.findall(text))


def emoji_in(blocks: object) -> dict[str, str]:
    """Return `:wave:` → 👋 for every emoji in a message's blocks; the workspace's own emoji have no such character."""
    found: dict[str, str] = {}
    for node in _nodes(blocks):
        name, code = node.get("name"), node.get("unicode")
        if node.get("type") == "emoji" and isinstance(name, str) and isinstance(code, str):
            tone = node.get("skin_tone")
            suffix = f":skin-tone-{tone}:" if isinstance(tone, int) else ""
            try:
                found[f":{name}:{suffix}"] = "".join(chr(int(point, 16)) for point in code.split("-"))
            except (ValueError, OverflowError):
                continue
    return found


def plain(text: str, names: Mapping[str, str], emoji: Mapping[str, str]) -> str:
    """Return a Slack text as people read it: names for mentions, addresses for links, characters for emoji."""
    shown = _TOKEN.sub(lambda match: _token(match[1], match[2], names), text)
    for code in sorted(emoji, key=len, reverse=True):
        shown = shown.replace(code, emoji[code])
    return shown.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def read(text: str) -> Written:
    """Return where a plain text goes: `>` before every line, or `>>>` once, sends it to the customer."""
    body = text.strip()
    if not body.startswith(">"):
        return Written(destination=Destination.NOTE, text=body)
    if body.startswith(">>>"):
        return Written(destination=Destination.CUSTOMER, text=body[3:].strip())
    lines = body.split("\n")
    if any(line.strip() and not line.startswith(">") for line in lines):
        return Written(destination=Destination.UNCLEAR, text=body)
    return Written(destination=Destination.CUSTOMER, text="\n".join(_unquoted(line) for line in lines).strip())


def _unquoted(line: str) -> str:
    return line[1:].removeprefix(" ") if line.startswith(">") else line


def _token(what: str, label: str | None, names: Mapping[str, str]) -> str:
    if what.startswith("@"):
        return names.get(what[1:], label or "a colleague")
    if what.startswith("#"):
        return f"#{label or what[1:]}"
    if what.startswith("!"):
        return label or f"@{what[1:].partition('^')[0]}"
    address = what.removeprefix("mailto:").removeprefix("tel:")
    if not label or address.rstrip("/").endswith(label.rstrip("/")):
        return address
    return f"{label} ({address})"


def _nodes(value: object) -> Iterator[dict[str, object]]:
    pending = [value]
    while pending:
        node = pending.pop()
        if isinstance(node, dict):
            yield node
            pending.extend(node.values())
        elif isinstance(node, list):
            pending.extend(node)
