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
_LENGTH_MAX = {
    "elements": 25,
    "fields": 10,
    "private_metadata": 3000,
    "value": 2000,
    "callback_id": 255,
    "block_id": 255,
    "action_id": 255,
    "placeholder": 150,
    "label": 2000,
    "hint": 2000,
}
#: Whom rich text can name: Slack refuses blocks that name anybody else.
_ID = {"user": re.compile(r"[UW][A-Z0-9]+"), "usergroup": re.compile(r"S[A-Z0-9]+")}


def block_problem(blocks: list[Json], *, is_view: bool = False) -> str:
    """Return the error Slack would answer to these blocks of a message or a view; empty when it takes them."""
    texts = [node["text"] for node in nodes(blocks) if isinstance(node.get("text"), str)]
    if not is_view and sum(len(text.encode("utf-16-le")) // 2 for text in texts) > 13_000:
        return "msg_blocks_too_long"
    ids = [block["block_id"] for block in blocks if "block_id" in block]
    is_wrong = (
        len(blocks) > (100 if is_view else 50)
        or not all(texts)
        or len(ids) != len(set(ids))
        or any(_breaks_limit(node) or _names_nobody(node) for node in nodes(blocks))
        or any(_repeats(block) for block in blocks)
    )
    return "invalid_blocks" if is_wrong else ""


def _breaks_limit(node: Json) -> bool:
    text, kind = node.get("text"), str(node.get("type"))
    if isinstance(text, dict) and len(text["text"]) > _TEXT_MAX.get(kind, 3000):
        return True
    if kind == "context" and not 1 <= len(node["elements"]) <= 10:
        return True
    if kind == "overflow" and not 1 <= len(node["options"]) <= 5:
        return True
    if "options" in node and (len(node["options"]) > 100 or any(_is_bad_option(option) for option in node["options"])):
        return True
    if kind == "rich_text" or kind.startswith("rich_text_"):
        return False
    return any(len(node[name]) > limit for name, limit in _LENGTH_MAX.items() if name in node)


def _names_nobody(node: Json) -> bool:
    kind = str(node.get("type"))
    return kind in _ID and _ID[kind].fullmatch(str(node.get(f"{kind}_id"))) is None


def _is_bad_option(option: Json) -> bool:
    shown = [option["text"], *([option["description"]] if "description" in option else [])]
    return any(not 1 <= len(text["text"]) <= 75 for text in shown) or not 1 <= len(option["value"]) <= 150


def _repeats(block: Json) -> bool:
    """Whether two elements of a row carry the same action."""
    actions = [element.get("action_id") for element in block.get("elements", ()) if isinstance(element, dict)]
    named = [action for action in actions if action]
    return len(named) != len(set(named))


def tokens(message: Json) -> list[str]:
    """Return every mention, link or broadcast that Slack would make of a message."""
    parsed = [node["text"] for node in nodes(message.get("blocks")) if node.get("type") == "mrkdwn"]
    found = [token for text in [*parsed, message.get("text") or ""] for token in re.findall(r"<[^<>]+>", text)]
    rich = {"user", "usergroup", "channel", "broadcast", "link", "team"}
    return [*found, *(node["type"] for node in nodes(message.get("blocks")) if node.get("type") in rich)]


def visible(message: Json) -> str:
    """Return the text of a message's rich and plain elements, as people read it."""
    return "".join(node["text"] for node in nodes(message.get("blocks")) if node.get("type") in {"text", "plain_text"})
