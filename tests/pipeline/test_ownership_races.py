from __future__ import annotations

import asyncio
import random
import threading

import pytest
from sqlalchemy import Connection

from bot.domain.acts import Claim, Reply, Resolve
from bot.domain.desk import DeskPostKind
from bot.domain.errors import DeskError
from bot.domain.messages import Author, DeliveryState
from bot.pipeline import phrases
from tests.fakes.connector import message
from tests.pipeline import races
from tests.pipeline.rig import KIM, SAM, Rig, handoff

#: Interleavings on SQLite, and on PostgreSQL, which takes longer; ten thousand are in `tests/faults`.
RACES, POSTGRES_RACES = 400, 150


@pytest.mark.no_cover
@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_no_bot_message_follows_a_claim(rig: Rig) -> None:
    """However claims fall among slow turns and sends, the bot is silent after each claim; nothing is lost."""
    fates = await races.run(rig, random.Random(20260304), RACES if rig.database.is_sqlite else POSTGRES_RACES)
    # The dice did reach every case: answered before the claim, withheld by it, left to the agent.
    assert fates == {DeliveryState.SENT, DeliveryState.WITHHELD, None}


@pytest.mark.no_cover
async def test_agents_who_race_are_never_both_owners(rig: Rig) -> None:
    """Agents that claim, reply, resolve and hand back at the same moment leave ticket and conversation in agreement."""
    dice = random.Random(7)
    rig.engine.by_text["person"] = handoff("Wait.")
    for n in range(12):
        name = f"c{n}"
        await rig.writes("person", name)
        view = await rig.view(name)
        acts = [
            act
            for agent in (SAM, KIM)
            for act in (
                rig.desk.do(view.ticket.id, agent, Claim(), f"{n}{agent.id}claim"),
                rig.desk.do(view.ticket.id, agent, Reply(text=f"from {agent.name}"), f"{n}{agent.id}reply"),
                rig.desk.do(view.ticket.id, agent, Resolve(), f"{n}{agent.id}resolve"),
            )
        ]
        dice.shuffle(acts)
        results = await asyncio.gather(*acts, return_exceptions=True)
        assert all(isinstance(result, DeskError) or not isinstance(result, Exception) for result in results)
        await rig.settle()
        conversation = await rig.conversation(name)
        assert (await rig.open_ticket(name) is None) == (conversation.owner.value == "bot")
        speakers = {line.author_name for line in await rig.transcript(name) if line.author is Author.AGENT}
        assert len(speakers) <= 1
        assert rig.seen(name).count(phrases.RESOLVED) <= 1


async def test_a_card_is_not_posted_before_the_change_it_shows(rig: Rig) -> None:
    """A waiting card that an act relies on to show its change is posted only once the change can be seen."""
    if rig.database.is_sqlite:
        pytest.skip("one writer at a time: an act and a claim cannot overlap")
    rig.engine.by_text["person"] = handoff("Wait.")
    await rig.bring(message(rig.connector, "ann", "1", "person"))
    await rig.converse_once()
    ticket = (await rig.view()).ticket
    writer = rig.worker._parts.writer()
    changed, go_on = threading.Event(), threading.Event()

    def change(connection: Connection) -> None:
        writer.post_card(connection, ticket.id)
        changed.set()
        go_on.wait(10)

    changing = asyncio.create_task(rig.database.write(change))
    await asyncio.to_thread(changed.wait, 10)
    await rig.deliver_once()
    assert rig.poster.posts == []
    go_on.set()
    await changing
    await rig.settle()
    assert len(rig.poster.of(DeskPostKind.CARD)) == 1
