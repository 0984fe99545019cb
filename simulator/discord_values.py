"""What the fake Discord deals in."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]


class RefusedError(Exception):
    """An answer that is an error."""

    def __init__(self, status: int, code: int, message: str, **more: Any) -> None:
        super().__init__(message)
        self.status = status
        self.body: Json = {"code": code, "message": message, **more}


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What goes wrong with the next call of a kind."""

    #: method and last word of the path that is no number: "POST messages", "GET bot"
    call: str
    #: whether the call takes effect all the same
    is_done: bool = False
    #: the answer, unless the connection is cut
    status: int = 500
    body: bytes = b'{"code": 0, "message": "500: Internal Server Error"}'
    headers: dict[str, str] = field(default_factory=dict)
    #: of the answer, that many bytes go out before the connection is cut
    cut_after: int | None = None
    #: no answer ever comes
    hangs: bool = False


@dataclass(kw_only=True)
class Session:
    """One session of the gateway, connected or not."""

    id: str
    intents: int
    dispatches: list[Json] = field(default_factory=list)


@dataclass(kw_only=True)
class Place:
    """A channel or a thread."""

    id: str
    #: none: direct messages
    guild_id: str | None = None
    name: str = ""
    #: of a thread
    parent_id: str | None = None
    messages: list[Json] = field(default_factory=list)
    #: when the bot last wrote here
    paces: deque[float] = field(default_factory=deque)
    #: why nobody can be written to here
    refusal: RefusedError | None = None
    #: how often the bot was seen typing
    typing_count: int = 0
