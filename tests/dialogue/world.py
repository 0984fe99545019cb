"""What conversations are held in: the loaded engine with its actions in this process, the sample shop, a clock."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from actions.server import ActionServer
from bot.domain.errors import DirectoryUnavailableError
from bot.domain.ports import CustomerDirectory
from bot.store.sample_shop.shop import SampleShop


@dataclass
class TableClock:
    """A clock that stands until it is moved."""

    at: datetime

    def now(self) -> datetime:
        """Return the moment it shows."""
        return self.at


class BreakableDirectory:
    """The real directory, which can be cut off."""

    def __init__(self, directory: CustomerDirectory) -> None:
        """Stand before `directory`."""
        self._directory = directory
        self.is_broken = False

    def __getattr__(self, name: str) -> object:
        """Return the directory's own method, or one that cannot read the records."""
        is_question = name != "order_numbers"
        return _unavailable if self.is_broken and is_question else getattr(self._directory, name)


async def _unavailable(*_: object) -> None:
    raise DirectoryUnavailableError


class LocalActions:
    """An action endpoint that calls the action server instead of a socket."""

    url = "here"
    #: where Rasa looks for the option to send less of the domain
    kwargs: Mapping[str, object] = {}

    def __init__(self) -> None:
        """Serve nothing yet."""
        self.server: ActionServer | None = None

    async def request(self, *_: object, json: dict[str, Any], **__: object) -> dict[str, object]:
        """Run the action as the engine's own endpoint would."""
        from rasa.utils.endpoints import ClientResponseError

        assert self.server is not None
        status, body = await self.server.run(through_json(json))
        if status == 400:
            raise ClientResponseError(status, "rejected", _dumped(body))
        if status != 200:
            raise AssertionError(f"{status} {body}")
        return body

    async def close(self) -> None:
        """Nothing is open."""


def through_json(body: dict[str, Any]) -> dict[str, Any]:
    """Return what arrives when the body travels over HTTP."""
    parsed: dict[str, Any] = json.loads(_dumped(body))
    return parsed


def _dumped(body: object) -> str:
    return json.dumps(body)


@dataclass
class World:
    """What a conversation is held in."""

    processor: Any
    actions: LocalActions
    directory: BreakableDirectory
    shop: SampleShop
    clock: TableClock
