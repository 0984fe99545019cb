from __future__ import annotations

from bot.desk.slack.buttons import DeskAction
from bot.domain.tickets import TicketState
from bot.pipeline.desk.shifts import Shifts
from tests.desk.conftest import Desk
from tests.desk.slack.ticket import ALICE, BOB, answer, state_of
from tests.fakes.slack_api import QUEUE
from tests.fakes.slack_rules import nodes, visible


async def test_home_shows_what_is_mine_and_what_waits(desk: Desk) -> None:
    """Opening it publishes it; Next gives a ticket and shows it there, with the way to its card."""
    await desk.post_card()
    await desk.slack.open_home(ALICE)
    await desk.work()
    assert "Yours (0)" in visible(desk.slack.homes[ALICE])
    assert "In the queue (1)" in visible(desk.slack.homes[ALICE])
    await desk.slack.press(ALICE, desk.slack.homes[ALICE], DeskAction.NEXT)
    await desk.work()
    shown = visible(desk.slack.homes[ALICE])
    assert "Ticket 1 is yours: refund." in shown
    assert "Yours (1)" in shown
    (link,) = [node["url"] for node in nodes(desk.slack.homes[ALICE]["blocks"]) if "url" in node]
    assert link.startswith(f"https://copperleaf.slack.com/archives/{QUEUE}/p18")


async def test_home_claims_a_ticket_and_turns_pages(desk: Desk) -> None:
    """A ticket of the queue is claimed right there; more than a page is paged."""
    for _ in range(20):
        desk.acts.open()
    await desk.work()
    await desk.slack.open_home(ALICE)
    await desk.work()
    home = desk.slack.homes[ALICE]
    assert "#20" not in visible(home)
    await desk.slack.press(ALICE, home, f"{DeskAction.PAGE}:on")
    await desk.work()
    assert "#20" in visible(desk.slack.homes[ALICE])
    await desk.slack.press(ALICE, home, f"{DeskAction.CLAIM}:1")
    await desk.work()
    assert "Yours (1)" in visible(desk.slack.homes[ALICE])


async def test_home_says_who_is_there_and_shows_leads_the_load(desk: Desk) -> None:
    """Away and back are kept and shown; a lead, named by group, sees every team's tickets and people."""
    parts = desk.app._events._parts
    object.__setattr__(parts.resources, "shifts", Shifts(desk.acts._parts, desk.acts))
    object.__setattr__(parts.people, "_leads", ("S0LEADS",))
    desk.slack.groups["S0LEADS"] = [BOB]
    await desk.post_card()
    for user in (ALICE, BOB):
        await desk.slack.open_home(user)
    await desk.work()
    await desk.slack.press(ALICE, desk.slack.homes[ALICE], DeskAction.AVAILABLE)
    await desk.work()
    assert "You are available." in visible(desk.slack.homes[ALICE])
    assert "I am away" in visible(desk.slack.homes[ALICE])
    assert "Today: 0 closed" in visible(desk.slack.homes[ALICE])
    assert "All teams" not in visible(desk.slack.homes[ALICE])
    assert "Everybody · 1 waiting" in visible(desk.slack.homes[BOB])
    assert "You are away" in await answer(desk, ALICE, "away")
    await desk.slack.press(BOB, desk.slack.homes[BOB], DeskAction.NEXT)
    await desk.work()
    assert "Bob: 1 ticket" in visible(desk.slack.homes[BOB])
    assert visible(desk.slack.homes[BOB]).count("Today: 0 closed") == 2


async def test_home_tells_strangers_that_it_is_not_theirs(desk: Desk) -> None:
    """A guest sees no customer's name, and presses nothing."""
    await desk.post_card()
    desk.slack.add_user("U0GUEST", "Gil", is_restricted=True)
    await desk.slack.open_home("U0GUEST")
    await desk.work()
    home = desk.slack.homes["U0GUEST"]
    assert "Guests cannot answer customers." in visible(home)
    assert "Dana" not in visible(home)
    await desk.slack.press("U0GUEST", home, DeskAction.NEXT)
    await desk.work()
    assert state_of(desk) is TicketState.QUEUED
