"""The pipeline over a fresh database of either kind and a sample shop."""

from __future__ import annotations

import logging
import shutil
from collections.abc import AsyncIterator, Iterator
from datetime import date
from pathlib import Path

import pytest
import structlog

from bot.domain.rules import Rules
from bot.store.database import Database, open_engine
from bot.store.sample_shop.shop import SampleShop, fill
from tests.databases import run_in
from tests.fakes.connector import FakeConnector
from tests.pipeline.rig import PLAIN, Rig
from tests.quiet import logs_as


@pytest.fixture(scope="session")
def shop_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a sample shop's file, to be copied."""
    path = tmp_path_factory.mktemp("shop") / "shop.db"
    run_in(f"sqlite:///{path}", lambda connection: fill(connection, date(2026, 3, 4)))
    return path


@pytest.fixture(scope="module", autouse=True)
def _quiet() -> Iterator[None]:
    """Do not print what the pipeline logs: the failures here are wanted."""
    with logs_as(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL)):
        yield


@pytest.fixture
def rules() -> Rules:
    """Return how tickets are worked; tests that care about it have their own."""
    return PLAIN


@pytest.fixture
def also() -> tuple[FakeConnector, ...]:
    """Return what is connected beside the rig's own channel; nothing, but for tests of several channels."""
    return ()


@pytest.fixture
async def rig(
    database: Database, shop_template: Path, tmp_path: Path, rules: Rules, also: tuple[FakeConnector, ...]
) -> AsyncIterator[Rig]:
    """Return the pipeline, with nothing in it yet."""
    url = f"sqlite:///{shutil.copy(shop_template, tmp_path / 'shop.db')}"
    shop = SampleShop(Database(open_engine(url)), url)
    made = Rig(database, shop, tmp_path, rules, also)
    yield made
    await made.close()
    await shop.close()
