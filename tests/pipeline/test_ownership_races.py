from __future__ import annotations

import asyncio
import random
import threading
from contextlib import suppress
from dataclasses import dataclass, field

import pytest
from sqlalchemy import Connection

from bot.dialogue.wire import TurnRequest
from bot.domain.acts import Claim, Reply, Resolve
from bot.domain.connectors import SendOperation
from bot.domain.desk import DeskPostKind
from bot.domain.errors import DeskError
from bot.domain.messages import Author, DeliveryState
from bot.pipeline import phrases
from tests.fakes.connector import message
from tests.pipeline.rig import KIM, SAM, Rig, handoff

#: Interleavings on each of the two databases.
RACES = 150


async def _idle(rig: Rig) -> None:
    """Wait until nothing is ready or in work."""
    while True:
        inbox, outbox = await rig.inbox_states(), await rig.outbox_states()
        if not (inbox["pending"] + inbox["claimed"] + outbox["pending"] + outbox["claimed"]):
            return
        await asyncio.sleep(0.02)


@dataclass
class Race:
    """One customer's question, and when the claim comes."""

    #: when the claim is made: "at once", or when a "step" or a "send" begins
    when: str
    #: whether step or send lasts until the claim is made
    is_overtaken: bool
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    claimed: asyncio.Event = field(default_factory=asyncio.Event)

    async def pass_through(self, what: str) -> None:
        """Be in the middle of a step or a send."""
        if self.when == what:
            self.begun.set()
            if self.is_overtaken:
                await self.claimed.wait()


async def test_no_bot_message_follows_a_claim(rig: Rig) -> None:
    """However claims fall among slow turns and sends, the bot is silent after each claim; nothing is lost."""
    dice = random.Random(20260304)
    races = {f"c{n}": Race(dice.choice(("at once", "step", "send")), dice.random() < 0.5) for n in range(RACES)}
    rig.engine.by_text["person"] = handoff("Wait.")
    await rig.bring(*(message(rig.connector, name, f"{name}-1", "person") for name in races))
    await rig.settle()
    tickets = {view.conversation.address.external_id: view.ticket.id for view in await rig.desk.open_tickets()}

    async def in_step(request: TurnRequest) -> None:
        await races[request.text.rpartition(" ")[2]].pass_through("step")

    async def in_send(operation: SendOperation) -> None:
        await races[operation.address.external_id].pass_through("send")

    rig.engine.during_step, rig.connector.during_send = in_step, in_send

    async def ask(name: str) -> None:
        await rig.bring(message(rig.connector, name, f"{name}-2", f"question of {name}"))

    async def claim(name: str) -> None:
        if races[name].when != "at once":
            await races[name].begun.wait()
        await rig.desk.do(tickets[name], dice.choice((SAM, KIM)), Claim(), f"claim-{name}")
        races[name].claimed.set()

    working = asyncio.create_task(rig.worker.run())
    await asyncio.gather(*(act(name) for name in races for act in (ask, claim)))
    await _idle(rig)
    working.cancel()
    with suppress(asyncio.CancelledError):
        await working

    relayed = {post.message_id for post in rig.poster.of(DeskPostKind.LINE)}
    fates = set()
    for name in races:
        seen = rig.seen(name)
        joined = next(n for n, text in enumerate(seen) if "joined" in text)
        assert seen[joined + 1 :] == []
        lines = await rig.transcript(name)
        assert [line.id in relayed for line in lines if line.text.startswith("question")] == [True]
        answers = [line for line in lines if line.text.startswith("re:")]
        assert [line.text for line in answers if line.delivery is DeliveryState.SENT] == seen[2:joined]
        fates.add(answers[0].delivery if answers else None)
    # The dice did reach every case: answered before the claim, withheld by it, left to the agent.
    assert fates == {DeliveryState.SENT, DeliveryState.WITHHELD, None}


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
    writer = rig.worker._writer()
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
