from __future__ import annotations

import asyncio
import logging
import os
import shutil
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import structlog

from bot.store.customer_mapping import load_mapping
from bot.store.customers.directory import SqlCustomerDirectory
from bot.store.database import Database, open_engine
from bot.store.sample_shop.shop import open_sample_shop
from bot.trainer.training import Progress, train
from tests.dialogue.people import TODAY
from tests.dialogue.pipeline_driver import PipelineDriver
from tests.dialogue.world import BreakableDirectory, LocalActions, TableClock, World
from tests.quiet import logs_as

PROJECT = Path(__file__).parents[2]
#: A Monday morning.
NOW = datetime(2026, 11, 23, 10, 15, tzinfo=UTC)


@pytest.fixture(scope="session")
def model() -> Path:
    """Return a model of the bot as it stands; one that is there already is used."""
    given = os.environ.get("TANDEM_TEST_MODEL")
    if given:
        return Path(given)

    def ignore(_: Progress) -> None:
        """Nobody watches."""

    return asyncio.run(train(PROJECT, PROJECT / "var" / "models", ignore)).path


@pytest.fixture(scope="module", autouse=True)
def _quiet() -> Iterator[None]:
    """Do not print what each turn logs."""
    with logs_as(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING)):
        yield


@pytest.fixture(scope="session")
def engine(model: Path) -> tuple[Any, LocalActions]:
    """Return the loaded engine and the place where its actions are called."""
    from bot.engine import without_tensorflow

    without_tensorflow.install()
    from bot.engine.processor import StepProcessor

    actions = LocalActions()
    return StepProcessor(model, actions), actions  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def shop_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a sample shop, to be copied."""

    async def make(path: Path) -> None:
        await (await open_sample_shop(path, TODAY)).close()

    path = tmp_path_factory.mktemp("shop") / "shop.db"
    asyncio.run(make(path))
    return path


@pytest.fixture
async def driver(
    engine: tuple[Any, LocalActions], shop_file: Path, migrated_sqlite: Path, tmp_path: Path
) -> AsyncIterator[PipelineDriver]:
    """Return a new visitor of the web chat, with a database and a shop of their own."""
    own, kept = tmp_path / "shop.db", tmp_path / "tandem.db"
    shutil.copyfile(shop_file, own)
    shutil.copyfile(migrated_sqlite, kept)
    database = Database(open_engine(f"sqlite:///{kept}"))
    shop = await open_sample_shop(own, TODAY)
    directory = SqlCustomerDirectory(shop.url, load_mapping(None))
    world = World(
        processor=engine[0],
        actions=engine[1],
        directory=BreakableDirectory(directory),
        shop=shop,
        clock=TableClock(NOW),
    )
    yield PipelineDriver(world, database, tmp_path / "media")
    await database.close()
    await directory.close()
    await shop.close()
