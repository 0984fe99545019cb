from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Coroutine
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import Connection, select

from bot.domain.acts import Claim, HandBack, Reply, Resolve
from bot.domain.conversations import Owner
from bot.domain.errors import DeskError
from bot.domain.messages import Author, DeliveryState, InboundMessage, MessageId, message_id_of
from bot.domain.tickets import Agent, TicketId
from bot.store import conversations
from bot.store.database import Database, open_engine
from bot.store.sample_shop.shop import SampleShop
from bot.store.schema import outbox as outbox_table
from tests.databases import BACKENDS, PostgresServer
from tests.fakes.connector import (
    KILLED_AFTER,
    KILLED_BEFORE,
    LOST_ANSWER,
    LOST_CALL,
    Outcome,
    ProcessKilledError,
    message,
    refused,
)
from tests.pipeline.rig import BLOCKED, BUSY, KIM, SAM, Rig, handoff, turn

T = TypeVar("T")
CUSTOMERS = st.sampled_from(["ann", "bob"])
AGENTS = st.sampled_from([SAM, KIM])
OUTCOMES = st.sampled_from([LOST_ANSWER, LOST_CALL, KILLED_AFTER, KILLED_BEFORE, refused(BUSY), refused(BLOCKED)])


class Anything(RuleBasedStateMachine):
    """Customers, agents, the network and the machine do what they like, in any order."""

    #: set by the test: where the databases come from
    postgres: tuple[PostgresServer, str] | None
    templates: tuple[Path, Path]

    def __init__(self) -> None:
        """Start the pipeline on a fresh database."""
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder = Path(tempfile.mkdtemp())
        self.numbers = count(1)
        self.brought: list[InboundMessage] = []
        self.is_dying = False
        #: of what tells a customer that an agent is there, the epoch from which it is so
        self.claims: dict[str, int] = {}
        self.joined: dict[str, int] = {}
        self.looked_at = 0
        self.url = f"sqlite:///{shutil.copy(self.templates[0], self.folder / 'tandem.db')}"
        if self.postgres is not None:
            server, template = self.postgres
            self.url = server.new_database(template)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """See something through."""
        return self.runner.run(work)

    @initialize(is_idempotent=st.booleans())
    def start(self, is_idempotent: bool) -> None:
        """Begin on a channel that knows repeats, or one that does not."""
        shop_url = f"sqlite:///{self.templates[1]}"
        self.rig = self.run(self._open(shop_url))
        self.rig.connector.is_idempotent = is_idempotent
        self.rig.connector.text_max = 30

        async def perhaps_die(_: object) -> None:
            if self.is_dying:
                self.is_dying = False
                raise ProcessKilledError

        self.rig.engine.during_step = perhaps_die

    async def _open(self, shop_url: str) -> Rig:
        shop = SampleShop(Database(open_engine(shop_url)), shop_url)
        return Rig(Database(open_engine(self.url)), shop, self.folder)

    def teardown(self) -> None:
        """Let everything come to an end on a healthy day, and look whether anything was lost."""
        if hasattr(self, "rig"):
            try:
                self.is_dying = False
                self.rig.connector.script.clear()
                for _ in range(6):
                    self.run(self.rig.recover())
                self.rig.clock.pass_(minutes=11)
                self.run(self.rig.settle())
                self.nothing_is_lost()
            finally:
                self.run(self._close())
        self.runner.close()
        shutil.rmtree(self.folder)
        if self.postgres is not None:
            self.postgres[0].drop_database(self.url)

    async def _close(self) -> None:
        await self.rig.close()
        await self.rig.shop.close()
        await self.rig.database.close()

    # --------------------------------------------------------------------------------------------- what may happen

    @rule(customer=CUSTOMERS, what=st.sampled_from(["long", "person", "hello"]), is_slow=st.booleans())
    def write(self, customer: str, what: str, is_slow: bool) -> None:
        """A customer writes, and a worker may be slow to work on it."""
        number = next(self.numbers)
        text = f"{what} {number}"
        if what == "person":
            self.rig.engine.by_text[text] = handoff(f"wait {number}")
        if what == "long":
            first = f"a first part {number:04}; and a second part {number:04}"
            self.rig.engine.by_text[text] = turn(first, f"b{number}")
        self.brought.append(message(self.rig.connector, customer, f"in-{number}", text))
        self.run(self.rig.bring(self.brought[-1]))
        if not is_slow:
            self.run(self.rig.converse_once())

    @precondition(lambda self: self.brought)
    @rule(data=st.data())
    def repeat(self, data: st.DataObject) -> None:
        """The channel brings something once more."""
        self.run(self.rig.bring(data.draw(st.sampled_from(self.brought))))

    @precondition(lambda self: self.brought)
    @rule(is_dying=st.booleans())
    def converse(self, is_dying: bool) -> None:
        """A worker works on the inbox, and may die in the middle of a turn."""
        self.is_dying = is_dying
        self.run(self.rig.converse_once())
        self.is_dying = False

    @precondition(lambda self: self.brought)
    @rule(outcome=OUTCOMES, rounds=st.integers(1, 3))
    def deliver(self, outcome: Outcome, rounds: int) -> None:
        """A worker works on the outbox, and its first call to the channel comes to anything."""
        self.rig.connector.script.append(outcome)
        for _ in range(rounds):
            self.run(self.rig.deliver_once())
        self.rig.connector.script.clear()
        self.agents_are_not_talked_over()

    @precondition(lambda self: self.brought)
    @rule()
    def work(self) -> None:
        """All goes well for a while."""
        self.run(self.rig.settle())
        self.agents_are_not_talked_over()

    @precondition(lambda self: self.brought)
    @rule(seconds=st.sampled_from([61, 3]))
    def pass_time(self, seconds: int) -> None:
        """Time passes; leases may end."""
        self.rig.clock.pass_(seconds=seconds)
        self.run(self.rig.sweep())

    @precondition(lambda self: self.brought)
    @rule(agent=AGENTS, act=st.sampled_from(["claim", "claim", "reply", "resolve", "hand_back"]), data=st.data())
    def act(self, agent: Agent, act: str, data: st.DataObject) -> None:
        """An agent does something with an open ticket, perhaps something impossible."""
        views = self.run(self.rig.desk.open_tickets())
        if views:
            ticket_id = data.draw(st.sampled_from([view.ticket.id for view in views]))
            self.run(self._act(ticket_id, agent, act, next(self.numbers)))

    async def _act(self, ticket_id: TicketId, agent: Agent, act: str, number: int) -> None:
        desk, key = self.rig.desk, f"act-{number}"
        with suppress(DeskError):
            match act:
                case "claim" | "reply":
                    done = await desk.do(
                        ticket_id, agent, Claim() if act == "claim" else Reply(text=f"reply {number}"), key
                    )
                    claimed = await self.rig.database.read(conversations.get, done.ticket.conversation_id)
                    self.claims[f"{key}:told:0"] = claimed.epoch
                case "resolve":
                    await desk.do(ticket_id, agent, Resolve(), key)
                case _:
                    await desk.do(ticket_id, agent, HandBack(outcome=f"outcome {number}"), key)

    # -------------------------------------------------------------------------------------------- what always holds

    @invariant()
    def nothing_is_seen_twice(self) -> None:
        """No customer ever sees one part of one message twice."""
        keys = [shown.key for shown in self.rig.connector.shown] if hasattr(self, "rig") else []
        assert len(keys) == len(set(keys))

    def agents_are_not_talked_over(self) -> None:
        """After an agent's joining is seen the bot is silent; before, it repeats only what may have left."""
        shown = self.rig.connector.shown
        for seen in shown[self.looked_at :]:
            conversation = self.run(self.rig.conversation(seen.customer))
            if seen.key in self.claims:
                self.joined[seen.customer] = self.claims[seen.key]
            elif seen.author == Author.BOT and conversation.owner is Owner.AGENT:
                assert self.joined.get(seen.customer) != conversation.epoch
                assert [key for key, _ in self.rig.connector.calls].count(seen.key) > 1
        self.looked_at = len(shown)

    def nothing_is_lost(self) -> None:
        """Every message was worked on; every answer arrived whole and in order, or people know that it did not."""
        for states in (self.run(self.rig.inbox_states()), self.run(self.rig.outbox_states())):
            assert states["pending"] + states["claimed"] == 0
        posted = self.run(self.rig.database.read(_lines_posted))
        for customer in {event.address.external_id for event in self.brought}:
            lines = self.run(self.rig.transcript(customer))
            theirs = [line for line in lines if line.author is Author.CUSTOMER]
            assert [line.text for line in theirs] == list(
                dict.fromkeys(event.text for event in self.brought if event.address.external_id == customer)
            )
            ours = {line.id: line for line in lines if line.delivery is not None}
            assert DeliveryState.PENDING not in {line.delivery for line in ours.values()}
            parts: dict[MessageId, str] = {}
            for shown in self.rig.connector.shown:
                if shown.customer == customer:
                    message_id = message_id_of(shown.key.rpartition(":")[0])
                    parts[message_id] = parts.get(message_id, "") + shown.text
            assert list(parts) == [line for line in ours if line in parts]
            for line in ours.values():
                if line.delivery is DeliveryState.SENT:
                    assert parts[line.id] == line.text
                if line.delivery is DeliveryState.FAILED:
                    assert self.run(self.rig.ticket_count()) > 0
            said = {line.text for line in ours.values()}
            for line in theirs:
                number = line.text.split()[1]
                assert said & {f"re: {line.text}", f"wait {number}", f"b{number}"} or line.id in posted


def _lines_posted(connection: Connection) -> set[str]:
    """Return the messages that were put on the desk."""
    bodies = connection.scalars(select(outbox_table.c.body).where(outbox_table.c.kind == "desk"))
    return {body["message_id"] for body in bodies if body["message_id"]}


@pytest.mark.no_cover
@pytest.mark.parametrize("backend", BACKENDS)
def test_whatever_happens_nothing_is_lost_doubled_or_said_out_of_turn(
    backend: str, request: pytest.FixtureRequest, shop_template: Path
) -> None:
    """No order of messages, repeats, crashes, network faults and acts of agents loses, doubles or reorders anything."""
    is_sqlite = backend == "sqlite"
    Anything.templates = (request.getfixturevalue("migrated_sqlite"), shop_template)
    Anything.postgres = (
        None
        if is_sqlite
        else (request.getfixturevalue("postgres_server"), request.getfixturevalue("migrated_postgres"))
    )
    run_state_machine_as_test(
        Anything,
        settings=settings(
            max_examples=20 if is_sqlite else 8,
            stateful_step_count=40,
            deadline=None,
            derandomize=True,
            # A failure is shown as it was found: each try takes long.
            phases=[Phase.generate],
            report_multiple_bugs=False,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
