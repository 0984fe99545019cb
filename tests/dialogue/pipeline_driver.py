"""Holds conversations with all of Tandem: web chat in, database, real engine and actions, sample shop, tickets out."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select

from actions.server import ActionServer, build_actions
from bot.dialogue.wire import Turn, TurnRequest, read_turn
from bot.domain.acts import Claim, HandBack, Reply
from bot.domain.channels import AccountId
from bot.domain.connectors import ConnectorRegistry, WebhookRequest
from bot.domain.errors import TurnFailedError
from bot.domain.messages import MessageId
from bot.domain.tickets import Agent, AgentId, Ticket
from bot.pipeline.background import Background
from bot.pipeline.converse import ConverseParts, Conversing
from bot.pipeline.deliver import Delivering, DeliverParts
from bot.pipeline.desk.acts import Desk, DeskParts
from bot.pipeline.receive import Receiver
from bot.store import inbox, outbox, tickets
from bot.store.conversations import StoredAssurances
from bot.store.database import Database
from bot.store.feeds import StoredFeed
from bot.store.hints import Hint
from bot.store.media import StoredMedia
from bot.store.schema import outbox as outbox_table
from connectors.webchat.connector import VisitorKeys, WebChatConnector
from tests.dialogue.driver import Heard
from tests.dialogue.world import World, through_json

SAM = Agent(id=AgentId("local:Sam"), name="Sam")
_LEASE_FOR = timedelta(minutes=1)


class InProcessEngine:
    """`bot.dialogue.client.Engine` without the socket: the engine's own function, its answers as JSON."""

    def __init__(self, processor: Any) -> None:
        """Ask the loaded model."""
        self._processor = processor
        #: for whoever reads a failure
        self.notes = ""

    async def step(self, request: TurnRequest) -> Turn:
        """Return the turn; what the engine's server answers with an error is one here."""
        from bot.engine import step as engine_step

        asked = engine_step.StepRequest.from_json(through_json(request.to_json()))
        try:
            body = through_json(await engine_step.step(self._processor, asked))
        except engine_step.TurnFailedError as error:
            raise TurnFailedError(str(error.failures)) from error
        turn = read_turn(body)
        self.notes = (
            f"intent {turn.intent} {turn.confidence}, ranking {turn.ranking[:3]}, actions {body.get('actions')}, "
            f"entities {body.get('entities')}, slots {turn.state['slots']}, form {turn.state['active_loop']}"
        )
        return turn


class PipelineDriver:
    """One visitor of the web chat, and one agent at the desk."""

    def __init__(self, world: World, database: Database, folder: Path) -> None:
        """Begin a conversation as somebody nobody knows."""
        self._world = world
        self._database = database
        self._feed = StoredFeed(database, world.clock, wake=lambda _: None, typing=lambda _: None)
        keys = VisitorKeys(secret=b"a secret of thirty-two bytes or so")
        session = keys.session(bytes(range(26)))
        self._visitor, self._headers = session.visitor, {"authorization": f"Bearer {session.token}"}
        self._webchat = WebChatConnector(account=AccountId("site"), keys=keys, feed=self._feed, clock=world.clock)
        connectors = ConnectorRegistry(connectors=(self._webchat,))
        directory: Any = world.directory
        parts = DeskParts(database=database, clock=world.clock, directory=directory, desk=None, undo_for=timedelta())
        self._desk = Desk(parts)
        # The id chooses among the variations of a response: a conversation goes the same way each time.
        ids = (MessageId(f"m{number}") for number in count(1))
        self._receiver = Receiver(database, world.clock, Hint(), new_id=lambda: next(ids))
        self._engine = InProcessEngine(world.processor)
        self._conversing = Conversing(
            ConverseParts(
                database=database,
                clock=world.clock,
                engine=self._engine,
                directory=directory,
                media=StoredMedia(database, world.clock, folder),
                connectors=connectors,
                background=Background(),
                desk=None,
                dice=random.Random(1),
                # Each line of a script is answered by itself.
                debounce=timedelta(),
            )
        )
        self._delivering = Delivering(
            DeliverParts(
                database=database,
                clock=world.clock,
                connectors=connectors,
                commands=world.shop,
                poster=None,
                desk=None,
                dice=random.Random(1),
            )
        )
        world.actions.server = ActionServer(build_actions(directory, StoredAssurances(database), world.clock))
        self._cursor = 0
        self._message_count = 0
        self._choices: dict[str, str] = {}
        self._tickets: set[str] = set()
        self._commands: set[int] = set()

    async def say(self, text: str) -> Heard:
        """Write in the web chat."""
        return await self._write({"text": text})

    async def tap(self, title: str) -> Heard:
        """Tap a choice that the web chat shows."""
        if title not in self._choices:
            raise LookupError(f"{title!r} cannot be tapped; there is {sorted(self._choices)}")
        return await self._write({"text": title, "choice": self._choices[title]})

    async def claim(self) -> Heard:
        """Take the ticket."""
        await self._desk.do((await self._open_ticket()).id, SAM, Claim(), self._key())
        return await self._settle()

    async def reply(self, text: str) -> Heard:
        """Write to the customer."""
        await self._desk.do((await self._open_ticket()).id, SAM, Reply(text=text), self._key())
        return await self._settle()

    async def hand_back(self, outcome: str) -> Heard:
        """Give the conversation back to the bot."""
        await self._desk.do((await self._open_ticket()).id, SAM, HandBack(outcome=outcome), self._key())
        return await self._settle()

    def break_records(self, *, broken: bool) -> None:
        """Cut the brand's records off, or mend them."""
        self._world.directory.is_broken = broken

    def pass_time(self, span: timedelta) -> None:
        """Move the clock."""
        self._world.clock.at += span

    async def _write(self, message: Mapping[str, object]) -> Heard:
        body = {"type": "message", "id": f"00000000-0000-4000-8000-{self._next():012d}", **message}
        request = WebhookRequest(method="POST", headers=self._headers, query={}, body=json.dumps(body).encode())
        await self._receiver.receive(self._webchat, request)
        return await self._settle()

    async def _settle(self) -> Heard:
        """Work until both boxes are empty and return what came of it."""
        while True:
            now = self._world.clock.now()
            arrived = await self._database.write(inbox.claim, now, _LEASE_FOR, 8)
            for row in arrived:
                await self._conversing.converse(row)
            leaving = await self._database.write(outbox.claim, now, _LEASE_FOR, 8)
            for sending in leaving:
                await self._delivering.deliver(sending)
            if not arrived and not leaving:
                return await self._heard()

    async def _heard(self) -> Heard:
        entries = await self._feed.after(self._visitor, self._cursor, 100)
        self._cursor = entries[-1][0] if entries else self._cursor
        shown = [body for _, body in entries if body.get("author") in {"bot", "system", "agent"}]
        offered = {choice["title"]: choice["payload"] for body in shown for choice in body["choices"]}  # type: ignore[attr-defined]
        self._choices = offered or self._choices
        opened, commands = await self._database.read(self._read_new)
        return Heard(
            texts=tuple(str(body["text"]) for body in shown),
            buttons=tuple(offered),
            ticket=opened,
            commands=commands,
            notes=self._engine.notes,
        )

    def _read_new(
        self, connection: Connection
    ) -> tuple[tuple[str, str] | None, tuple[tuple[str, Mapping[str, object]], ...]]:
        fresh = [ticket for ticket in tickets.all_open(connection) if ticket.id not in self._tickets]
        self._tickets |= {ticket.id for ticket in fresh}
        rows = connection.execute(select(outbox_table).where(outbox_table.c.kind == "command")).all()
        commands = tuple((row.body["name"], row.body["arguments"]) for row in rows if row.id not in self._commands)
        self._commands |= {row.id for row in rows}
        opened = (fresh[0].request.reason.value, fresh[0].request.topic) if fresh else None
        return opened, commands

    async def _open_ticket(self) -> Ticket:
        found = await self._desk.open_tickets()
        assert found, "there is no ticket to work on"
        return found[0].ticket

    def _key(self) -> str:
        return f"act:{self._next()}"

    def _next(self) -> int:
        self._message_count += 1
        return self._message_count
