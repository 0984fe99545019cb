"""Slack's limits in virtual time: nothing lost, nothing too early, what is urgent first."""

from __future__ import annotations

import pytest

from bot.domain.rules import Rules, Team
from bot.domain.tickets import EVERYBODY, Priority, TeamName
from tests.desk.storms import check_storm
from tests.desk.workplace import Workplace, workplace
from tests.fakes.slack import FakeSlack
from tests.fakes.slack_api import QUEUE
from tests.fakes.slack_rules import visible
from tests.pipeline.rig import Rig

RETURNS = "C0RETURNS"
TEAMS = Rules(
    teams=(
        Team(name=TeamName("returns"), title="Returns", slack_channel=RETURNS, topics=frozenset({"topic r"})),
        Team(name=EVERYBODY, title="Everybody"),
    )
)


@pytest.mark.no_cover
async def test_a_storm_is_shown_at_slacks_pace(place: Workplace) -> None:
    """Of 120 tickets in a minute none is lost, no limit is broken, and the urgent ones come before the rest."""
    await check_storm(place, 120)


async def test_a_summary_names_what_is_urgent(place: Workplace) -> None:
    """Before the cards of a storm one post says how many there are, and which are urgent."""
    for number in range(20):
        await place.open(f"c{number}", Priority.URGENT if number == 13 else Priority.NORMAL)
    await place.pass_(0.5)
    said = [visible(root) for root in place.roots()]
    (summary,) = [post for post in said if "20 new tickets" in post]
    assert "Urgent: #14 topic c13." in summary
    # What goes in one burst goes at once.
    assert "topic c13" in said[0] + said[1] + said[2]


async def test_lines_that_wait_for_one_thread_become_one_post(place: Workplace) -> None:
    """Ten lines in a burst are shown at once, in order, and each is known by the post's metadata."""
    ticket_id = await place.open("ann")
    await place.pass_(5)
    card = await place.card(ticket_id)
    before = len(place.slack.thread(card))
    for number in range(10):
        await place.says(ticket_id, f"line {number}.")
    await place.pass_(5)
    posts = place.slack.thread(card)[before:]
    assert len(posts) == 1
    said = visible(posts[0])
    assert [said.index(f"line {number}.") for number in range(10)] == sorted(
        said.index(f"line {number}.") for number in range(10)
    )
    assert len(posts[0]["metadata"]["event_payload"]["message_ids"]) == 10


async def test_a_joint_post_whose_answer_was_lost_is_seen_once(place: Workplace) -> None:
    """What was joined stays joined when Slack's answer is lost, and is found before it is posted again."""
    ticket_id = await place.open("ann")
    await place.pass_(5)
    card = await place.card(ticket_id)
    before = len(place.slack.thread(card))
    place.slack.fail("chat.postMessage", "accept_then_cut")
    for number in range(3):
        await place.says(ticket_id, f"line {number}.")
    await place.post_once()
    await place.says(ticket_id, "line 3.")
    await place.pass_(20)
    posts = [visible(post) for post in place.slack.thread(card)[before:]]
    assert [sum(f"line {number}." in post for post in posts) for number in range(4)] == [1, 1, 1, 1]


async def test_slack_may_ask_a_whole_channel_to_slow_down(place: Workplace) -> None:
    """After a 429 nothing is posted in that channel for as long as Slack says, whichever ticket it is of."""
    await place.pass_(5)
    place.slack.fail("chat.postMessage", "429", after=30)
    for name in ("ann", "bob", "cem"):
        await place.open(name)
    await place.work()
    calls = len([1 for method, _ in place.slack.calls if method == "chat.postMessage"])
    await place.pass_(29)
    assert len([1 for method, _ in place.slack.calls if method == "chat.postMessage"]) == calls
    await place.pass_(10)
    assert len({m["thread_ts"] for m in place.slack.messages if m.get("thread_ts")}) == 3


async def test_channels_do_not_wait_for_each_other(rig: Rig, slack: FakeSlack) -> None:
    """Each team's channel has a pace of its own."""
    slack.add_channel(RETURNS, "returns")
    async with workplace(rig, slack, TEAMS) as place:
        for number in range(30):
            await place.open(f"c{number}")
        await place.open("r")
        await place.pass_(2)
        assert len(place.roots(RETURNS)) == 1
        assert len(place.roots(QUEUE)) < 10


async def test_the_pace_outlives_a_restart(place: Workplace) -> None:
    """What has gone through stands in the database: a new process does not begin with a new burst."""
    for number in range(20):
        await place.open(f"c{number}")
    await place.work()
    shown = len(place.slack.messages)
    await place.rig.worker.release_all()
    async with workplace(place.rig, place.slack) as again:
        await again.work()
        assert len(place.slack.messages) == shown
        await again.pass_(4)
        assert shown < len(place.slack.messages) <= shown + 5
