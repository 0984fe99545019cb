"""Claims that race slow turns and slow sends, many at once on the running pipeline."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count

from sqlalchemy import Connection

from bot.dialogue.wire import TurnRequest
from bot.domain.acts import Claim
from bot.domain.connectors import SendOperation
from bot.domain.desk import DeskPostKind
from bot.domain.handoff import HandoffRequest, Reason
from bot.domain.messages import DeliveryState, MessageId
from bot.domain.tickets import TicketId
from bot.pipeline import phrases
from bot.pipeline.handing_off import hand_off
from bot.pipeline.outgoing import Writer
from bot.store import conversations
from tests.fakes.connector import message
from tests.pipeline.rig import KIM, SAM, Rig

_JOINED = {phrases.agent_joined(agent.name) for agent in (SAM, KIM)}
_numbers = count(1)


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


async def run(rig: Rig, dice: random.Random, races_count: int) -> set[DeliveryState | None]:
    """Let that many customers in the queue ask something while agents claim them; return what became of the answers.

    Fails when a customer sees anything of the bot after an agent has joined, or when a question is lost.
    """
    races = {
        f"c{next(_numbers)}": Race(dice.choice(("at once", "step", "send")), dice.random() < 0.5)
        for _ in range(races_count)
    }
    tickets = await rig.database.write(_open_tickets, rig, races)

    async def in_step(request: TurnRequest) -> None:
        await races[request.text.rpartition(" ")[2]].pass_through("step")

    async def in_send(operation: SendOperation) -> None:
        await races[operation.address.external_id].pass_through("send")

    rig.engine.during_step, rig.connector.during_send = in_step, in_send

    async def ask(name: str) -> None:
        await rig.bring(message(rig.connector, name, f"{name}-1", f"question of {name}"))

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
    relayed = {message_id for post in rig.poster.of(DeskPostKind.LINE) for message_id in (post.message_id, *post.more)}
    return {await _judged(rig, name, relayed) for name in races}


async def _judged(rig: Rig, name: str, relayed: set[MessageId | None]) -> DeliveryState | None:
    """Return what became of the answer to a question; none: there was none, as the agent had it first."""
    seen = rig.seen(name)
    joined = next(number for number, text in enumerate(seen) if text in _JOINED)
    assert seen[joined + 1 :] == []
    lines = await rig.transcript(name)
    assert [line.id in relayed for line in lines if line.text.startswith("question")] == [True]
    answers = [line for line in lines if line.text.startswith("re:")]
    assert [line.text for line in answers if line.delivery is DeliveryState.SENT] == seen[:joined]
    return answers[0].delivery if answers else None


def _open_tickets(connection: Connection, rig: Rig, races: Mapping[str, Race]) -> dict[str, TicketId]:
    """Put the customers into the queue, all in one transaction."""
    writer = Writer(now=rig.clock.now(), desk=None)
    request = HandoffRequest(reason=Reason.EXPLICIT_WISH, topic="a question", summary="They want a person.")
    opened = {}
    for name in races:
        conversation = conversations.meet(connection, rig.connector.address(name), name, rig.clock.now())
        opened[name] = hand_off(connection, writer, conversation, request)[1].id
    return opened


async def _idle(rig: Rig) -> None:
    """Wait until nothing is ready or in work."""
    while True:
        inbox, outbox = await rig.inbox_states(), await rig.outbox_states()
        if not (inbox["pending"] + inbox["claimed"] + outbox["pending"] + outbox["claimed"]):
            return
        await asyncio.sleep(0.1)
