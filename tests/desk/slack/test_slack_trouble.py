"""Slack as it really is: gone, closed, revoked. Posts wait or go elsewhere, the operator hears of it once."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from bot.desk.slack.app import SlackAccount, SlackDesk
from bot.domain.acts import Transfer
from bot.domain.errors import SettingsError
from bot.domain.rules import Rules, Team
from bot.domain.tickets import EVERYBODY, Agent, AgentId, TeamName
from bot.pipeline.alarms import Troubles
from tests.desk.workplace import Workplace, workplace
from tests.fakes.slack import BOT_TOKEN, FakeSlack
from tests.fakes.slack_api import QUEUE
from tests.fakes.slack_rules import visible
from tests.pipeline.rig import SAM, Rig

FALLBACK, RETURNS = "C0FALLBACK", "C0RETURNS"
ALICE = "U0ALICE"


async def troubles(place: Workplace) -> dict[str, str]:
    """Return what the operator is told."""
    return await Troubles(place.rig.database, place.rig.clock).alarming()


@pytest.mark.no_cover
async def test_seventeen_hours_without_slack_lose_no_post(place: Workplace) -> None:
    """Nothing is given up on however long Slack is gone; then all is shown in order, at Slack's pace."""
    place.slack.is_down = True
    tickets = [await place.open(name) for name in ("ann", "bob", "cem")]
    for number in range(17):
        await place.says(tickets[0], f"hour {number}.")
        await place.pass_(3600, step=120)
    assert (await place.rig.outbox_states())["dead"] == (await place.rig.outbox_states())["held"] == 0
    place.slack.is_down = False
    await place.drain(within=120)
    assert len(place.roots()) == 3
    said = "".join(visible(post) for post in place.slack.thread(await place.card(tickets[0])))
    places = [said.index(f"hour {number}.") for number in range(17)]
    assert places == sorted(places)
    assert place.slack.limits is not None
    assert place.slack.limits.broken == []


async def test_an_outage_is_alarmed_once_and_its_end_told(place: Workplace) -> None:
    """After two minutes the operator hears where and why, and the local desk takes over; later that it is over."""
    place.slack.is_down = True
    await place.open("ann")
    with capture_logs() as logs:
        await place.pass_(100, step=2)
        assert place.alarm_count == 0
        await place.pass_(600, step=5)
        assert place.alarm_count == 1
        assert "slack/C0QUEUE" in await troubles(place)
        place.slack.is_down = False
        await place.pass_(60)
    assert [log["event"] for log in logs if log["event"].startswith("desk_")].count("desk_unreachable") == 1
    assert await troubles(place) == {}


async def test_customers_are_answered_while_slack_hangs(place: Workplace) -> None:
    """A desk that is gone costs customers nothing: the bot answers as ever."""
    place.slack.is_down = True
    await place.open("bob")
    await place.work()
    await place.rig.writes("hello")
    assert place.rig.seen()[-1] == "re: hello"


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("is_archived", "unarchive"),
        ("not_in_channel", "invite"),
        ("channel_not_found", "invite"),
        ("token_revoked", "install the app again"),
        ("missing_scope", "add the scopes"),
        ("account_inactive", "install the app again"),
    ],
)
async def test_posts_wait_until_somebody_has_mended_it(place: Workplace, code: str, words: str) -> None:
    """An archived channel, a removed bot, a revoked token: told once, with what to do, and nothing is lost."""
    place.slack.fail("chat.postMessage", code, times=10)
    for name in ("ann", "bob"):
        await place.open(name)
    await place.pass_(5)
    assert place.alarm_count == 1
    assert words in (await troubles(place))[f"slack/{QUEUE}"]
    assert len([1 for method, _ in place.slack.calls if method == "chat.postMessage"]) < 6
    await place.pass_(400, step=5)
    assert place.alarm_count == 1
    assert len(place.roots()) == 2
    assert len({m["thread_ts"] for m in place.slack.messages if m.get("thread_ts")}) == 2
    assert await troubles(place) == {}


async def test_a_closed_channels_tickets_go_to_the_fallback(rig: Rig, slack: FakeSlack) -> None:
    """With a fallback set, tickets of an archived channel go on there, with all that was said, and come once."""
    slack.add_channel(FALLBACK, "fallback")
    async with workplace(rig, slack, fallback=FALLBACK) as place:
        ticket_id = await place.open("ann")
        await place.pass_(5)
        await place.says(ticket_id, "before.")
        await place.pass_(5)
        slack.channels[QUEUE]["is_archived"] = True
        await place.says(ticket_id, "after.")
        await place.open("bob")
        await place.pass_(20)
        assert len(place.roots(FALLBACK)) == 2
        said = [visible(post) for post in slack.thread(await place.card(ticket_id))]
        assert "It is about ann" in said[0]
        assert sum(post.count("before.") for post in said) == sum(post.count("after.") for post in said) == 1
        # What is written there counts.
        await slack.write(ALICE, await place.card(ticket_id), "&gt; Hello Ann")
        await place.pass_(5)
        assert rig.seen("ann")[-1] == "Hello Ann"


async def test_a_deleted_thread_comes_back_with_its_history(place: Workplace) -> None:
    """When somebody deleted a thread, the next thing that is said makes a new one, in which all is said once."""
    ticket_id = await place.open("ann")
    await place.pass_(5)
    await place.says(ticket_id, "before.")
    await place.pass_(5)
    old = await place.card(ticket_id)
    place.slack.messages.clear()
    await place.says(ticket_id, "after.")
    await place.pass_(10)
    new = await place.card(ticket_id)
    assert new != old
    said = [visible(post) for post in place.slack.thread(new)]
    assert "It is about ann" in said[0]
    assert sum(post.count("before.") for post in said) == sum(post.count("after.") for post in said) == 1


async def test_a_post_slack_never_takes_is_given_up_on_alone(place: Workplace) -> None:
    """A post that Slack breaks on every time holds nobody else up, and becomes a dead letter in the end."""
    bad, good = await place.open("bad"), await place.open("good")
    await place.pass_(8)
    poster = place.app.poster
    real = poster._posts.make

    async def breaking(post: object, *rest: object) -> str:
        if "bad luck" in str(post):
            raise TimeoutError
        return await real(post, *rest)  # type: ignore[arg-type]

    poster._posts.make = breaking  # type: ignore[method-assign,assignment]
    await place.says(bad, "bad luck")
    for number in range(20):
        await place.says(good, f"line {number}.")
        await place.pass_(60, step=5)
    said = "".join(visible(post) for post in place.slack.thread(await place.card(good)))
    assert all(f"line {number}." in said for number in range(20))
    assert (await place.rig.outbox_states())["held"] == 1


async def test_a_ticket_goes_to_another_teams_channel_with_its_history(rig: Rig, slack: FakeSlack) -> None:
    """A card stands in its team's channel; when the team changes a new one does, and the old one says where it went."""
    slack.add_channel(RETURNS, "returns")
    teams = (
        Team(name=TeamName("returns"), title="Returns", slack_channel=RETURNS, topics=frozenset({"topic r"})),
        Team(name=EVERYBODY, title="Everybody"),
    )
    async with workplace(rig, slack, Rules(teams=teams)) as place:
        await place.open("r")
        await place.open("ann")
        await place.pass_(5)
        assert [len(place.roots(RETURNS)), len(place.roots(QUEUE))] == [1, 1]
        (view,) = [view for view in await rig.desk.open_tickets() if view.ticket.team == EVERYBODY]
        await place.says(view.ticket.id, "since then.")
        await place.pass_(5)
        await rig.desk.do(view.ticket.id, SAM, Transfer(team=TeamName("returns")), "t")
        await place.pass_(15)
        assert [len(place.roots(RETURNS)), len(place.roots(QUEUE))] == [2, 1]
        assert "went to Returns" in visible(place.roots(QUEUE)[0])
        said = "".join(visible(post) for post in slack.thread(await place.card(view.ticket.id)))
        assert said.count("It is about ann") == said.count("since then.") == 1


async def test_a_sign_that_cannot_be_put_holds_nothing_up(place: Workplace) -> None:
    """Without the permission to put ✅ on messages, what customers write is shown all the same."""
    ticket_id = await place.open("ann")
    await place.pass_(5)
    card = await place.card(ticket_id)
    place.slack.fail("reactions.add", "missing_scope", times=5)
    place.slack.fail("reactions.remove", "missing_scope", times=5)
    await place.slack.write(ALICE, card, "&gt; Hello")
    await place.pass_(5)
    await place.says(ticket_id, "thank you")
    await place.pass_(5)
    assert "thank you" in visible(place.slack.thread(card)[-1])
    assert await troubles(place) == {}


async def test_doctor_names_all_there_is_to_fix(rig: Rig, slack: FakeSlack) -> None:
    """Every team's channel and group is looked at, and everything that is wrong is said at once."""
    slack.add_channel(RETURNS, "returns")
    slack.channels[RETURNS]["is_archived"] = True
    slack.channels[QUEUE]["is_member"] = False
    slack.add_user("U0GONE", "Gus", deleted=True)
    account = SlackAccount(
        bot_token=BOT_TOKEN,
        channel=QUEUE,
        team_channels={TeamName("returns"): RETURNS},
        fallback_channel="C0NOWHERE",
        user_groups=("S0NONE",),
        leads=("S0LEADS", "U0NOBODY", ALICE),
        on_call=("U0GONE",),
        base_url=slack.base_url,
    )

    async def persist(*_: object) -> bool:
        return True

    with pytest.raises(SettingsError) as told:
        await SlackDesk(account, rig.desk, rig.media, persist).check()
    for words in (
        "/invite @tandem",
        "#returns is archived",
        "C0NOWHERE",
        "'S0NONE'",
        "'S0LEADS'",
        "'U0NOBODY'",
        "gus",
        "deactivated",
    ):
        assert words in str(told.value)
    assert ALICE not in str(told.value)


async def test_who_left_the_workspace_may_not_work_here(rig: Rig, slack: FakeSlack) -> None:
    """Somebody who was deactivated is not given tickets; where Slack cannot be asked, everybody is still trusted."""
    account = SlackAccount(bot_token=BOT_TOKEN, channel=QUEUE, base_url=slack.base_url)
    slack.add_user("U0GONE", "Gus", deleted=True)

    async def persist(*_: object) -> bool:
        return True

    app = SlackDesk(account, rig.desk, rig.media, persist)
    assert await app.may_work(Agent(id=AgentId(f"slack:{ALICE}"), name="Alice"))
    assert await app.may_work(Agent(id=AgentId("local:Sam"), name="Sam"))
    assert not await app.may_work(Agent(id=AgentId("slack:U0GONE"), name="Gus"))
    slack.is_down = True
    assert await app.may_work(Agent(id=AgentId("slack:U0BOB"), name="Bob"))
