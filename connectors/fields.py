"""Reading JSON of a channel: members are taken by name and type, and whatever comes out can be stored."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NoReturn

from bot.domain.errors import MalformedWebhookError

#: Far beyond any coordinate, amount or duration, and safely a float.
_NUMBER_MAX = 1e18
_BITS_MAX = 63
#: Longer than any id of a message.
_ID_MAX = 300


def load(body: bytes) -> object:
    """Return the JSON value in `body`; raises `MalformedWebhookError` for anything that is not strict UTF-8 JSON."""
    try:
        value: object = json.loads(body.decode("utf-8"), parse_constant=_refuse)
    except ValueError as error:
        raise MalformedWebhookError(f"the body is not JSON: {type(error).__name__}") from None
    except RecursionError:
        raise MalformedWebhookError("the body is nested too deeply") from None
    return value


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def storable(text: str) -> str:
    """Return `text` with what neither UTF-8 nor a database holds (lone surrogates, NUL) replaced by U+FFFD."""
    whole = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return whole.replace("\x00", "\ufffd")


class Fields:
    """A JSON object read member by member.

    A missing or wrongly typed member raises `MalformedWebhookError`, which says where and never what. A member that is
    null counts as absent.
    """

    def __init__(self, value: object, path: str = "$") -> None:
        if not isinstance(value, dict):
            raise MalformedWebhookError(f"{path} must be an object")
        self._members: dict[str, object] = value
        self._path = path

    def dump(self) -> str:
        """Return the whole object as JSON that can be stored."""
        return json.dumps(self._members).replace("\\u0000", "\\ufffd")

    def __contains__(self, name: str) -> bool:
        return self._members.get(name) is not None

    def __iter__(self) -> Iterator[str]:
        """Yield the names of what is there, in the order of the text."""
        return (storable(name) for name in self._members if name in self)

    def text(self, name: str, default: str | None = None) -> str:
        """Return a string, storable; `default`, if given, when it is absent."""
        value = self._members.get(name)
        if value is None and default is not None:
            return default
        if not isinstance(value, str):
            self._wrong(name, "a string")
        return storable(value)

    def integer(self, name: str) -> int:
        """Return a whole number of at most 64 bits, as every channel's are."""
        value = self._members.get(name)
        if not isinstance(value, int) or isinstance(value, bool) or value.bit_length() > _BITS_MAX:
            self._wrong(name, "a whole number")
        return value

    def size(self, name: str) -> int | None:
        """Return a whole number that is not negative; none when it is absent."""
        if name not in self:
            return None
        value = self.integer(name)
        return value if value >= 0 else self._wrong(name, "a size")

    def number(self, name: str) -> float:
        """Return a finite number."""
        value = self._members.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _NUMBER_MAX:
            return float(value)
        return self._wrong(name, "a number")

    def flag(self, name: str) -> bool:
        """Return a truth value; false when it is absent."""
        value = self._members.get(name)
        if value is None or isinstance(value, bool):
            return bool(value)
        return self._wrong(name, "true or false")

    def moment(self, name: str, per_second: int = 1) -> datetime:
        """Return the moment that a count of seconds since 1970, or of parts of them, names."""
        try:
            return datetime.fromtimestamp(self.integer(name) / per_second, UTC)
        except (OverflowError, OSError, ValueError):
            self._wrong(name, "a moment")

    def object(self, name: str) -> Fields:
        """Return a member that is an object."""
        return Fields(self._members.get(name), f"{self._path}.{name}")

    def objects(self, name: str) -> list[Fields]:
        """Return a member that is a list of objects; an empty list when it is absent."""
        value = self._members.get(name)
        if value is None:
            return []
        if not isinstance(value, list):
            self._wrong(name, "a list")
        return [Fields(item, f"{self._path}.{name}[{n}]") for n, item in enumerate(value)]

    def texts(self, name: str, at_most: int) -> list[str]:
        """Return a member that is a list of strings, storable; an empty list when it is absent."""
        value = self._members.get(name)
        if value is None:
            return []
        if not isinstance(value, list) or len(value) > at_most:
            self._wrong(name, f"a list of at most {at_most} strings")
        if not all(isinstance(item, str) for item in value):
            self._wrong(name, "a list of strings")
        return [storable(item) for item in value]

    def integers(self, name: str, at_most: int) -> list[int]:
        """Return a member that is a list of whole numbers; an empty list when it is absent."""
        value = self._members.get(name)
        if value is None:
            return []
        if not isinstance(value, list) or len(value) > at_most:
            self._wrong(name, f"a list of at most {at_most} whole numbers")
        items = {str(n): item for n, item in enumerate(value)}
        return [Fields(items, f"{self._path}.{name}").integer(each) for each in items]

    def aside(self, *path: str) -> str | None:
        """Return the id at the end of a path of members; none where it is absent, empty or odd in any way.

        For what a message is no worse without.
        """
        value: object = self._members
        for name in path:
            value = value.get(name) if isinstance(value, dict) else None
        return storable(value) if isinstance(value, str) and 0 < len(value) <= _ID_MAX else None

    def _wrong(self, name: str, wanted: str) -> NoReturn:
        raise MalformedWebhookError(f"{self._path}.{name} must be {wanted}")
