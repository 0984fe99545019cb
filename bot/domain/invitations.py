"""Invitations from a public thread to a private conversation: one-time tokens that a link carries or a person types.

Whoever reads the thread can use one, so a token joins two conversations and proves nothing about anybody.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NewType

from bot.domain.channels import ChannelAddress
from bot.domain.conversations import ConversationId
from bot.domain.messages import TranscriptLine

#: Ten signs of `ALPHABET`: 47 bits.
InvitationToken = NewType("InvitationToken", str)

#: Neither vowels, so that no word is a token, nor signs that are taken for each other.
ALPHABET = "23456789bcdfghjkmnpqrstvwxz"
LENGTH = 10
#: How long an invitation can be used, and wrong tokens of one address until it is not listened to, in which time.
GUESSES_MAX = 5

_HALF = f"[{ALPHABET}]{{{LENGTH // 2}}}"
_MARK = "join-"
_LINKED = re.compile(f"{_MARK}({_HALF})-?({_HALF})", re.IGNORECASE)
_TYPED = re.compile(rf"(?<![\w-])(?:{_MARK})?(?!\d{{5}}-\d{{5}})({_HALF})-({_HALF})(?![\w-])", re.IGNORECASE)


class Joining(StrEnum):
    """What comes of a token."""

    JOINED = "joined"
    #: somebody has used it before
    USED = "used"
    EXPIRED = "expired"
    UNKNOWN = "unknown"
    #: too many unknown ones came from there
    BARRED = "barred"


@dataclass(frozen=True, kw_only=True)
class Brought:
    """A token that a private message brings."""

    token: InvitationToken
    #: what the message says besides
    rest: str


@dataclass(frozen=True, kw_only=True)
class Joined:
    """A conversation that an invitation joined to another one, as agents see it."""

    conversation_id: ConversationId
    address: ChannelAddress
    #: whether everybody reads what is written there
    is_public: bool
    at: datetime
    #: number of its newest ticket; none: it has none
    ticket_number: int | None
    #: the last lines, oldest first
    transcript: tuple[TranscriptLine, ...]


def referral_of(token: InvitationToken) -> str:
    """Return what a link carries: letters, digits and hyphens, which every channel takes."""
    return f"{_MARK}{token}"


def is_invitation(referral: str) -> bool:
    """Whether a link carried an invitation of ours."""
    return _LINKED.fullmatch(referral.strip()) is not None


def shown(token: InvitationToken) -> str:
    """Return the token as people type it: `B7KXR-2MQ9D`."""
    return f"{token[: LENGTH // 2]}-{token[LENGTH // 2 :]}".upper()


def fingerprint(token: InvitationToken) -> str:
    """Return what is kept in a token's place: its SHA-256 in hex."""
    return hashlib.sha256(token.encode()).hexdigest()


def brought(text: str, referral: str) -> Brought | None:
    """Return the token that a message brings, by its link before its text; none: it brings none."""
    linked = _LINKED.fullmatch(referral.strip())
    if linked is not None:
        return Brought(token=_token(linked), rest=text.strip())
    typed = _TYPED.search(text) or _LINKED.search(text)
    if typed is None:
        return None
    return Brought(token=_token(typed), rest=f"{text[: typed.start()].rstrip()} {text[typed.end() :].lstrip()}".strip())


def _token(match: re.Match[str]) -> InvitationToken:
    return InvitationToken((match[1] + match[2]).lower())
