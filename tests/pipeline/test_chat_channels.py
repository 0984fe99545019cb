"""LINE and Discord end to end: fakes that keep what customers saw, and the whole pipeline between."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace

from bot.domain.channels import ChannelAddress
from bot.domain.connectors import Connector, ConnectorRegistry
from bot.domain.messages import DeliveryState, InboundEvent, Meaning, TranscriptLine
from bot.pipeline.converse import Conversing
from bot.pipeline.deliver import Delivering
from bot.pipeline.receive import Receiver
from bot.pipeline.worker import Worker
from bot.store import conversations, transcript
from simulator.discord_values import Fault as DiscordFault
from simulator.line import Fault as LineFault
from simulator.line import Json
from tests.connectors.discord import bench as discord_bench
from tests.connectors.line import bench as line_bench
from tests.pipeline.rig import Rig, offer, turn


def _put(rig: Rig, *connectors: Connector) -> Receiver:
    """Put connectors into the pipeline and return what takes their events."""
    registry = ConnectorRegistry(connectors=connectors)
    rig.worker = Worker(
        replace(
            rig.worker._parts,
            conversing=Conversing(replace(rig.converse_parts, connectors=registry)),
            delivering=Delivering(replace(rig.deliver_parts, connectors=registry)),
        )
    )
    return Receiver(rig.database, rig.clock, rig.hints.inbox)


async def _lines(rig: Rig, address: ChannelAddress) -> list[TranscriptLine]:
    found = await rig.database.read(conversations.find_by_address, address)
    assert found is not None
    return await rig.database.read(transcript.last, found.id, 100)


async def test_line_answers_for_nothing_then_for_money(rig: Rig) -> None:
    """An answer within the minute is a free reply, however often the call comes; what comes later is a push."""
    async with line_bench.bench() as stand:
        stand.line.clock = stand.connector._clock = lambda: rig.clock.now().timestamp()
        receiver = _put(rig, stand.connector)

        async def brings(*events: Json) -> None:
            await receiver.receive(stand.connector, line_bench.request_of(stand.line, *events))
            await rig.settle()
            await rig.background.idle()

        question = stand.line.writes(stand.jane, "where is my order")
        for _ in range(3):
            await brings(question)
        assert [(each.text, each.is_paid) for each in stand.jane.seen] == [("re: where is my order", False)]
        assert stand.jane.signs[0].startswith("read ")
        assert (await _lines(rig, stand.text("").address))[-1].delivery is DeliveryState.SENT

        # The pause that LINE asks for outlives the token.
        stand.line.fail(LineFault(call="reply", status=429, headers={"Retry-After": "60"}))
        await brings(stand.line.writes(stand.jane, "and the other one"))
        await rig.wait_out(minutes=3)
        assert [(each.text, each.is_paid) for each in stand.jane.seen[1:]] == [("re: and the other one", True)]


async def test_line_repeats_what_is_in_doubt(rig: Rig) -> None:
    """A push whose answer is lost is made again, and seen once, though LINE's replies cannot be repeated."""
    async with line_bench.bench() as stand:
        stand.line.clock = stand.connector._clock = lambda: rig.clock.now().timestamp()
        receiver = _put(rig, stand.connector)
        question = stand.line.writes(stand.jane, "hello")
        rig.clock.pass_(seconds=120)
        stand.line.fail(LineFault(call="push", is_done=True, cut_after=0))
        await receiver.receive(stand.connector, line_bench.request_of(stand.line, question))
        await rig.settle()
        await rig.wait_out(minutes=2)

        assert [(each.text, each.is_paid) for each in stand.jane.seen] == [("re: hello", True)]
        assert (await _lines(rig, stand.text("").address))[-1].delivery is DeliveryState.SENT


async def test_line_repeats_a_push_as_the_same_push(rig: Rig) -> None:
    """What may have been pushed is pushed again by the same key, though there is a new token since."""
    async with line_bench.bench() as stand:
        stand.line.clock = stand.connector._clock = lambda: rig.clock.now().timestamp()
        receiver = _put(rig, stand.connector)
        question = stand.line.writes(stand.jane, "hello")
        rig.clock.pass_(seconds=120)
        stand.line.fail(LineFault(call="push", is_done=True, cut_after=0))
        await receiver.receive(stand.connector, line_bench.request_of(stand.line, question))
        await rig.settle()
        more = stand.line.writes(stand.jane, "are you there?")
        await receiver.receive(stand.connector, line_bench.request_of(stand.line, more))
        await rig.wait_out(minutes=0.5)

        assert [each.text for each in stand.jane.seen] == ["re: hello", "re: are you there?"]


async def test_discord_is_answered_and_tapped(rig: Rig) -> None:
    """A message is answered once though the call was cut, and a tap on the answer's button says what it stands for."""
    offered = offer("Which one?", ("The tea", Meaning(intent="pick", entities={})))
    rig.engine.by_text |= {"hello": turn(offered), "/pick": turn("Earl Grey it is.")}
    async with discord_bench.bench() as stand:
        receiver = _put(rig, stand.connector, stand.public)

        async def take(events: list[InboundEvent]) -> None:
            await receiver.take(stand.connector, events)
            taken.append(len(events))
            stand.discord.tell()

        taken: list[int] = []
        polling = asyncio.create_task(stand.connector.poll(take))
        try:
            await stand.discord.until(lambda: any(op == 2 for op, _ in stand.discord.heard))
            stand.discord.fail(DiscordFault(call="POST messages", is_done=True, cut_after=0))
            stand.jane.writes("hello")
            await stand.discord.until(lambda: len(taken) == 1)
            await rig.settle()
            await rig.wait_out(minutes=1)
            stand.jane.taps("The tea")
            await stand.discord.until(lambda: len(taken) == 2 and not stand.discord.busy_taps)
            await rig.settle()
            await rig.wait_out(minutes=1)
        finally:
            polling.cancel()
            with suppress(asyncio.CancelledError):
                await polling

        assert [each["content"] for each in stand.jane.seen] == ["Which one?", "Earl Grey it is."]
        lines = await _lines(rig, stand.address)
        assert [line.text for line in lines] == ["hello", "Which one?", "The tea", "Earl Grey it is."]
        assert {line.delivery for line in lines} == {None, DeliveryState.SENT}
