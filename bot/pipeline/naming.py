"""Learning what customers are called, on channels that do not say it with each message."""

from __future__ import annotations

from collections import OrderedDict

from bot.domain.channels import ChannelAddress
from bot.domain.connectors import KnowsNames
from bot.domain.texts import line
from bot.store import conversations
from bot.store.database import Database

#: Customers of whom it is remembered that their name was asked for.
_REMEMBERED = 10_000
_NAME_MAX = 200


class Naming:
    """Asks once for each customer's name, for as long as this process runs."""

    def __init__(self, database: Database) -> None:
        """Keep names in `database`."""
        self._database = database
        self._asked: OrderedDict[str, None] = OrderedDict()

    def is_new(self, address: ChannelAddress) -> bool:
        """Whether the name was not asked for yet; from now on it was."""
        key = str(address)
        if key in self._asked:
            return False
        self._asked[key] = None
        while len(self._asked) > _REMEMBERED:
            self._asked.popitem(last=False)
        return True

    async def learn(self, connector: KnowsNames, address: ChannelAddress) -> None:
        """Ask the channel, and keep what it says where nothing is kept yet."""
        name = await connector.name_of(address)
        if name and (cleaned := line(name)[:_NAME_MAX]):
            await self._database.write(conversations.set_name, address, cleaned)
