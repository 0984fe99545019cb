"""Seventeen hours without Slack, with five hundred threads open."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from tests.desk.conftest import slack  # noqa: F401 - fixture
from tests.desk.outages import prepare, watching
from tests.desk.workplace import workplace
from tests.fakes.slack import FakeSlack
from tests.pipeline.conftest import also, rig, rules, shop_template  # noqa: F401 - fixtures
from tests.pipeline.rig import Rig

ALICE, BOB = "U0ALICE", "U0BOB"


@pytest.mark.faults
@pytest.mark.timeout(1800)
async def test_five_hundred_threads_after_seventeen_hours(rig: Rig, slack: FakeSlack) -> None:  # noqa: F811 - the fixtures
    """Of 500 open threads the 45 that changed are read within a minute of Slack's return, within its limits."""
    async with workplace(rig, slack) as place:
        tickets = await prepare(place, 500)
        _, backfill = watching(place)
        await backfill.look()
        await place.pass_(3600, step=600)
        place.slack.is_down = True
        place.rig.clock.pass_(hours=16, minutes=57)
        changed = list(range(0, 495, 11))
        for number in changed:
            await place.slack.write(ALICE if number % 2 else BOB, tickets[number][1], f"&gt; answer {number}")
        place.rig.clock.pass_(minutes=3)
        place.slack.is_down = False
        assert place.slack.limits is not None
        place.slack.limits.broken.clear()
        back_at = place.rig.clock.now()
        kept_at: list[datetime] = []
        real = place.app._persist

        async def persist(external_id: str, address: object, raw: dict[str, object]) -> bool:
            kept_at.append(place.rig.clock.now())
            return await real(external_id, address, raw)  # type: ignore[arg-type]

        place.app._persist = persist
        assert await backfill.look() == len(changed)
        assert max(kept_at) - back_at <= timedelta(seconds=60)
        await place.work()
        for number in changed:
            assert place.rig.seen(f"c{number}")[-1] == f"answer {number}"
        assert await backfill.look() == 0
