from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import timedelta

import pytest

from bot.domain.errors import SettingsError
from connectors.x.events import MESSAGE_EVENTS, PUBLIC_EVENTS
from tests.connectors.x.bench import Bench, bench
from tests.fakes.x import US, USER_TOKEN, Fault

WEBHOOK = f"https://care.example.com/webhooks/x/{US}"
HEARD = f"heard:x/{US}"


@pytest.fixture
async def stand() -> AsyncIterator[Bench]:
    """A fake X and our connectors."""
    async with bench() as made:
        yield made


def told(stand: Bench) -> set[str]:
    """Return what X tells us of, at our webhook."""
    (webhook_id,) = stand.x.webhooks
    return {
        each["event_type"]
        for each in stand.x.subscriptions.values()
        if each["webhook_id"] == webhook_id and each["filter"] == {"user_id": US}
    }


async def look(stand: Bench, times: int) -> None:
    """Let the keeper look at the webhook so many times."""
    count = 0

    async def sleep(seconds: float) -> None:
        nonlocal count
        count += 1
        if count > times:
            raise asyncio.CancelledError
        await stand.sleep(seconds)

    with suppress(asyncio.CancelledError):
        await stand.messages._registration.keep(sleep)


async def test_from_nothing(stand: Bench) -> None:
    """X is given our address and asked for everything that we read; again does nothing again."""
    for _ in range(2):
        await stand.messages.register()
        assert [each["url"] for each in stand.x.webhooks.values()] == [WEBHOOK]
        assert told(stand) == {*MESSAGE_EVENTS, *PUBLIC_EVENTS}
        assert len(stand.x.subscriptions) == len(MESSAGE_EVENTS + PUBLIC_EVENTS)
    assert stand.x.replays == []


async def test_messages_alone() -> None:
    """Where only messages are wanted, X is asked for those."""
    async with bench(has_mentions=False) as stand:
        await stand.messages.register()
        assert told(stand) == set(MESSAGE_EVENTS)


async def test_outage_on_the_way(stand: Bench) -> None:
    """Setting up waits out whatever fails, and goes on where it was."""
    calls = ("token", "webhooks", "subscriptions")
    stand.x.faults += [Fault(call=call, status=status) for call in calls for status in (503, 200)]
    await stand.messages.register()

    assert told(stand) == {*MESSAGE_EVENTS, *PUBLIC_EVENTS}
    assert len(stand.x.webhooks) == 1
    assert stand.pauses == sorted(stand.pauses)


async def test_subscribed_elsewhere(stand: Bench) -> None:
    """What X already tells another webhook of ours is moved to this one."""
    old = {"event_type": "dm.received", "filter": {"user_id": US}, "webhook_id": "1"}
    other = {"event_type": "dm.sent", "filter": {"user_id": "2"}, "webhook_id": "1"}
    stand.x.subscriptions |= {"7": old, "8": other}
    await stand.messages.register()

    assert told(stand) == {*MESSAGE_EVENTS, *PUBLIC_EVENTS}
    assert stand.x.subscriptions["8"] == other


async def test_what_not_every_app_may_hear(stand: Bench) -> None:
    """An event that X does not let this app hear keeps nobody from hearing the others."""
    stand.x.unheard = {"post.quote.create", "post.reply.create"}
    await stand.messages.register()
    assert told(stand) == {*MESSAGE_EVENTS, *PUBLIC_EVENTS} - stand.x.unheard
    stand.x.unheard = {"dm.received"}
    stand.x.subscriptions.clear()
    with pytest.raises(SettingsError, match=r"dm\.received"):
        await stand.messages.register()


async def test_oauth2_only(stand: Bench) -> None:
    """Where X wants OAuth 2.0 for private events, the operator hears so, and a token for one start is enough."""
    stand.x.wants_oauth2 = True
    with pytest.raises(SettingsError, match=r"x\.user_token"):
        await stand.messages.register()
    async with bench(user_token=USER_TOKEN) as other:
        other.x.wants_oauth2 = True
        await other.messages.register()
        assert told(other) == {*MESSAGE_EVENTS, *PUBLIC_EVENTS}


async def test_after_an_outage(stand: Bench) -> None:
    """What X could not deliver while we were away it is asked to bring again, from before we were last heard of."""
    await stand.messages.register()
    stand.now += timedelta(hours=3, minutes=30)
    await stand.restart()
    await stand.messages.register()

    (replay,) = stand.x.replays
    (webhook_id,) = stand.x.webhooks
    assert replay == {"webhook_id": webhook_id, "from_date": "202611220850", "to_date": "202611221230"}
    assert stand.cursors.kept[HEARD].startswith("2026-11-22T12:30")
    stand.now += timedelta(minutes=5)
    await stand.messages.register()
    assert len(stand.x.replays) == 1


async def test_long_outage(stand: Bench) -> None:
    """A replay reaches back a day at most; one that X refuses keeps nobody from starting."""
    await stand.messages.register()
    stand.now += timedelta(days=9)
    stand.x.faults.append(Fault(call="replay", status=400, body={"title": "Invalid Request"}))
    await stand.messages.register()
    assert stand.cursors.kept[HEARD].startswith("2026-12-01")

    stand.now += timedelta(days=9)
    await stand.messages.register()
    assert stand.x.replays[0]["from_date"] == "202612090900"


async def test_switched_off(stand: Bench) -> None:
    """A webhook that X has switched off is switched on again by whoever looks after it, and caught up with."""
    await stand.messages.register()
    (webhook,) = stand.x.webhooks.values()
    await look(stand, 1)
    assert stand.x.replays == []
    webhook["valid"] = False
    with pytest.raises(SettingsError, match="switched the webhook off"):
        await stand.messages.check()
    await look(stand, 1)

    assert webhook["valid"]
    assert len(stand.x.replays) == 1


async def test_the_keeper_keeps_on(stand: Bench) -> None:
    """Whatever fails while it is looked after, it is looked after again."""
    await stand.messages.register()
    stand.x.faults += [
        Fault(call="webhooks"),
        Fault(call="webhooks", status=403, body={}),
        Fault(call="webhooks", status=200),
    ]
    await look(stand, 4)

    assert stand.x.faults == []
    assert stand.cursors.kept[HEARD].startswith("2026-11-22T09:20")


async def test_doctor(stand: Bench) -> None:
    """Doctor says who we are, and whatever is missing with what to do."""
    with pytest.raises(SettingsError, match="start Tandem"):
        await stand.messages.check()
    await stand.messages.register()
    assert await stand.messages.check() == f"@copperleaf ({US}); webhook {WEBHOOK}"

    await stand.messages.send(stand.text("hi"), "k")
    await stand.mentions.send(stand.answer("hi"), "k")
    assert (await stand.messages.check()).endswith(
        "; 14 of 15 messages left until 09:15 UTC; this month 1 messages, 1 posts to pay for"
    )
    stand.x.subscriptions.popitem()
    assert f"{WEBHOOK}, without post.create;" in await stand.messages.check()
    del stand.x.subscriptions[next(iter(stand.x.subscriptions))]
    with pytest.raises(SettingsError, match=r"dm\.received"):
        await stand.messages.check()
    stand.x.faults.append(Fault(call="me"))
    with pytest.raises(SettingsError, match="network"):
        await stand.messages.check()
