"""A reply reaches the customer once, whatever dies on the way, however often and wherever Slack tells of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest

from bot.desk.slack.app import SlackAccount, SlackDesk
from bot.desk.slack.people import BELIEVED_FOR_SECONDS
from tests.desk.workplace import Workplace, workplace
from tests.fakes.connector import KILLED_AFTER, KILLED_BEFORE, ProcessKilledError
from tests.fakes.slack import APP_TOKEN, BOT_TOKEN
from tests.fakes.slack_api import QUEUE
from tests.pipeline.rig import Rig

ALICE = "U0ALICE"


async def ready(place: Workplace) -> str:
    """Open a ticket and return its card."""
    ticket_id = await place.open("ann")
    await place.pass_(5)
    return await place.card(ticket_id)


def said(rig: Rig, text: str) -> int:
    """Return how often the customer saw a text."""
    return rig.seen("ann").count(text)


def breaking(
    real: Callable[..., Awaitable[Any]], error: BaseException, *, after: bool
) -> Callable[..., Awaitable[Any]]:
    """Return `real` that raises `error` once, before or after it has done its work."""
    is_broken = False

    async def call(*arguments: Any) -> Any:
        nonlocal is_broken
        if is_broken:
            return await real(*arguments)
        is_broken = True
        if after:
            await real(*arguments)
        raise error

    return call


@pytest.mark.parametrize("after", [False, True])
async def test_a_process_that_dies_before_it_acknowledges_is_told_again(place: Workplace, after: bool) -> None:
    """Whether it died before or after the commit, Slack's repeat leads to one reply."""
    card = await ready(place)
    place.app._persist = breaking(place.app._persist, ConnectionError("gone"), after=after)
    await place.slack.write(ALICE, card, "&gt; Hello")
    assert place.slack.deliveries[-2:] == [503, 200]
    await place.work()
    assert said(place.rig, "Hello") == 1


@pytest.mark.parametrize("after", [False, True])
async def test_a_worker_that_dies_at_the_act_is_followed_by_another(place: Workplace, after: bool) -> None:
    """Whether it died before or after the act's commit, the reply is sent once."""
    card = await ready(place)
    handle = breaking(place.app.handle, ProcessKilledError(), after=after)
    object.__setattr__(place.rig.worker._parts, "desk_events", handle)
    await place.slack.write(ALICE, card, "&gt; Hello")
    await place.work()
    await place.rig.recover()
    await place.rig.recover()
    await place.work()
    assert said(place.rig, "Hello") == 1


@pytest.mark.parametrize("outcome", [KILLED_BEFORE, KILLED_AFTER])
async def test_a_worker_that_dies_at_the_channel_is_followed_by_another(place: Workplace, outcome: Any) -> None:
    """On a channel that sees repeats once, dying around the call costs nothing and doubles nothing."""
    card = await ready(place)
    place.rig.connector.is_idempotent = True
    await place.slack.click(ALICE, card, "tandem_claim")
    await place.work()
    place.rig.connector.script.append(outcome)
    await place.slack.write(ALICE, card, "&gt; Hello")
    await place.work()
    await place.rig.recover()
    await place.rig.recover()
    await place.work()
    assert said(place.rig, "Hello") == 1


async def test_both_transports_two_replicas_and_late_repeats_are_one(place: Workplace) -> None:
    """The same message over HTTP, over Socket Mode, at another replica and eight minutes later is sent once."""
    card = await ready(place)
    await place.slack.write(ALICE, card, "&gt; Hello")
    body = place.slack.event({**place.slack.messages[-1], "event_ts": place.slack.messages[-1]["ts"]})
    account = SlackAccount(bot_token=BOT_TOKEN, channel=QUEUE, app_token=APP_TOKEN, base_url=place.slack.base_url)
    socket = SlackDesk(account, place.rig.desk, place.rig.media, place.persist)
    running = asyncio.create_task(socket.run_socket_mode())
    await place.slack.connections.get()
    await place.slack.deliver(body)
    await place.work()
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    place.slack.sockets.clear()
    async with workplace(place.rig, place.slack):
        await place.slack.deliver({**body, "event_id": "Ev-another"})
        place.rig.clock.pass_(minutes=8)
        await place.slack.deliver(body)
        await place.work()
    assert place.slack.deliveries[-1] == 200
    assert said(place.rig, "Hello") == 1


async def test_who_was_removed_meanwhile_is_refused_when_the_reply_would_be_sent(place: Workplace) -> None:
    """A reply that was made durable while its author was a member, and is carried out after, is refused and told."""
    card = await ready(place)
    await place.slack.write(ALICE, card, "&gt; Hello")
    place.slack.users[ALICE]["deleted"] = True
    await place.work()
    assert said(place.rig, "Hello") == 0
    assert "deactivated" in str(place.slack.ephemerals[-1])


@pytest.mark.parametrize("flag", ["deleted", "is_restricted", "is_ultra_restricted", "is_bot", "is_stranger"])
async def test_only_full_members_act(place: Workplace, flag: str) -> None:
    """Guests, strangers of shared channels, bots and deactivated people are refused, whatever they press."""
    card = await ready(place)
    place.slack.add_user("U0EVE", "Eve", **{flag: True})
    await place.slack.write("U0EVE", card, "&gt; Hello")
    await place.slack.click("U0EVE", card, "tandem_claim")
    await place.work()
    assert said(place.rig, "Hello") == 0
    assert len(place.slack.ephemerals) == 2


async def test_while_slack_cannot_say_who_somebody_is_nothing_is_sent(place: Workplace) -> None:
    """A reply waits, for hours if need be, until Slack says who wrote it; then it is sent once."""
    card = await ready(place)
    await place.slack.write(ALICE, card, "&gt; Hello")
    place.slack.fail("users.info", "500", times=20)
    await place.pass_(300, step=30)
    assert said(place.rig, "Hello") == 0
    await place.pass_(1800, step=30)
    assert said(place.rig, "Hello") == 1
    assert (await place.rig.inbox_states())["dead"] == 0


def test_membership_is_believed_for_a_minute_at_most() -> None:
    """Who left is refused after that."""
    assert BELIEVED_FOR_SECONDS <= 60
