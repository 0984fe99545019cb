"""Opens what a process works with: Tandem's own database, and the brand's records and canned replies."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import structlog

from bot.desk.slack.macros import load
from bot.domain.macros import Macro
from bot.domain.ports import Clock
from bot.settings import Settings
from bot.store.brand import Brand, open_brand, open_sample_brand
from bot.store.database import Database, open_engine
from bot.store.migrating import migrate

log = structlog.get_logger()

#: Canned replies of the sample brand.
SAMPLE_MACROS = Path("deploy/macros.example.toml")


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


def own_macros(settings: Settings) -> tuple[Macro, ...]:
    """Return the brand's canned replies; raises `SettingsError` for a file that cannot be used."""
    chosen = settings.desk.macros
    if chosen is None and settings.records.url is None and SAMPLE_MACROS.exists():
        chosen = SAMPLE_MACROS
    return load(chosen) if chosen else ()
