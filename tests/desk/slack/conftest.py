from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
import structlog

from tests.desk.workplace import Workplace, workplace
from tests.fakes.slack import FakeSlack
from tests.pipeline.conftest import also, rig, rules, shop_template  # noqa: F401 - fixtures
from tests.pipeline.rig import Rig
from tests.quiet import logs_as


@pytest.fixture(scope="module", autouse=True)
def _plain_logs() -> Iterator[None]:
    """Do not draw the failures that are wanted here: that takes a second each."""
    with logs_as(processors=[structlog.processors.KeyValueRenderer()]):
        yield


@pytest.fixture
async def place(rig: Rig, slack: FakeSlack) -> AsyncIterator[Workplace]:  # noqa: F811 - the fixture
    """Return the pipeline with its desk in a Slack that keeps count."""
    async with workplace(rig, slack) as made:
        yield made
