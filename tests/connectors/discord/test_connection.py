from __future__ import annotations

import pytest

from bot.domain.errors import MalformedWebhookError
from bot.domain.messages import InboundEvent
from connectors.discord.gateway import REFUSALS
from simulator.discord import DIRECT_MESSAGES
from simulator.discord_values import Fault
from tests.connectors.discord.bench import Bench, bench


async def test_heartbeats(stand: Bench) -> None:
    """Discord hears at its own pace that we are there, and at once when it asks; told is what was committed."""
    stand.discord.heartbeat_interval = 30
    async with stand.polling() as inbox:
        stand.jane.writes("one")
        await stand.discord.until(lambda: len(inbox.events) == 1)
        await stand.discord.until(lambda: [op for op, _ in stand.discord.heard].count(1) >= 3)
        stand.discord.heartbeat_interval = 45_000
        assert {data for op, data in stand.discord.heard if op == 1} <= {None, 1, 2, 3}
    assert stand.server.connected == ["/gateway/"]


async def test_heartbeat_on_request(stand: Bench) -> None:
    """A heartbeat that Discord asks for comes at once."""
    async with stand.polling():
        await stand.server.say(1)
        await stand.discord.until(lambda: any(op == 1 for op, _ in stand.discord.heard))


async def test_a_dead_connection(stand: Bench) -> None:
    """A connection on which heartbeats are not answered is left, and the session taken up on another."""
    stand.discord.heartbeat_interval, stand.discord.is_hearing = 30, False
    async with stand.polling() as inbox:
        await stand.discord.until(lambda: len(stand.server.connected) >= 2)
        stand.discord.is_hearing = True
        stand.jane.writes("still there?")
        await stand.discord.until(lambda: bool(inbox.events))

    assert inbox.texts == ["still there?"]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"op": "0"}', '{"op": 0, "t": "MESSAGE_CREATE"}', '{"op": 99}'])
async def test_nonsense(stand: Bench, text: str) -> None:
    """What is not the protocol ends a connection at most, and never the poller."""
    async with stand.polling() as inbox:
        stand.jane.writes("one")
        await stand.discord.until(lambda: len(inbox.events) == 1)
        await stand.server.say_nonsense(text)
        stand.jane.writes("two")
        await stand.discord.until(lambda: len(inbox.events) == 2)

    assert inbox.texts == ["one", "two"]


async def test_one_bad_dispatch(stand: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    """A dispatch that cannot be read, or kept, is logged and left: it would come again for ever."""
    refused: list[InboundEvent] = []

    async with stand.polling() as inbox:
        keep = inbox.commit

        async def commit(events: list[InboundEvent]) -> None:
            if getattr(events[0], "text", "") == "bad":
                refused.extend(events)
                raise MalformedWebhookError("no address")
            await keep(events)

        inbox.commit = commit  # type: ignore[method-assign]
        stand.discord.dispatch("MESSAGE_CREATE", {"id": 7}, DIRECT_MESSAGES)
        stand.discord.dispatch("THREAD_CREATE", {"id": 7, "parent_id": 8}, DIRECT_MESSAGES)
        stand.jane.writes("two")
        await stand.discord.until(lambda: "two" in inbox.texts)

    assert "discord_unreadable" in capsys.readouterr().out
    assert stand.server.connected == ["/gateway/"]


@pytest.mark.parametrize("code", REFUSALS)
async def test_what_an_operator_has_to_mend(stand: Bench, code: int, capsys: pytest.CaptureFixture[str]) -> None:
    """A connection that Discord refuses for good is said clearly, and tried again rarely."""
    async with stand.polling() as inbox:
        stand.jane.writes("one")
        await stand.discord.until(lambda: len(inbox.events) == 1)
        await stand.server.drop(code)
        await stand.discord.until(lambda: len(stand.server.connected) == 2)

    assert stand.pauses == [300.0]
    assert REFUSALS[code] in capsys.readouterr().out


async def test_refused_at_the_door(stand: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong token and a missing grant are refused when a session begins."""
    stand.discord.has_content_intent = False
    async with stand.polling():
        await stand.discord.until(lambda: len(stand.discord.heard) >= 2)
        stand.discord.has_content_intent = True
    assert stand.pauses[0] == 300.0
    assert "Message Content Intent" in capsys.readouterr().out


async def test_the_address_of_the_gateway(stand: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    """Outages, pauses and an empty budget of sessions are waited out as told; a wrong token is the operator's."""
    stand.discord.fail(
        Fault(call="GET bot", status=503),
        Fault(call="GET bot", status=429, body=b'{"message": "", "retry_after": 7.5, "global": true}'),
        Fault(call="GET bot", status=401, body=b'{"message": "401: Unauthorized", "code": 0}'),
        Fault(
            call="GET bot",
            status=200,
            body=b'{"url": "wss://x", "session_start_limit": {"remaining": 0, "reset_after": 400000}}',
        ),
        Fault(call="GET bot", status=200, body=b"[]"),
    )
    async with stand.polling() as inbox:
        stand.jane.writes("one")
        await stand.discord.until(lambda: len(inbox.events) == 1)

    assert stand.pauses == [1.0, 7.5, 300.0, 400.0, 16.0]
    assert "refuses the bot's token" in capsys.readouterr().out


async def test_discord_away() -> None:
    """An outage of Discord is waited out with growing pauses, and the session goes on after it."""
    async with bench() as stand, stand.polling() as inbox:
        stand.jane.writes("one")
        await stand.discord.until(lambda: len(inbox.events) == 1)
        session = stand.connector._reader._gateway.session
        session.url = "ws://127.0.0.1:1"
        await stand.server.drop()
        await stand.discord.until(lambda: bool(stand.pauses))
        await stand.discord.until(lambda: len(stand.pauses) >= 5)
        session.url = f"{stand.discord.url.replace('http', 'ws', 1)}/resumed"
        stand.jane.writes("two")
        await stand.discord.until(lambda: len(inbox.events) == 2)

    assert stand.pauses[:5] == [1.0, 2.0, 4.0, 8.0, 16.0]
