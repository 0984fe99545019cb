"""The pipeline with Slack as its desk, in virtual time: Slack's limits and ours go by the same clock."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from sqlalchemy import Connection

from bot.desk.slack.app import SlackAccount, SlackDesk
from bot.desk.slack.envelope import Json
from bot.desk.slack.parts import Resources
from bot.domain.channels import ChannelAddress
from bot.domain.conversations import ConversationId
from bot.domain.handoff import HandoffRequest, Reason
from bot.domain.messages import Author, TranscriptLine
from bot.domain.rules import Rules
from bot.domain.tickets import Priority, TicketId
from bot.pipeline import promises
from bot.pipeline.alarms import DeskWatch
from bot.pipeline.handing_off import hand_off
from bot.pipeline.outgoing import DeskAddress, Writer
from bot.store import conversations, inbox, joining, tickets, transcript
from bot.store.ids import new_message_id
from bot.store.inbox import Arrival, InboxKind
from bot.store.outbox import OutboxRow
from tests.desk.serving import serve
from tests.fakes.connector import ProcessKilledError
from tests.fakes.slack import BOT_TOKEN, SECRET, FakeSlack
from tests.fakes.slack_api import QUEUE
from tests.fakes.slack_limits import Limits
from tests.pipeline.rig import Rig

LEASE = timedelta(minutes=10)


class Workplace:
    """One process with its desk in Slack."""

    def __init__(self, rig: Rig, slack: FakeSlack, rules: Rules, fallback: str | None) -> None:
        """Put the desk behind a gate."""
        self.rig = rig
        self.slack = slack
        self.rules = rules
        self.alarm_count = 0
        slack.clock = lambda: rig.clock.now().timestamp()
        slack.limits = Limits(slack.clock)
        account = SlackAccount(
            bot_token=BOT_TOKEN,
            channel=QUEUE,
            team_channels={team.name: team.slack_channel for team in rules.teams if team.slack_channel},
            fallback_channel=fallback,
            signing_secret=SECRET,
            base_url=slack.base_url,
        )
        self.app = SlackDesk(account, rig.desk, rig.media, self.persist, Resources(rules=rules))
        self.address = DeskAddress(name="slack", channel=QUEUE)
        self.watch = DeskWatch(rig.database, alarmed=self._alarmed)
        for parts in (rig.desk._parts, rig.converse_parts, rig.deliver_parts, rig.worker._parts):
            object.__setattr__(parts, "desk", self.address)
            object.__setattr__(parts, "rules", rules)
        object.__setattr__(rig.deliver_parts, "poster", self.app.poster)
        object.__setattr__(rig.worker._parts, "desk_events", self.app.handle)
        object.__setattr__(rig.worker._parts, "watch", self.watch)

    def _alarmed(self) -> None:
        self.alarm_count += 1

    async def persist(self, external_id: str, address: ChannelAddress, raw: Json) -> bool:
        """Make an event durable, as the service does."""
        arrival = Arrival(
            account=f"{address.channel}/{address.account}",
            external_id=external_id,
            address=str(address),
            kind=InboxKind.DESK,
            body=raw,
            message_id=new_message_id(),
        )
        return await self.rig.database.write(inbox.add, arrival, self.rig.clock.now())

    # ------------------------------------------------------------------------------------------------ what happens

    async def open(self, name: str, priority: Priority = Priority.NORMAL) -> TicketId:
        """Hand a new customer's conversation to people, after one line of theirs."""

        def body(connection: Connection) -> TicketId:
            now = self.rig.clock.now()
            conversation = conversations.meet(connection, self.rig.connector.address(name), name, now)
            self._say(connection, conversation.id, f"It is about {name}")
            request = HandoffRequest(reason=Reason.EXPLICIT_WISH, topic=f"topic {name}", summary="They want a person.")
            _, ticket = hand_off(connection, self._writer(), conversation, request)
            return ticket.id

        ticket_id = await self.rig.database.write(body)
        if priority is not Priority.NORMAL:
            await self.rig.database.write(self._prioritize, ticket_id, priority)
        return ticket_id

    async def says(self, ticket_id: TicketId, text: str) -> None:
        """Let a ticket's customer say something that is shown in the thread."""

        def body(connection: Connection) -> None:
            ticket = tickets.get(connection, ticket_id)
            assert ticket is not None
            line = self._say(connection, ticket.conversation_id, text)
            self._writer().post_line(connection, ticket_id, line.id)

        await self.rig.database.write(body)

    async def post_once(self) -> int:
        """Post what the gates let through now; return how many rows that were."""
        rows: list[OutboxRow] = await self.rig.database.write(joining.claim, self.rig.clock.now(), LEASE, 8)
        for row in rows:
            try:
                await self.rig.worker._send(row)
            except ProcessKilledError:
                self.rig.worker._outbox_leases.clear()
        return len(rows)

    async def work(self) -> None:
        """Work on all that is ready now."""
        while await self.rig.converse_once() + await self.rig.deliver_once() + await self.post_once():
            pass

    async def pass_(self, seconds: float, step: float = 0.5) -> None:
        """Let time pass, as a worker that looks every so often sees it."""
        end = self.rig.clock.now() + timedelta(seconds=seconds)
        while self.rig.clock.now() < end:
            self.rig.clock.pass_(seconds=step)
            await self.watch.look(self._writer())
            await self.work()

    async def drain(self, within: float) -> float:
        """Let time pass until nothing waits to be posted; return how many seconds that took, at most `within`."""
        start = self.rig.clock.now()
        while (taken := (self.rig.clock.now() - start).total_seconds()) < within:
            if not (await self.rig.outbox_states())["pending"]:
                return taken
            await self.pass_(1)
        return within

    # ------------------------------------------------------------------------------------------------ what there is

    def roots(self, channel: str = QUEUE) -> list[Json]:
        """Return the posts of a channel that begin a thread, in order."""
        return [m for m in self.slack.messages if m["channel"] == channel and m.get("thread_ts") in (None, m["ts"])]

    async def card(self, ticket_id: TicketId) -> str:
        """Return the `ts` of a ticket's card."""
        view = await self.rig.desk.view(ticket_id)
        assert view is not None
        assert view.ticket.desk_reference is not None
        return view.ticket.desk_reference.rpartition(":")[2]

    # ------------------------------------------------------------------------------------------------ how

    def _writer(self) -> Writer:
        return Writer(now=self.rig.clock.now(), desk=self.address, rules=self.rules)

    def _prioritize(self, connection: Connection, ticket_id: TicketId, priority: Priority) -> None:
        ticket = tickets.change(connection, ticket_id, priority=priority.value)
        promises.priority_changed(connection, self._writer(), ticket)

    def _say(self, connection: Connection, conversation_id: ConversationId, text: str) -> TranscriptLine:
        line = TranscriptLine(
            id=new_message_id(),
            author=Author.CUSTOMER,
            author_name=None,
            text=text,
            attachments=(),
            choices=(),
            at=self.rig.clock.now(),
            delivery=None,
        )
        transcript.add(connection, conversation_id, line, None)
        return line


@asynccontextmanager
async def workplace(
    rig: Rig, slack: FakeSlack, rules: Rules | None = None, fallback: str | None = None
) -> AsyncIterator[Workplace]:
    """Yield the pipeline with Slack as its desk, told of events over HTTP."""
    made = Workplace(rig, slack, rules or Rules(), fallback)
    async with serve(made.app.blueprint()) as url:
        slack.events_url = f"{url}/slack/events"
        yield made
