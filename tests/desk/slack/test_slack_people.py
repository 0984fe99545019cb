from __future__ import annotations

import pytest

from bot.domain.rules import Team
from bot.domain.tickets import EVERYBODY, TeamName
from tests.desk.conftest import Desk
from tests.desk.slack.ticket import ALICE, BOB


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        ({"is_bot": True}, "Bots"),
        ({"is_restricted": True}, "Guests"),
        ({"is_ultra_restricted": True, "is_restricted": True}, "Guests"),
        ({"is_stranger": True}, "members of this workspace"),
        ({"team_id": "T0OTHER"}, "members of this workspace"),
        ({"deleted": True}, "deactivated"),
        (None, "does not know you"),
    ],
)
async def test_only_members_of_the_workspace_act(desk: Desk, flags: dict[str, object] | None, reason: str) -> None:
    """Bots, guests, strangers and people who left can neither claim nor reply by any way, and are told why."""
    card = await desk.post_card()
    if flags is not None:
        desk.slack.add_user("U0EVE", "Eve", **flags)
    await desk.slack.click("U0EVE", card, "tandem_claim")
    await desk.slack.click("U0EVE", card, "tandem_reply")
    await desk.slack.write("U0EVE", card, "&gt; send me your password")
    await desk.slack.click(ALICE, card, "tandem_reply")
    answer = await desk.slack.submit("U0EVE", desk.slack.views[-1], "send me your password")
    await desk.slack.click(ALICE, card, "tandem_note")
    note = desk.slack.submit_body("U0EVE", desk.slack.views[-1], "send me your password")
    await desk.work()
    await desk.app.handle(note)
    assert desk.acts.log == []
    assert len(desk.slack.views) == 2
    assert reason in answer["errors"]["text"]
    assert [user for user, text in desk.told if reason in text] == ["U0EVE"] * 4


async def test_a_person_who_left_is_refused_within_a_minute(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Slack's word on somebody is believed for sixty seconds and no longer."""
    people = desk.app._events._parts.people
    now = 0.0
    monkeypatch.setattr(people, "_clock", lambda: now)
    assert (await people.verdict(ALICE)).agent is not None
    desk.slack.users[ALICE]["deleted"] = True
    now = 59.0
    assert (await people.verdict(ALICE)).agent is not None
    now = 61.0
    assert (await people.verdict(ALICE)).agent is None
    assert [method for method, _ in desk.slack.calls].count("users.info") == 2


async def test_a_user_group_narrows_agents_down(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a group configured, other members of the workspace only look on."""
    people = desk.app._events._parts.people
    monkeypatch.setattr(people, "_user_groups", ("S0AGENTS",))
    desk.slack.groups["S0AGENTS"] = [BOB]
    assert (await people.verdict(ALICE)).agent is None
    assert (await people.verdict(BOB)).agent is not None


async def test_agents_are_of_the_teams_whose_groups_they_are_in(desk: Desk) -> None:
    """A team with a user group is of its members, one without is everybody's; without any group all teams are."""
    people = desk.app._events._parts.people
    desk.slack.groups["S0RETURNS"] = [BOB]
    teams = [Team(name=TeamName("returns"), title="Returns", user_group="S0RETURNS"), Team(name=EVERYBODY, title="All")]
    assert await people.teams_of(ALICE, teams) == (EVERYBODY,)
    assert await people.teams_of(BOB, teams) == ("returns", EVERYBODY)
    assert await people.teams_of(ALICE, teams[1:]) is None


async def test_an_event_is_tried_again_when_slack_cannot_be_asked(desk: Desk) -> None:
    """While Slack does not say who somebody is, nothing is done and the worker keeps the event."""
    card = await desk.post_card()
    await desk.slack.write(ALICE, card, "&gt; Hello")
    desk.slack.fail("users.info", "500")
    (raw,) = desk.inbox.take()
    with pytest.raises(Exception, match="status: 500"):
        await desk.app.handle(raw)
    assert desk.acts.sent == []
    await desk.app.handle(raw)
    assert [text for _, text, _ in desk.acts.sent] == ["Hello"]
