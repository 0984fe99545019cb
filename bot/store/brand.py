"""The brand behind the bot: its records to read, and what may be done in its systems."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

import structlog

from bot.domain.errors import DirectoryUnavailableError
from bot.domain.ports import BusinessCommands, Clock, CommandResult
from bot.store.customer_mapping import load_mapping
from bot.store.customers.directory import SqlCustomerDirectory
from bot.store.sample_shop.shop import SampleShop, open_sample_shop

log = structlog.get_logger()

#: Where the sample shop stands: its days begin there.
_SHOP_ZONE = ZoneInfo("Europe/London")
_LOOK_EVERY = 300.0


class NoCommands:
    """`BusinessCommands` for a brand whose systems only people may change."""

    async def execute(self, name: str, arguments: dict[str, object], key: str) -> CommandResult:
        """Refuse, so that a person does it."""
        del arguments, key
        log.info("command_for_people", name=name)
        return CommandResult(is_done=False, reason="one of my colleagues has to do this")


@dataclass(frozen=True, kw_only=True)
class Brand:
    """A brand's records and systems, open."""

    directory: SqlCustomerDirectory
    commands: BusinessCommands
    #: none: the brand is real
    sample_shop: SampleShop | None


@asynccontextmanager
async def open_brand(url: str, mapping: Path | None) -> AsyncIterator[Brand]:
    """Open a brand's own database; raises `SettingsError` when the mapping does not fit it.

    A database that is down now is asked again with each question.
    """
    directory = SqlCustomerDirectory(url, load_mapping(mapping))
    try:
        try:
            await directory.check()
        except DirectoryUnavailableError as error:
            log.warning("records_unavailable", error=str(error))
        yield Brand(directory=directory, commands=NoCommands(), sample_shop=None)
    finally:
        await directory.close()


@asynccontextmanager
async def open_sample_brand(path: Path, clock: Clock) -> AsyncIterator[Brand]:
    """Open the sample shop kept at `path`, made when missing; raises `SettingsError` when the file cannot be used."""
    async with AsyncExitStack() as stack:
        shop = await open_sample_shop(path, clock.now().astimezone(_SHOP_ZONE).date())
        stack.push_async_callback(shop.close)
        directory = SqlCustomerDirectory(shop.url, load_mapping(None))
        stack.push_async_callback(directory.close)
        yield Brand(directory=directory, commands=shop, sample_shop=shop)


async def keep_dated(shop: SampleShop, clock: Clock) -> None:
    """Date the sample shop's records anew when a day begins, until cancelled."""
    today = clock.now().astimezone(_SHOP_ZONE).date()
    while True:
        await asyncio.sleep(_LOOK_EVERY)
        if (day := clock.now().astimezone(_SHOP_ZONE).date()) != today:
            await shop.date_anew(day)
            today = day
