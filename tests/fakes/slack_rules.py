"""What Slack refuses, and what people see of a message: the documented rules, as functions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

Json = dict[str, Any]


def nodes(value: object) -> Iterator[Json]:
    """Yield every object inside a JSON value."""
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from nodes(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from nodes(inner)


#: Where Slack counts the text of a block or element, and how much it takes.
_TEXT_MAX = {"header": 150, "section": 3000, "button": 75}
_LENGTH_MAX = {"elements": 25, "fields": 10, "private_metadata": 3000, "value": 2000, "blocks": 100, "callback_id": 255}


def block_problem(blocks: list[Json]) -> str:
    """Return the error Slack would answer to these blocks; empty when it takes them."""
    texts = [node["text"] for node in nodes(blocks) if isinstance(node.get("text"), str)]
    if sum(len(text.encode("utf-16-le")) // 2 for text in texts) > 13_000:
        return "msg_blocks_too_long"
    is_wrong = len(blocks) > 50 or not all(texts) or any(_breaks_limit(node) for node in nodes(blocks))
    return "invalid_blocks" if is_wrong else ""


def _breaks_limit(node: Json) -> bool:
    text, kind = node.get("text"), str(node.get("type"))
    if isinstance(text, dict) and len(text["text"]) > _TEXT_MAX.get(kind, 3000):
        return True
    if kind == "context" and len(node["elements"]) > 10:
        return True
    if kind == "rich_text" or kind.startswith("rich_text_"):
        return False
    return any(len(node[name]) > limit for name, limit in _LENGTH_MAX.items() if name in node)


def tokens(message: Json) -> list[str]:
    """Return every mention, link or broadcast that Slack would make of a message."""
    parsed = [node["text"] for node in nodes(message.get("blocks")) if node.get("type") == "mrkdwn"]
    found = [token for text in [*parsed, message.get("text") or ""] for token in re.findall(r"<[^<>]+>", text)]
    rich = {"user", "usergroup", "channel", "broadcast", "link", "team"}
    return [*found, *(node["type"] for node in nodes(message.get("blocks")) if node.get("type") in rich)]


def visible(message: Json) -> str:
    """Return the text of a message's rich and plain elements, as people read it."""
    return "".join(node["text"] for node in nodes(message.get("blocks")) if node.get("type") in {"text", "plain_text"})
