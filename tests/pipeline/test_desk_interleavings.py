"""Two agents and a lead do what they like with a ticket, at once and again: the desk agrees with its model."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, select

from bot.domain.acts import (
    Act,
    Assign,
    Claim,
    HandBack,
    Note,
    Release,
    Reopen,
    Reply,
    Resolve,
    SetPriority,
    SetTags,
    Snooze,
    Transfer,
    Undo,
    Wake,
)
from bot.domain.channels import AccountId, ChannelAddress, ChannelName
from bot.domain.conversations import Conversation
from bot.domain.desk import Done
from bot.domain.errors import DeskError
from bot.domain.handoff import HandoffRequest, Reason
from bot.domain.ports import CustomerDirectory
from bot.domain.rules import Rules, Team
from bot.domain.tickets import EVERYBODY, Agent, AgentId, Priority, TeamName, Ticket, TicketId
from bot.pipeline.desk.acts import Desk, DeskParts
from bot.pipeline.handing_off import hand_off
from bot.pipeline.outgoing import Writer
from bot.store import conversations, tickets
from bot.store.database import Database, open_engine
from bot.store.schema import outbox, ticket_events
from tests.databases import BACKENDS
from tests.pipeline.desk_model import Model, Shape
from tests.pipeline.rig import KIM, SAM, SetClock

LEAD = Agent(id=AgentId("test:lee"), name="Lee")
RETURNS = TeamName("returns")
RULES = Rules(teams=(Team(name=EVERYBODY, title="Everybody"), Team(name=RETURNS, title="Returns")))
HOLD_FOR = timedelta(seconds=5)
NOON = SetClock().now()

ACTS: st.SearchStrategy[Act] = st.sampled_from(
    [
        *[Claim(), Claim(), Release(), Assign(agent=SAM), Assign(agent=KIM), Transfer(team=RETURNS)],
        *[Transfer(team=EVERYBODY), Reply(text="Hello"), Note(text="hm"), Snooze(until=NOON + timedelta(days=1))],
        *[Wake(), SetPriority(priority=Priority.URGENT), SetPriority(priority=Priority.NORMAL), SetTags(tags=("mug",))],
        *[Resolve(), HandBack(outcome="done"), Reopen(), Reopen()],
    ]
)


@dataclass(frozen=True)
class Step:
    """Something one person does; the number of an earlier step to undo or to do once more, or none."""

    agent: Agent
    act: Act | None
    undoes: int = 0
    repeats: int = 0


AGENTS = st.sampled_from([SAM, KIM, LEAD])
STEPS = st.one_of(
    st.builds(Step, AGENTS, ACTS),
    st.builds(Step, AGENTS, ACTS),
    st.builds(Step, AGENTS, st.none(), undoes=st.sampled_from([1, 1, 2])),
    st.builds(Step, AGENTS, st.none(), repeats=st.integers(1, 3)),
)
#: Steps that are made at the same moment, and the seconds that pass before them.
ROUNDS = st.tuples(st.sampled_from([0, 0, 3, 11]), st.lists(STEPS, min_size=1, max_size=3))


class Room:
    """A desk on one database, with a new ticket for each example."""

    def __init__(self, url: str) -> None:
        """Open the database at `url`."""
        self.database = Database(open_engine(url))
        self.clock = SetClock()
        self.numbers = count(1)
        nobody = cast("CustomerDirectory", None)
        parts = DeskParts(database=self.database, clock=self.clock, directory=nobody, desk=None)
        self.desk = Desk(replace(parts, rules=RULES, hold_replies=HOLD_FOR))

    def open(self, connection: Connection) -> TicketId:
        """Open a ticket of somebody new."""
        name = str(next(self.numbers))
        address = ChannelAddress(channel=ChannelName("fake"), account=AccountId("brand"), external_id=name)
        conversation = conversations.meet(connection, address, name, self.clock.now())
        request = HandoffRequest(reason=Reason.OTHER, topic="a question", summary="A question.")
        writer = Writer(now=self.clock.now(), desk=None, rules=RULES)
        return hand_off(connection, writer, conversation, request)[1].id


def _look(connection: Connection, ticket_id: TicketId) -> tuple[Ticket, Conversation, list[str]]:
    ticket = tickets.get(connection, ticket_id)
    assert ticket is not None
    mine = (ticket_events.c.ticket_id == ticket_id) & ticket_events.c.key.is_not(None)
    keys = connection.scalars(select(ticket_events.c.key).where(mine).order_by(ticket_events.c.id)).all()
    return ticket, conversations.get(connection, ticket.conversation_id), [key for key in keys if key]


def _told(connection: Connection, key: str) -> str | None:
    state: str | None = connection.scalar(select(outbox.c.state).where(outbox.c.key == f"{key}:told"))
    return state


class Shift:
    """One example: a ticket, the people at it, and the model of it."""

    def __init__(self, room: Room, ticket_id: TicketId) -> None:
        """Begin with a ticket in the queue."""
        self.room = room
        self.ticket_id = ticket_id
        self.model = Model(HOLD_FOR)
        #: every act that was handed in: who, what, under which key
        self.asked: list[tuple[Agent, Act, str]] = []
        self.done: dict[str, Done] = {}

    async def play(self, rounds: list[tuple[int, list[Step]]]) -> None:
        """Make all steps, and compare the desk with the model after each round."""
        for seconds, steps in rounds:
            self.room.clock.pass_(seconds=seconds)
            asked = [self._asked(step) for step in steps]
            self.asked += asked
            results = await asyncio.gather(*(self._hand_in(*each) for each in asked))
            await self._compare(asked, results)
        for key, deed in self.model.deeds.items():
            if deed.is_undone:
                assert await self.room.database.read(_told, key) in {None, "withheld"}

    def _asked(self, step: Step) -> tuple[Agent, Act, str]:
        key = f"{self.ticket_id}:{len(self.asked)}:{next(self.room.numbers)}"
        earlier = self.asked[-(step.undoes + step.repeats) :][:1]
        if step.act is not None or not earlier:
            return step.agent, step.act or Claim(), key
        if step.repeats:
            return earlier[0]
        who = step.agent if step.agent == LEAD else earlier[0][0]
        return who, Undo(key=earlier[0][2]), key

    async def _hand_in(self, agent: Agent, act: Act, key: str) -> Done | None:
        try:
            return await self.room.desk.do(self.ticket_id, agent, act, key)
        except DeskError:
            return None

    async def _compare(self, asked: list[tuple[Agent, Act, str]], results: list[Done | None]) -> None:
        """The history tells in which order they were done; in that order the model has to allow the same."""
        ticket, conversation, keys = await self.room.database.read(_look, self.ticket_id)
        assert len(keys) == len(set(keys))
        epoch, now = self.model.epoch, self.room.clock.now()
        new = [key for key in keys if key not in self.model.deeds and key in {each[2] for each in asked}]
        by_key = {key: (agent, act) for agent, act, key in asked}
        for key in new:
            assert self.model.do(*by_key[key], key, now)
        if len(asked) == 1:
            # Nobody else was there: what was refused had to be.
            assert self.model.do(*asked[0], now) is (results[0] is not None)
        for (_, _, key), result in zip(asked, results, strict=True):
            assert (result is not None) is (key in self.model.deeds) or len(asked) > 1
            if result is not None and not self.model.deeds[key].is_undone:
                assert result.can_undo_until == self.model.deeds[key].until
        shape = Shape(
            state=ticket.state,
            agent=ticket.agent,
            team=ticket.team,
            priority=ticket.priority,
            tags=ticket.tags,
            snoozed_until=ticket.snoozed_until,
        )
        assert (shape, conversation.owner, conversation.epoch) == (
            self.model.shape,
            self.model.shape.owner,
            self.model.epoch,
        )
        assert conversation.epoch >= epoch


@pytest.fixture(scope="module", params=BACKENDS)
def room(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Room, bool]]:
    """Return a desk on either database, and whether it is the quick one."""
    server = None
    if request.param == "sqlite":
        folder: Path = tmp_path_factory.mktemp("room")
        url = f"sqlite:///{shutil.copy(request.getfixturevalue('migrated_sqlite'), folder / 'desk.db')}"
    else:
        server = request.getfixturevalue("postgres_server")
        url = server.new_database(request.getfixturevalue("migrated_postgres"))
    opened = Room(url)
    yield opened, server is None
    asyncio.run(opened.database.close())
    if server is not None:
        server.drop_database(url)


@pytest.mark.no_cover
def test_whatever_two_agents_do_the_desk_agrees_with_its_model(room: tuple[Room, bool]) -> None:
    """No order of acts, at once or in turn, repeated or undone, gives two owners, an older epoch or a second effect."""
    desk, is_quick = room
    with asyncio.Runner() as runner:

        @settings(
            max_examples=120 if is_quick else 25,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(st.lists(ROUNDS, min_size=1, max_size=14))
        def examine(rounds: list[tuple[int, list[Step]]]) -> None:
            ticket_id = runner.run(desk.database.write(desk.open))
            runner.run(Shift(desk, ticket_id).play(rounds))

        examine()
