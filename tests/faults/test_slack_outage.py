"""Seventeen hours without Slack, with five hundred threads open."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import pytest

from tests.desk.conftest import slack  # noqa: F401 - fixture
from tests.desk.outages import prepare, watching
from tests.desk.workplace import Workplace, workplace
from tests.fakes.slack import FakeSlack
from tests.pipeline.conftest import also, rig, rules, shop_template  # noqa: F401 - fixtures
from tests.pipeline.rig import Rig

ALICE, BOB = "U0ALICE", "U0BOB"
OPEN_COUNT = 500


@pytest.mark.faults
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("changed_count", "seconds"), [(45, 60), (200, 240)])
async def test_five_hundred_threads_after_seventeen_hours(
    rig: Rig,  # noqa: F811 - the fixture
    slack: FakeSlack,  # noqa: F811 - the fixture
    changed_count: int,
    seconds: int,
    tell: Callable[[str], None],
) -> None:
    """Of 500 open threads those that changed are read first, as fast as Slack lets us: fifty a minute.

    What was written in them reaches its customers once; what was deleted in the others is found after that.
    """
    async with workplace(rig, slack) as place:
        tickets = await prepare(place, OPEN_COUNT)
        _, backfill = watching(place)
        sent = [await place.slack.write(ALICE, card, "&gt; sent") for _, card in tickets[1::100]]
        await place.work()
        await backfill.look()
        await place.pass_(3600, step=600)
        changed = range(0, OPEN_COUNT, OPEN_COUNT // changed_count)[:changed_count]
        await _miss(place, [tickets[number][1] for number in changed], sent)
        assert place.slack.limits is not None
        place.slack.limits.broken.clear()
        back_at, kept_at = place.rig.clock.now(), list[datetime]()
        real = place.app._persist

        async def persist(external_id: str, address: object, raw: dict[str, object]) -> bool:
            is_new = await real(external_id, address, raw)  # type: ignore[arg-type]
            if is_new:
                kept_at.append(place.rig.clock.now())
            return is_new

        place.app._persist = persist
        assert await backfill.look() == len(changed) + len(sent)
        assert kept_at[len(changed) - 1] - back_at <= timedelta(seconds=seconds)
        tell(
            f"{len(changed)} of {OPEN_COUNT} threads changed: the first 45 read after"
            f" {(kept_at[44] - back_at).total_seconds():.0f} s, all that changed after"
            f" {(kept_at[len(changed) - 1] - back_at).total_seconds():.0f} s, all after"
            f" {(place.rig.clock.now() - back_at).total_seconds():.0f} s"
        )
        await place.work()
        for number in changed:
            assert place.rig.seen(f"c{number}")[-1] == "an answer"
        for number in range(1, OPEN_COUNT, 100):
            assert "sent" not in place.rig.seen(f"c{number}")
        assert await backfill.look() == 0


async def _miss(place: Workplace, cards: Sequence[str], deleted: Sequence[str]) -> None:
    """Let agents answer below these cards and delete these messages near the end of seventeen hours."""
    place.slack.is_down = True
    place.rig.clock.pass_(hours=16, minutes=57)
    for number, card in enumerate(cards):
        await place.slack.write(BOB if number % 2 else ALICE, card, "&gt; an answer")
    for ts in deleted:
        await place.slack.delete(ts)
    place.rig.clock.pass_(minutes=3)
    place.slack.is_down = False
