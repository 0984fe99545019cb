from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.desk.workplace import Workplace, workplace
from tests.fakes.slack import FakeSlack
from tests.pipeline.conftest import rig, rules, shop_template  # noqa: F401 - fixtures
from tests.pipeline.rig import Rig


@pytest.fixture
async def place(rig: Rig, slack: FakeSlack) -> AsyncIterator[Workplace]:  # noqa: F811 - the fixture
    """Return the pipeline with its desk in a Slack that keeps count."""
    async with workplace(rig, slack) as made:
        yield made
