"""The whole pipeline on a real database, with a scripted engine, a channel that keeps the truth, and a set clock."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

from sqlalchemy import select

from bot.dialogue.wire import Answer, Command, OfferedChoice, ProofAttempt, Reminder, Turn, TurnRequest
from bot.domain.acts import Act
from bot.domain.connectors import ConnectorRegistry, Permanent, Retry, SendResult, Sent
from bot.domain.conversations import Conversation
from bot.domain.desk import DeskPost, DeskPostKind, Done
from bot.domain.handoff import HandoffRequest, Reason
from bot.domain.messages import InboundEvent, Meaning, TranscriptLine
from bot.domain.rules import Rules
from bot.domain.tickets import Agent, AgentId, Ticket, TicketView
from bot.pipeline.background import Background
from bot.pipeline.breakers import Breakers
from bot.pipeline.converse import ConverseParts, Conversing
from bot.pipeline.deliver import Delivering, DeliverParts
from bot.pipeline.desk.acts import Desk, DeskParts
from bot.pipeline.firing import fire_timers
from bot.pipeline.outgoing import DeskAddress
from bot.pipeline.receive import Receiver
from bot.pipeline.worker import LEASE_FOR, Worker
from bot.pipeline.worker_parts import WorkerParts
from bot.store import conversations, gauging, inbox, outbox, tickets, transcript
from bot.store.customer_mapping import load_mapping
from bot.store.customers.directory import SqlCustomerDirectory
from bot.store.database import Database
from bot.store.hints import Hints
from bot.store.media import StoredMedia
from bot.store.sample_shop.cast import CastMember, cast
from bot.store.sample_shop.shop import SampleShop
from bot.store.schema import tickets as tickets_table
from tests.fakes.connector import FakeConnector, ProcessKilledError, message

SAM = Agent(id=AgentId("test:sam"), name="Sam")
#: Each ticket stands for itself, and nobody is asked how it was.
PLAIN = Rules(asks_satisfaction=False, reopen_within=timedelta())
KIM = Agent(id=AgentId("test:kim"), name="Kim")
#: More than fits into one message.
LONG = " ".join(f"word{n:03}" for n in range(60))


class SetClock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        """Start at noon."""
        self.moment = datetime(2026, 3, 4, 12, tzinfo=UTC)

    def now(self) -> datetime:
        """Return the moment it was set to."""
        return self.moment

    def pass_(self, **time: float) -> None:
        """Move on by so many `seconds`, `minutes`, `hours`."""
        self.moment += timedelta(**time)


def turn(*answers: str | Answer, **more: Any) -> Turn:
    """Return a turn that gives these answers."""
    values: dict[str, Any] = {
        "events": [{"event": "action", "name": "action_listen"}],
        "handoff": None,
        "commands": (),
        "proofs": (),
        "reminders": (),
        "intent": "some_intent",
        "confidence": 0.9,
        "ranking": (("some_intent", 0.9),),
        "is_fallback": False,
        "state": {"slots": {}, "active_loop": None},
        "model_id": "model",
    }
    made = tuple(Answer(text=answer) if isinstance(answer, str) else answer for answer in answers)
    return Turn(answers=made, **values | more)


def handoff(*answers: str, reason: Reason = Reason.EXPLICIT_WISH, **more: Any) -> Turn:
    """Return a turn that hands the conversation to people."""
    request = HandoffRequest(reason=reason, topic="a question", summary="They want a person.", tried=("looked",))
    return turn(*(answers or ("A colleague will answer you.",)), handoff=request, **more)


def offer(text: str, *choices: tuple[str, Meaning]) -> Answer:
    """Return an answer with choices."""
    return Answer(text=text, choices=tuple(OfferedChoice(title=title, meaning=meaning) for title, meaning in choices))


def command(order_number: str, **arguments: str) -> Command:
    """Return the command that cancels an order."""
    return Command(name="cancel_order", arguments={"order_number": order_number, **arguments})


def proof(order_number: str, given: str, *, succeeded: bool = True) -> ProofAttempt:
    """Return what an action believes of a proof."""
    return ProofAttempt(order_number=order_number, proof=given, succeeded=succeeded)


def reminder(name: str | None, fire_at: datetime | None, intent: str = "") -> Reminder:
    """Return a timer that is set, or dropped."""
    return Reminder(name=name, fire_at=fire_at, meaning=Meaning(intent=intent, entities={"a": "b"} if intent else {}))


#: What the engine makes of a request: a turn, or an error that it raises.
Reply = Turn | Exception | Callable[[TurnRequest], Turn | Exception]


@dataclass
class ScriptedEngine:
    """`bot.dialogue.client.Engine` that says what the test wrote; by default it repeats what it heard."""

    by_text: dict[str, Reply] = field(default_factory=dict)
    requests: list[TurnRequest] = field(default_factory=list)
    #: awaited while a turn is in work
    during_step: Callable[[TurnRequest], Awaitable[None]] | None = None
    #: what everything comes to while it is set
    broken: Exception | None = None

    async def step(self, request: TurnRequest) -> Turn:
        """Return the turn the script has for the text, or for `/intent`."""
        self.requests.append(request)
        if self.during_step is not None:
            await self.during_step(request)
        if self.broken is not None:
            raise self.broken
        said = f"/{request.meaning.intent}" if request.meaning else request.text
        reply = self.by_text.get(said, turn(f"re: {said}"))
        made = reply if isinstance(reply, Turn | Exception) else reply(request)
        if isinstance(made, Exception):
            raise made
        return made


@dataclass
class FakePoster:
    """`bot.domain.desk.DeskPoster` that keeps what the desk shows."""

    posts: list[tuple[DeskPost, str]] = field(default_factory=list)
    results: list[SendResult] = field(default_factory=list)

    async def send(self, post: DeskPost, key: str) -> SendResult:
        """Show a post, unless the test says otherwise."""
        if self.results:
            return self.results.pop(0)
        self.posts.append((post, key))
        return Sent(external_id=f"ref-{post.ticket_id}")

    async def find(self, post: DeskPost, key: str) -> SendResult:
        """Say whether a post is there."""
        is_there = any(known == key for _, known in self.posts)
        return Sent(external_id=f"ref-{post.ticket_id}") if is_there else Retry(reason="it is not there")

    def of(self, kind: DeskPostKind) -> list[DeskPost]:
        """Return the posts of one kind."""
        return [post for post, _ in self.posts if post.kind is kind]


class Rig:
    """One process of the pipeline."""

    def __init__(
        self,
        database: Database,
        shop: SampleShop,
        folder: Path,
        rules: Rules | None = None,
        also: tuple[FakeConnector, ...] = (),
    ) -> None:
        """Build every part over `database`; `also` are connected beside the rig's own."""
        self.rules = rules or PLAIN
        self.database = database
        self.clock = SetClock()
        self.breakers = Breakers(now=lambda: self.clock.now().timestamp())
        self.engine = ScriptedEngine()
        self.connector = FakeConnector()
        self.poster = FakePoster()
        self.hints = Hints()
        self.shop = shop
        self.directory = SqlCustomerDirectory(shop.url, load_mapping(None))
        self.media = StoredMedia(database, self.clock, folder / "media")
        self.background = Background()
        self.desk_events: list[dict[str, object]] = []
        self._numbers = count(1)
        self._address = DeskAddress(name="fake")
        self._dice = random.Random(1)
        self._registry = ConnectorRegistry(connectors=(self.connector, *also))
        self.receiver = Receiver(database, self.clock, self.hints.inbox)
        self.desk = Desk(self._desk_parts())
        self.converse_parts = self._converse_parts()
        self.deliver_parts = self._deliver_parts()
        self.worker = Worker(self._worker_parts())

    def _desk_parts(self) -> DeskParts:
        return DeskParts(
            database=self.database,
            clock=self.clock,
            directory=self.directory,
            desk=self._address,
            rules=self.rules,
            # Where undoing is what a test is about, it makes a desk of its own; no other waits for it.
            undo_for=timedelta(),
        )

    def _converse_parts(self) -> ConverseParts:
        return ConverseParts(
            database=self.database,
            clock=self.clock,
            engine=self.engine,
            directory=self.directory,
            media=self.media,
            connectors=self._registry,
            background=self.background,
            desk=self._address,
            rules=self.rules,
            dice=self._dice,
        )

    def _deliver_parts(self) -> DeliverParts:
        return DeliverParts(
            database=self.database,
            clock=self.clock,
            connectors=self._registry,
            commands=self.shop,
            poster=self.poster,
            desk=self._address,
            rules=self.rules,
            dice=self._dice,
            breakers=self.breakers,
        )

    def _worker_parts(self) -> WorkerParts:
        return WorkerParts(
            database=self.database,
            clock=self.clock,
            hints=self.hints,
            conversing=Conversing(self.converse_parts),
            delivering=Delivering(self.deliver_parts),
            desk_events=self._take_desk_event,
            desk=self._address,
            rules=self.rules,
            dice=self._dice,
            concurrency=4,
            breakers=self.breakers,
        )

    async def close(self) -> None:
        """Let go of everything but the database."""
        await self.background.stop()
        await self.directory.close()

    async def _take_desk_event(self, event: dict[str, object]) -> None:
        self.desk_events.append(event)

    # ------------------------------------------------------------------------------------------------ what happens

    async def bring(self, *events: InboundEvent) -> None:
        """Let the channel call us with these events."""
        await self.receiver.receive(self.connector, self.connector.request(list(events)))

    async def writes(self, text: str, customer: str = "ann", **more: Any) -> None:
        """Let a customer write, and see it through."""
        await self.bring(message(self.connector, customer, f"in-{next(self._numbers)}", text, **more))
        await self.settle()

    async def act(self, act: Act, agent: Agent = SAM, *, customer: str = "ann", key: str | None = None) -> Done:
        """Let an agent do something with a customer's newest ticket; nothing is seen through yet."""
        conversation = await self.conversation(customer)
        ticket = await self.database.read(tickets.last_of, conversation.id)
        assert ticket is not None
        return await self.desk.do(ticket.id, agent, act, key or f"act-{next(self._numbers)}")

    async def converse_once(self) -> int:
        """Work on what the inbox has ready; return how many rows that were. A killed worker's row stays claimed."""
        rows = await self.database.write(inbox.claim, self.clock.now(), LEASE_FOR, 10)
        rows += await self.database.write(inbox.claim_suspects, self.clock.now(), LEASE_FOR, 1)
        for row in rows:
            try:
                await self.worker._work(row)
            except ProcessKilledError:
                self.worker._inbox_leases.clear()
        return len(rows)

    async def deliver_once(self) -> int:
        """Work on what the outbox has ready; return how many rows that were. A killed worker's row stays claimed."""
        rows = await self.database.write(outbox.claim, self.clock.now(), LEASE_FOR, 10)
        rows += await self.database.write(outbox.claim_suspects, self.clock.now(), LEASE_FOR, 1)
        for row in rows:
            try:
                await self.worker._send(row)
            except ProcessKilledError:
                self.worker._outbox_leases.clear()
        return len(rows)

    async def settle(self) -> None:
        """Work on both boxes until nothing is ready."""
        while await self.converse_once() + await self.deliver_once():
            pass

    async def sweep(self) -> None:
        """Do what a worker does every now and then."""
        await self.worker._renew()
        await self.worker._release(is_alone=False)
        await self.database.write(fire_timers, self.clock.now())
        await self.worker._keep_promises()

    async def recover(self) -> None:
        """Let dead workers' leases end, and go on."""
        self.clock.pass_(seconds=61)
        await self.sweep()
        await self.settle()

    async def wait_out(self, *, minutes: float, step: float = 31) -> None:
        """Let time pass, in steps of so many seconds: by default as short as the pauses between tries soon are."""
        end = self.clock.now() + timedelta(minutes=minutes)
        while self.clock.now() < end:
            self.clock.pass_(seconds=min(step, (end - self.clock.now()).total_seconds()))
            await self.sweep()
            await self.settle()

    # ------------------------------------------------------------------------------------------------ what there is

    def seen(self, customer: str = "ann") -> list[str]:
        """Return what a customer saw."""
        return self.connector.seen_by(customer)

    async def conversation(self, customer: str = "ann") -> Conversation:
        """Return a customer's conversation."""
        found = await self.database.read(conversations.find_by_address, self.connector.address(customer))
        assert found is not None
        return found

    async def transcript(self, customer: str = "ann") -> list[TranscriptLine]:
        """Return all that was said in a customer's conversation."""
        return await self.database.read(transcript.last, (await self.conversation(customer)).id, 1000)

    async def open_ticket(self, customer: str = "ann") -> Ticket | None:
        """Return the open ticket of a customer's conversation."""
        return await self.database.read(tickets.open_of, (await self.conversation(customer)).id)

    async def view(self, customer: str = "ann") -> TicketView:
        """Return what an agent sees of a customer's open ticket."""
        ticket = await self.open_ticket(customer)
        assert ticket is not None
        view = await self.desk.view(ticket.id)
        assert view is not None
        return view

    async def ticket_count(self) -> int:
        """Return how many tickets were ever opened."""
        return len(await self.database.read(lambda connection: connection.execute(select(tickets_table)).all()))

    async def inbox_states(self) -> dict[str, int]:
        """Return how many rows of the inbox wait, run, or were given up."""
        return dict((await self.database.read(gauging.look, self.clock.now()))["inbox"].counts)

    async def outbox_states(self) -> dict[str, int]:
        """Return how many rows of the outbox wait, run, or were given up."""
        return dict((await self.database.read(gauging.look, self.clock.now()))["outbox"].counts)

    def member(self, place: int = 4) -> CastMember:
        """Return a member of the sample shop's cast; the fourth has an order that can be cancelled."""
        return cast()[place - 1]


BLOCKED = Permanent(reason="the customer blocked us", code="403")
BUSY = Retry(reason="slow down")
