from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from bot.domain.connectors import Polling
from bot.domain.messages import Choice, Echo, InboundEvent, InboundMessage, Reaction, Withdrawal
from simulator.discord import DIRECT_MESSAGES, GUILD_MESSAGES, MESSAGE_CONTENT
from simulator.discord_values import Fault
from tests.connectors.discord.bench import STAFF, Bench, bench


async def test_messages_come_in_order(stand: Bench) -> None:
    """What customers write comes once and in order, by one session."""
    assert isinstance(stand.connector, Polling)
    assert stand.connector.is_polled
    async with stand.polling() as inbox:
        for number in range(100):
            stand.jane.writes(f"message {number}")
        await stand.discord.until(lambda: len(inbox.events) >= 100)

    assert inbox.texts == [f"message {number}" for number in range(100)]
    assert stand.server.connected == ["/gateway/"]


async def test_only_what_is_needed_is_asked_for(stand: Bench) -> None:
    """Without channels of servers no words of servers are asked for, which would need a grant."""
    async with stand.polling():
        pass
    (_, asked), *_ = stand.discord.heard
    assert asked["intents"] & MESSAGE_CONTENT
    async with bench(channels=()) as other:
        async with other.polling():
            pass
        (_, asked), *_ = other.discord.heard
        assert asked["intents"] & DIRECT_MESSAGES
        assert not asked["intents"] & (GUILD_MESSAGES | MESSAGE_CONTENT)


async def test_everything_a_customer_does(stand: Bench) -> None:
    """Edits, deletions and signs come as what they are, and our own messages not at all."""
    async with stand.polling() as inbox:
        first = stand.jane.writes("helo")
        sent = await stand.connector.send(stand.text("Hello!"), "k1")
        stand.jane.edits(first, "hello")
        stand.jane.reacts(stand.jane.seen[0], "👍")
        stand.jane.reacts(stand.jane.seen[0], "👍", is_taken=True)
        stand.jane.deletes(first)
        await stand.discord.until(lambda: len(inbox.events) >= 5)

    written, edited, liked, unliked, gone = inbox.events
    assert isinstance(written, InboundMessage)
    assert isinstance(edited, InboundMessage)
    assert (edited.text, edited.edits) == ("hello", written.external_id)
    assert isinstance(liked, Reaction)
    assert isinstance(unliked, Reaction)
    assert [liked.emoji, unliked.emoji] == ["👍", ""]
    assert liked.external_id != unliked.external_id
    assert liked.of_external_id == getattr(sent, "external_id", None)
    assert isinstance(gone, Withdrawal)
    assert gone.of_external_id == written.external_id


async def test_taps_are_acknowledged_once_they_are_kept(stand: Bench) -> None:
    """A tap comes as its choice, and Discord hears of it after the commit and once."""
    await stand.connector.send(stand.text("Well?", Choice(title="Yes", payload="yes-key")), "k1")
    busy: list[int] = []

    async def commit(events: list[InboundEvent]) -> None:
        busy.append(len(stand.discord.busy_taps))
        inbox.events += events

    async with stand.polling() as inbox:
        pass
    task = asyncio.create_task(stand.connector.poll(commit))
    await stand.discord.until(lambda: len(stand.discord.heard) >= 2)
    stand.jane.taps("Yes")
    await stand.discord.until(lambda: not stand.discord.busy_taps)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task

    (tapped,) = inbox.events
    assert isinstance(tapped, InboundMessage)
    assert (tapped.choice, tapped.language, busy) == ("yes-key", "en-GB", [1])
    call_count = len(stand.discord.calls)
    await stand.connector.acknowledge(tapped)
    assert len(stand.discord.calls) == call_count


async def test_a_tap_that_cannot_be_acknowledged(stand: Bench) -> None:
    """A tap counts, whatever becomes of telling Discord so."""
    await stand.connector.send(stand.text("Well?", Choice(title="Yes", payload="yes-key")), "k1")
    stand.discord.fail(Fault(call="POST callback", status=404))
    async with stand.polling() as inbox:
        stand.jane.taps("Yes")
        await stand.discord.until(lambda: bool(inbox.events))
        stand.jane.writes("and on it goes")
        await stand.discord.until(lambda: len(inbox.events) >= 2)


# ------------------------------------------------------------------------------------------------- nothing is lost


@pytest.mark.parametrize("code", [4000, 4001, 4008, 1006])
async def test_a_cut_connection_is_resumed(stand: Bench, code: int) -> None:
    """What happens while no connection stands comes with the next, where Discord wants it resumed."""
    async with stand.polling() as inbox:
        stand.jane.writes("before")
        await stand.discord.until(lambda: len(inbox.events) == 1)
        await stand.server.drop(code if code != 1006 else 4000)
        stand.jane.writes("between")
        await stand.discord.until(lambda: len(inbox.events) == 2)
        stand.jane.writes("after")
        await stand.discord.until(lambda: len(inbox.events) == 3)

    assert inbox.texts == ["before", "between", "after"]
    assert stand.server.connected == ["/gateway/", "/resumed/"]
    assert stand.discord.sessions_left == 999


async def test_not_received_before_the_commit(stand: Bench) -> None:
    """A commit that fails ends the connection, and the same dispatch comes again with the next, under the same id."""
    async with stand.polling() as inbox:
        stand.jane.writes("one")
        await stand.discord.until(lambda: len(inbox.events) == 1)
        inbox.failure_count = 3
        stand.jane.reacts(stand.jane.direct.messages[0], "👍")
        stand.jane.writes("two")
        await stand.discord.until(lambda: len(inbox.events) == 3)

    assert inbox.texts == ["one", "", "two"]
    assert stand.pauses == [1.0, 2.0, 4.0]
    assert [data["seq"] for op, data in stand.discord.heard if op == 6][:1] == [3]


async def test_discord_asks_for_a_new_connection(stand: Bench) -> None:
    """A reconnect that Discord asks for resumes the session."""
    async with stand.polling() as inbox:
        stand.jane.writes("one")
        await stand.discord.until(lambda: len(inbox.events) == 1)
        await stand.server.say(7)
        await stand.discord.until(lambda: len(stand.server.connected) == 2)
        stand.jane.writes("two")
        await stand.discord.until(lambda: len(inbox.events) == 2)

    assert stand.discord.sessions_left == 999


@pytest.mark.parametrize(("can_resume", "left"), [(True, 999), (False, 998)])
async def test_a_session_that_is_over(stand: Bench, can_resume: bool, left: int) -> None:
    """When Discord ends the session a new one begins, and history brings what fell between."""
    async with stand.polling() as inbox:
        stand.jane.writes("one")
        await stand.discord.until(lambda: len(inbox.events) == 1)
        await stand.server.say(9, can_resume)
        stand.jane.writes("two")
        await stand.discord.until(lambda: "two" in inbox.texts)

    assert stand.discord.sessions_left == left


@pytest.mark.parametrize("code", [1000, 4007, 4009])
async def test_codes_that_end_the_session(stand: Bench, code: int) -> None:
    """Some codes say that a session cannot be resumed: the next connection begins anew."""
    async with stand.polling() as inbox:
        stand.jane.writes("one")
        await stand.discord.until(lambda: len(inbox.events) == 1)
        await stand.server.drop(code)
        await stand.discord.until(lambda: len(stand.server.connected) == 2)

    assert stand.server.connected == ["/gateway/", "/gateway/"]


async def test_restart(stand: Bench) -> None:
    """After a restart, history brings what known customers wrote meanwhile; what comes twice has the same ids."""
    async with stand.polling() as inbox:
        stand.jane.writes("before")
        stand.jane.writes("in the channel", stand.support)
        await stand.discord.until(lambda: len(inbox.events) == 2)
    for number in range(150):
        stand.jane.writes(f"away {number}")
    stand.discord.message(stand.jane.direct, stand.discord.me, content="ours")
    stand.jane.writes("away in the channel", stand.support)
    await stand.restart()
    async with stand.polling() as second:
        await stand.discord.until(lambda: "away 149" in second.texts)
        stand.jane.writes("after")
        await stand.discord.until(lambda: "after" in second.texts)

    private = list(dict.fromkeys(each for each in second.texts if "channel" not in each))
    assert private == ["before", *(f"away {number}" for number in range(150)), "after"]
    assert [each for each in second.texts if "channel" in each] == ["in the channel", "away in the channel"]
    known = {event.external_id: event for event in inbox.events}
    again = {event.external_id: event for event in second.events}
    assert set(known) <= set(again)
    assert {event.address.channel for event in again.values() if isinstance(event, InboundMessage)} == {
        "discord",
        "discord-channels",
    }


async def test_history_goes_on_where_it_ended(stand: Bench) -> None:
    """Old messages are not read again: the cursor follows what is committed, with a minute of overlap."""
    async with stand.polling() as inbox:
        for number in range(5):
            stand.jane.writes(f"day {number}")
            await stand.discord.until(lambda n=number: len(inbox.events) > n)  # type: ignore[misc]
            stand.now[0] += 86_400
    await stand.restart()
    async with stand.polling() as second:
        stand.jane.writes("after")
        await stand.discord.until(lambda: "after" in second.texts)

    assert list(dict.fromkeys(second.texts)) == ["day 4", "after"]


async def test_history_that_cannot_be_read(stand: Bench) -> None:
    """A pause is waited to the millisecond, a channel that is gone is passed over, an outage begins anew."""
    async with stand.polling() as inbox:
        stand.jane.writes("before")
        await stand.discord.until(lambda: len(inbox.events) == 1)
    stand.jane.writes("away")
    await stand.restart()
    stand.discord.fail(
        Fault(call="GET messages", status=404, body=b'{"code": 10003, "message": "Unknown Channel"}'),
        Fault(call="GET messages", status=429, body=b'{"message": "", "retry_after": 1.337, "global": false}'),
        Fault(call="GET messages", status=500),
    )
    async with stand.polling() as second:
        await stand.discord.until(lambda: "away" in second.texts)

    assert 1.337 in stand.pauses
    assert second.texts == ["before", "away"]


# ------------------------------------------------------------------------------------------------- where all can read


async def test_a_channel_of_a_server(stand: Bench) -> None:
    """Where customers are answered in public, each writer in each channel or thread is a conversation of its own."""
    async with stand.polling() as inbox:
        stand.jane.writes("in the channel", stand.support)
        thread = stand.discord.add_channel("440000000000000001", "my kettle", parent_id=stand.support.id)
        stand.jane.writes("in a thread", thread)
        stand.jane.writes("elsewhere", stand.discord.places["330000000000000009"])
        stand.jane.writes("in private")
        await stand.discord.until(lambda: len(inbox.events) == 4)

    first, second, third, fourth = inbox.events
    assert isinstance(first, InboundMessage)
    assert isinstance(second, InboundMessage)
    assert isinstance(fourth, InboundMessage)
    assert (first.address.channel, first.address.external_id) == (
        "discord-channels",
        f"{stand.support.id}:{stand.jane.id}",
    )
    assert second.address.external_id == f"440000000000000001:{stand.jane.id}"
    assert getattr(third, "kind", "") == "other_channel"
    assert fourth.address.channel == "discord"


async def test_threads_that_were_there_before(stand: Bench) -> None:
    """Threads that existed before the session are known from the server's own description."""
    thread = stand.discord.add_channel("440000000000000002", "old one", parent_id=stand.support.id)
    async with stand.polling() as inbox:
        stand.jane.writes("still broken", thread)
        await stand.discord.until(lambda: len(inbox.events) == 1)

    (event,) = inbox.events
    assert isinstance(event, InboundMessage)
    assert event.address.channel == "discord-channels"


async def test_deletions_in_public(stand: Bench) -> None:
    """A deletion does not say whose it was: what was seen before is remembered."""
    async with stand.polling() as inbox:
        message = stand.jane.writes("oops", stand.support)
        stand.jane.deletes(message)
        await stand.discord.until(lambda: len(inbox.events) == 2)

    written, gone = inbox.events
    assert isinstance(written, InboundMessage)
    assert isinstance(gone, Withdrawal)
    assert gone.address == written.address


async def test_people_of_the_brand(stand: Bench) -> None:
    """What somebody with a role of the brand answers to a customer is an answer from elsewhere."""
    sam = stand.discord.member("770000000000000009", "Sam")
    sam.roles.append(STAFF)
    async with stand.polling() as inbox:
        asked = stand.jane.writes("do you ship to Cork?", stand.support)
        sam.writes("We do!", stand.support, referenced_message=asked)
        await stand.discord.until(lambda: len(inbox.events) == 2)

    question, answer = inbox.events
    assert isinstance(question, InboundMessage)
    assert isinstance(answer, Echo)
    assert (answer.address, answer.text, answer.author_name) == (question.address, "We do!", "Sam")
