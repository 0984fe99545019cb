"""What the fake Telegram deals in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]


class RefusedError(Exception):
    """An answer that is not ok."""

    def __init__(self, code: int, description: str, **parameters: int) -> None:
        super().__init__(description)
        self.code, self.description, self.parameters = code, description, parameters


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What goes wrong with the next call of a method."""

    #: "sendMessage"
    method: str
    #: whether the call takes effect all the same
    is_done: bool = False
    #: the answer's HTTP code and description, unless the connection is cut
    code: int = 500
    description: str = "Internal Server Error"
    #: seconds of pause asked for
    retry_after: float | None = None
    #: the answer's body, byte for byte, instead
    body: bytes | None = None
    #: of the answer, that many bytes go out before the connection is cut
    cut_after: int | None = None
    #: no answer ever comes
    hangs: bool = False


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A message of the bot as the customer sees it."""

    message_id: int
    #: "text", "photo", "document", …
    kind: str
    text: str = ""
    #: titles and callback data of the buttons, top to bottom
    buttons: tuple[tuple[str, str], ...] = ()
    name: str = ""
    content: bytes = b""


@dataclass(kw_only=True)
class Update:
    """Something that waits to be fetched or delivered."""

    body: Json
    lane: str
    expires_at: float

    @property
    def id(self) -> int:
        """Telegram's number of it."""
        number: int = self.body["update_id"]
        return number


@dataclass(kw_only=True)
class Webhook:
    """Where updates are delivered."""

    url: str
    secret: str
    last_error: str = ""
    last_error_at: int = 0
