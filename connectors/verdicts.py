"""What a channel's refusal means for a message: the middle column of every connector's table of errors."""

from __future__ import annotations

from enum import Enum, auto


class Verdict(Enum):
    """What a refusal means for the message."""

    #: the same call may succeed later
    LATER = auto()
    #: this message never will
    NEVER = auto()
    #: nothing goes through the account until somebody mends it
    ACCOUNT = auto()


LATER, NEVER, ACCOUNT = Verdict.LATER, Verdict.NEVER, Verdict.ACCOUNT
