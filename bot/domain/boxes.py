"""What can become of a row of the inbox or the outbox: the one table that every statement about its state goes by.

`tests/model` proves what follows from it, by a model that makes the same moves.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Box(StrEnum):
    """The two tables that every message goes through, by their names."""

    INBOX = "inbox"
    OUTBOX = "outbox"


class RowState(StrEnum):
    """Where a row stands; all but the first two are final."""

    PENDING = "pending"
    #: in work, under a lease
    CLAIMED = "claimed"
    #: handled: answered, relayed, or left to people
    DONE = "done"
    SENT = "sent"
    #: shown in the post of another row
    JOINED = "joined"
    #: decided against before it left
    WITHHELD = "withheld"
    #: given up on: it has not left
    DEAD = "dead"
    #: given up on: nobody knows whether it has left, or was handled
    HELD = "held"
    #: a sample of what nobody can read yet
    KEPT = "kept"


class Move(StrEnum):
    """What can happen to a row."""

    PUT = "put"
    CLAIM = "claim"
    #: its work ended well
    FINISH = "finish"
    #: it is handled together with the row that it waits behind
    GO_ALONG = "go_along"
    #: it is to be tried again
    DEFER = "defer"
    #: what the bot decided is too late: the conversation changed hands
    WITHHOLD = "withhold"
    #: an agent takes back what has not left
    TAKE_BACK = "take_back"
    GIVE_UP = "give_up"
    #: it lost its worker
    RELEASE = "release"
    #: the database went back to an earlier state
    RESTORE = "restore"
    #: a person lets a dead letter be tried again
    REVIVE = "revive"
    #: a person has no more use for a dead letter
    DROP = "drop"


#: From where to where; none: there is no row.
Step = tuple[RowState | None, RowState | None]

_PENDING, _CLAIMED, _DEAD, _HELD = RowState.PENDING, RowState.CLAIMED, RowState.DEAD, RowState.HELD

#: Every step that a row of a box can make, by what happens to it.
MOVES: Mapping[Box, Mapping[Move, frozenset[Step]]] = {
    Box.INBOX: {
        Move.PUT: frozenset({(None, _PENDING), (None, _HELD), (None, _DEAD), (None, RowState.KEPT)}),
        Move.CLAIM: frozenset({(_PENDING, _CLAIMED)}),
        Move.FINISH: frozenset({(_CLAIMED, RowState.DONE)}),
        Move.GO_ALONG: frozenset({(_PENDING, RowState.DONE)}),
        Move.DEFER: frozenset({(_CLAIMED, _PENDING)}),
        Move.TAKE_BACK: frozenset({(_PENDING, RowState.WITHHELD)}),
        Move.GIVE_UP: frozenset({(_CLAIMED, _DEAD)}),
        Move.RELEASE: frozenset({(_CLAIMED, _PENDING), (_CLAIMED, _DEAD)}),
        Move.RESTORE: frozenset({(_PENDING, _HELD), (_CLAIMED, _HELD), (_CLAIMED, _PENDING)}),
        Move.REVIVE: frozenset({(_DEAD, _PENDING), (_HELD, _PENDING)}),
        Move.DROP: frozenset({(_DEAD, None), (_HELD, None), (RowState.KEPT, None)}),
    },
    Box.OUTBOX: {
        Move.PUT: frozenset({(None, _PENDING)}),
        Move.CLAIM: frozenset({(_PENDING, _CLAIMED)}),
        Move.FINISH: frozenset({(_CLAIMED, RowState.SENT), (_CLAIMED, RowState.JOINED)}),
        Move.GO_ALONG: frozenset({(_PENDING, RowState.JOINED)}),
        Move.DEFER: frozenset({(_CLAIMED, _PENDING)}),
        Move.WITHHOLD: frozenset({(_CLAIMED, RowState.WITHHELD)}),
        Move.TAKE_BACK: frozenset({(_PENDING, RowState.WITHHELD)}),
        Move.GIVE_UP: frozenset({(_CLAIMED, _DEAD), (_CLAIMED, _HELD)}),
        Move.RELEASE: frozenset({(_CLAIMED, _PENDING), (_CLAIMED, _HELD)}),
        Move.RESTORE: frozenset({(_PENDING, _HELD), (_CLAIMED, _HELD), (_CLAIMED, _PENDING)}),
        Move.REVIVE: frozenset({(_DEAD, _PENDING), (_HELD, _PENDING)}),
        Move.DROP: frozenset({(_DEAD, None), (_HELD, None)}),
    },
}


def sources(box: Box, move: Move, into: RowState | None) -> frozenset[RowState]:
    """Return the states in which a row can make the move that ends there; raises `ValueError` when none can."""
    found = frozenset(of for of, to in MOVES[box].get(move, frozenset()) if of is not None and to is into)
    if not found:
        raise ValueError(f"a row of the {box} cannot {move} into {into}")
    return found


def end(box: Box, move: Move, into: RowState | None = None) -> RowState:
    """Return the state that the move ends in; of several ends, `into`. Raises `ValueError` for one it has not."""
    ends = {to for _, to in MOVES[box].get(move, frozenset()) if to is not None}
    if into is None and len(ends) == 1:
        return ends.pop()
    if into not in ends:
        raise ValueError(f"a row of the {box} cannot {move} into {into}")
    return into
