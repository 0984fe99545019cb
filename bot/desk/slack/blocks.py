"""The parts that everything in Slack is made of: Block Kit elements, and what Slack takes of them.

Text of customers stands only in `rich_text` and `plain_text` elements, which Slack does not parse, and escaped in the
`text` that notifications show. Limits: https://docs.slack.dev/reference/block-kit/blocks and, for the sum of the texts
of a message, the `msg_blocks_too_long` that Slack answers beyond some 13,000 characters.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from bot.desk import words
from bot.domain.connectors import TextUnit
from bot.domain.planning import measure

Block = dict[str, object]

#: What Slack takes; ours stay below.
BLOCKS_MAX = 50
VIEW_BLOCKS_MAX = 100
TEXTS_MAX = 13_000
HEADER_MAX = 150
LABEL_MAX = 75
OPTIONS_MAX = 100
#: Of a fact on a card, and of the text a notification shows.
FACT_MAX = 700
FALLBACK_MAX = 300
#: Of what an agent can type into a modal (Slack's own limit).
INPUT_MAX = 3_000


@dataclass(frozen=True, kw_only=True)
class Post:
    """The visible part of a message in Slack."""

    #: for notifications, escaped
    text: str
    blocks: list[Block]


def post(summary: str, blocks: list[Block]) -> Post:
    """Return a post whose notification says `summary`."""
    return Post(text=escape(clip(summary, FALLBACK_MAX)), blocks=blocks)


def escape(said: str) -> str:
    """Return `said` so that Slack shows it as it is (https://docs.slack.dev/messaging/formatting-message-text)."""
    return said.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def clip(said: str, limit: int) -> str:
    """Return `said`, or as much of it as fits `limit` UTF-16 units with the number of characters left out."""
    if measure(said, TextUnit.UTF16) <= limit:
        return said
    room, kept = limit - 40, 0
    for character in said:
        room -= 2 if ord(character) > 0xFFFF else 1
        if room < 0:
            break
        kept += 1
    return f"{said[:kept]}… ({len(said) - kept} more characters)"


def short(said: str, limit: int = LABEL_MAX) -> str:
    """Return `said` on one line, cut with an ellipsis to at most `limit` UTF-16 units: for labels."""
    line = " ".join(said.split()) or "–"
    if measure(line, TextUnit.UTF16) <= limit:
        return line
    line = line[:limit]
    while measure(line, TextUnit.UTF16) > limit - 1:
        line = line[:-1]
    return f"{line}…"


def plain(said: str) -> Block:
    """Return text that Slack does not parse."""
    return {"type": "plain_text", "text": said, "emoji": False}


def mrkdwn(said: str) -> Block:
    """Return text that Slack parses: for our own words only."""
    return {"type": "mrkdwn", "text": said}


def header(said: str) -> Block:
    """Return a heading on one line."""
    return {"type": "header", "text": plain(short(said, HEADER_MAX))}


def context(*elements: Block) -> Block:
    """Return a line in small print, of at most ten elements."""
    return {"type": "context", "elements": list(elements)}


def remark(said: str) -> Block:
    """Return a line of text in small print."""
    return context(plain(clip(said, FACT_MAX) or "–"))


def rich(*elements: Block) -> Block:
    """Return a block of sections and quotes."""
    return {"type": "rich_text", "elements": list(elements)}


def section(*elements: Block) -> Block:
    """Return one paragraph of a `rich` block."""
    return {"type": "rich_text_section", "elements": list(elements)}


def quote(said: str) -> Block:
    """Return what somebody said, behind a bar."""
    return {"type": "rich_text_quote", "elements": [text(said)]}


def box(said: str) -> Block:
    """Return text to copy, in a box."""
    return {"type": "rich_text_preformatted", "elements": [text(said)]}


def text(said: str) -> Block:
    """Return a run of text of a section."""
    return {"type": "text", "text": said}


def bold(said: str) -> Block:
    """Return a run of bold text of a section."""
    return {"type": "text", "text": said, "style": {"bold": True}}


def divider() -> Block:
    """Return a thin line."""
    return {"type": "divider"}


def facts(pairs: Sequence[tuple[str, str]]) -> Block:
    """Return a block of lines, each a bold label and a value."""
    elements: list[Block] = []
    for number, (label, value) in enumerate(pairs):
        elements.append(bold(f"{label}: "))
        elements.append(text(clip(value or "–", FACT_MAX) + ("\n" if number < len(pairs) - 1 else "")))
    return rich(section(*elements))


def when(at: datetime, pattern: str = "{date_short_pretty} {time}") -> str:
    """Return a moment that Slack shows in the reader's own time zone, for `mrkdwn`; `{ago}` goes on by itself."""
    return f"<!date^{int(at.timestamp())}^{pattern}|{words.moment(at)}>"


def button(action_id: str, label: str, value: str, style: str = "") -> Block:
    """Return a button."""
    made: Block = {"type": "button", "action_id": action_id, "text": plain(short(label)), "value": value}
    return {**made, "style": style} if style else made


def buttons(block_id: str, *elements: Block) -> Block:
    """Return a row of buttons and menus, at most 25."""
    return {"type": "actions", "block_id": block_id, "elements": list(elements)}


def options(choices: Iterable[tuple[str, str]]) -> list[Block]:
    """Return (value, label) pairs as a menu takes them; what is too much for one is left out."""
    made: list[Block] = [{"text": plain(short(label)), "value": value} for value, label in choices]
    return made[:OPTIONS_MAX]


def overflow(action_id: str, choices: Iterable[tuple[str, str]]) -> Block:
    """Return the menu behind three dots, of at most five choices."""
    return {"type": "overflow", "action_id": action_id, "options": options(choices)[:5]}
