"""App Home follows what happens, for those who look at it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.desk.slack.freshness import GATHERED_FOR, OPEN_FOR, PACE, FreshHomes
from bot.domain.acts import Claim
from bot.domain.tickets import Agent, AgentId
from tests.desk.conftest import Desk
from tests.fakes.slack_rules import visible

ALICE, BOB = "U0ALICE", "U0BOB"
SAM = Agent(id=AgentId("local:Sam"), name="Sam")


class StopError(Exception):
    """Ends a loop that never ends."""


async def look(desk: Desk, *users: str) -> None:
    """Let people open their page."""
    for user in users:
        await desk.slack.open_home(user)
    await desk.work()


def published(desk: Desk) -> int:
    """Return how many pages were published."""
    return sum(method == "views.publish" for method, _ in desk.slack.calls)


async def test_a_page_that_is_open_shows_what_others_did(desk: Desk) -> None:
    """Whoever has it open sees a new ticket and a claim; a page that has not changed is not published."""
    desk.slack.add_user(BOB, "Bob")
    await look(desk, ALICE)
    ticket = desk.acts.open()
    await desk.app.homes.refresh()
    assert "In the queue (1)" in visible(desk.slack.homes[ALICE])
    assert BOB not in desk.slack.homes
    await desk.acts.do(ticket, SAM, Claim(), "k")
    await desk.app.homes.refresh()
    assert "In the queue (0)" in visible(desk.slack.homes[ALICE])
    count = published(desk)
    await desk.app.homes.refresh()
    assert published(desk) == count


async def test_what_was_just_said_on_a_page_stays(desk: Desk) -> None:
    """The remark on what somebody pressed is not wiped away by the change that it made itself."""
    desk.acts.open()
    await look(desk, ALICE)
    await desk.slack.press(ALICE, desk.slack.homes[ALICE], "tandem_next")
    await desk.work()
    count = published(desk)
    await desk.app.homes.refresh()
    assert "Ticket 1 is yours" in visible(desk.slack.homes[ALICE])
    assert published(desk) == count


async def test_who_has_not_looked_for_long_is_left_alone(desk: Desk) -> None:
    """They see what is new when they open it."""
    await look(desk, ALICE)
    desk.acts.open()
    desk.acts.clock.moment += OPEN_FOR + timedelta(seconds=5)
    await desk.app.homes.refresh()
    assert "In the queue (0)" in visible(desk.slack.homes[ALICE])


async def test_many_changes_are_one_page_and_slack_may_refuse(desk: Desk) -> None:
    """Changes are gathered, Slack is given the pause that it asks for, and what it refused comes with the next one."""
    await look(desk, ALICE)
    before = published(desk)
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 4:
            raise StopError
        if seconds == GATHERED_FOR:
            desk.acts.open()
        else:
            homes.touch()

    homes = FreshHomes(desk.app._events.home, lambda: desk.acts.clock.moment, sleep)
    desk.slack.fail("views.publish", "429", after=7)
    homes.touch()
    homes.touch()
    with pytest.raises(StopError):
        await homes.run()
    assert pauses == [GATHERED_FOR, 7, GATHERED_FOR, PACE]
    assert published(desk) == before + 2
    assert "In the queue (2)" in visible(desk.slack.homes[ALICE])
