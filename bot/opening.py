"""Opens the two databases of a process: Tandem's own, and the brand's records."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from bot.domain.ports import Clock
from bot.settings import Settings
from bot.store.brand import Brand, open_brand, open_sample_brand
from bot.store.database import Database, open_engine
from bot.store.migrating import migrate

log = structlog.get_logger()


@asynccontextmanager
async def open_records(settings: Settings, clock: Clock) -> AsyncIterator[Brand]:
    """Open the brand's own database, or the sample shop; raises `SettingsError`."""
    if settings.records.url is not None:
        opening = open_brand(settings.records.url.get_secret_value(), settings.records.mapping)
    else:
        opening = open_sample_brand(settings.service.state_dir / "shop.db", clock)
    async with opening as brand:
        yield brand


@asynccontextmanager
async def open_database(settings: Settings) -> AsyncIterator[Database]:
    """Open the database at this version's schema; raises `SettingsError`."""
    url = settings.service.database
    engine = open_engine(url)
    try:
        revision = await asyncio.to_thread(migrate, engine)
    except BaseException:
        engine.dispose()
        raise
    if revision is not None:
        log.info("database_migrated", revision=revision)
    database = Database(engine)
    try:
        yield database
    finally:
        await database.close()
