"""What people write in several pieces: which messages may be pieces of one, and how long the next one is waited for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from bot.domain import invitations
from bot.domain.messages import TEXT_MAX, InboundMessage

#: Pieces of one turn; what a flood brings beyond them are turns of their own.
PIECES_MAX = 20
#: Somebody who goes on and on is answered after so many times the pause that is waited for.
PAUSES_MAX = 4
#: A text of so many characters is a whole one, however it ends.
_LONG = 120
#: A sign that ends a sentence, though not three dots, which say that something follows.
_ENDED = re.compile(r"(?<!\.)[.!?。！？؟][\"'”’)\]]*\s*$")


def is_piece(message: InboundMessage) -> bool:
    """Whether a message can be a piece of a longer one: a tap, an edit and an invitation are answered by themselves."""
    return (
        message.choice is None and message.edits is None and invitations.brought(message.text, message.referral) is None
    )


def looks_whole(text: str) -> bool:
    """Whether a text looks as if nothing followed."""
    return len(text) >= _LONG or _ENDED.search(text) is not None


def fitting(head: InboundMessage, behind: Sequence[InboundMessage]) -> int:
    """Return how many of the messages right behind `head` are of one turn with it."""
    length, count = len(head.text), 0
    for message in behind[: PIECES_MAX - 1]:
        length += 1 + len(message.text)
        if not is_piece(message) or length > TEXT_MAX:
            break
        count += 1
    return count


def joined(pieces: Sequence[InboundMessage]) -> InboundMessage:
    """Return the pieces as one message: a line each, all files, and the rest as the first has it."""
    if len(pieces) == 1:
        return pieces[0]
    return replace(
        pieces[0],
        text="\n".join(piece.text for piece in pieces if piece.text),
        attachments=tuple(file for piece in pieces for file in piece.attachments),
    )


def waits_until(first_at: datetime, last_at: datetime, pause: timedelta) -> datetime:
    """Return until when another piece is waited for, after pieces that came between those moments."""
    return min(last_at + pause, first_at + PAUSES_MAX * pause)
