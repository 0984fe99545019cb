"""Titles of choices that are longer than a channel's buttons: written out in the text, and tapped by their number."""

from __future__ import annotations

from dataclasses import replace

from bot.domain.connectors import Capabilities
from bot.domain.messages import Choice, OutboundMessage
from bot.domain.planning import CHOOSE
from connectors.fields import storable


def explain(message: OutboundMessage, can: Capabilities) -> OutboundMessage:
    """Return the message with its choices written out where one of their titles is too long for what is tapped."""
    is_short = all(_length(each.title) <= can.choice_title_max for each in message.choices)
    if is_short or len(message.choices) > can.choices_max:
        return message
    lines = [f"{number}. {each.title}" for number, each in enumerate(message.choices, 1)]
    return replace(message, text="\n".join([message.text.strip() or CHOOSE, *lines]))


def shown_titles(choices: tuple[Choice, ...], title_max: int) -> list[str]:
    """Return what is written on what customers tap; where a title is too long, all carry the text's numbers."""
    is_numbered = any(_length(each.title) > title_max for each in choices)
    return [
        _short(f"{number}. {each.title}" if is_numbered else each.title, title_max)
        for number, each in enumerate(choices, 1)
    ]


def _short(title: str, title_max: int) -> str:
    title = storable(title)
    if _length(title) <= title_max:
        return title
    while _length(title) > title_max - 1:
        title = title[:-1]
    return f"{title}…"


def _length(title: str) -> int:
    """Return the length as the strictest channel counts it: in UTF-16 units."""
    return len(title.encode("utf-16-le", "surrogatepass")) // 2
