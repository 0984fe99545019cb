"""A thousand tickets in a minute, against a Slack that keeps count."""

from __future__ import annotations

import pytest

from tests.desk.conftest import slack  # noqa: F401 - fixture
from tests.desk.storms import check_storm
from tests.desk.workplace import workplace
from tests.fakes.slack import FakeSlack
from tests.pipeline.conftest import also, rig, rules, shop_template  # noqa: F401 - fixtures
from tests.pipeline.rig import Rig


@pytest.mark.faults
@pytest.mark.timeout(1800)
async def test_a_thousand_tickets_in_a_minute(rig: Rig, slack: FakeSlack) -> None:  # noqa: F811 - the fixtures
    """None is lost, no limit is broken, and the urgent ones come before the rest."""
    async with workplace(rig, slack) as place:
        await check_storm(place, 1_000)
