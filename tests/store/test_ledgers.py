from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from bot.domain.channels import AccountId, ChannelAddress, ChannelName
from bot.domain.conversations import Conversation, ConversationId, Owner
from bot.domain.errors import OwnerChangedError
from bot.domain.handoff import HandoffRequest, Reason
from bot.domain.messages import Author, DeliveryState, MessageId, TranscriptLine
from bot.domain.routing import Route
from bot.domain.rules import Team
from bot.domain.tickets import EVERYBODY, Priority, TicketState
from bot.store import conversations, feeds, tickets, transcript, turns
from bot.store.database import Database
from bot.store.turns import TURNS_KEPT, TurnRecord

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
ROUTE = Route(team=Team(name=EVERYBODY, title="Everybody"), priority=Priority.NORMAL)


def address(name: str = "ann") -> ChannelAddress:
    """Return where somebody writes from."""
    return ChannelAddress(channel=ChannelName("test"), account=AccountId("brand"), external_id=name)


async def meet(database: Database, name: str = "ann", display_name: str | None = None) -> Conversation:
    """Return somebody's conversation."""
    return await database.write(conversations.meet, address(name), display_name, NOW)


class TestConversations:
    """Who writes, and who answers."""

    async def test_an_address_has_one_conversation(self, database: Database) -> None:
        """However many messages come at once, an address has one conversation."""
        met = await asyncio.gather(*(meet(database) for _ in range(20)))
        assert len({conversation.id for conversation in met}) == 1
        assert (met[0].owner, met[0].epoch) == (Owner.BOT, 0)
        assert (await meet(database, "bob")).id != met[0].id

    async def test_names_are_kept_until_a_channel_tells_another(self, database: Database) -> None:
        """A message without a name does not make the customer nameless."""
        assert (await meet(database, display_name="Ann")).display_name == "Ann"
        assert (await meet(database)).display_name == "Ann"
        assert (await meet(database, display_name="Ann B")).display_name == "Ann B"

    async def test_an_epoch_that_has_passed_is_noticed(self, database: Database) -> None:
        """Whoever decided under an earlier owner is told that it has changed."""
        before = await meet(database)
        assert await database.write(conversations.give_to, before, Owner.AGENT) == before.epoch + 1
        with pytest.raises(OwnerChangedError):
            await database.write(conversations.lock_at, before.id, before.epoch)
        after = await database.write(conversations.lock_at, before.id, before.epoch + 1)
        assert after.owner is Owner.AGENT

    async def test_an_unknown_conversation_is_an_error(self, database: Database) -> None:
        """Nothing is made up for an id nobody has."""
        with pytest.raises(LookupError):
            await database.read(conversations.get, ConversationId("0" * 32))
        assert await database.read(conversations.find_by_address, address("nobody")) is None


class TestTurns:
    """The dialogue."""

    async def test_the_last_turns_come_back_with_the_state_before_them(self, database: Database) -> None:
        """Of a long dialogue the last turns are whole, and of the others the state they left is known."""
        conversation = await meet(database)
        empty = await database.read(turns.history, conversation.id)
        assert (empty.state_before, empty.turns, empty.state) == (None, (), {})
        for n in range(TURNS_KEPT + 3):
            record = TurnRecord(
                id=MessageId(f"{n:032}"), conversation_id=conversation.id, events=[{"n": n}], state={"slots": {"n": n}}
            )
            await database.write(turns.add, record, NOW)
            history = await database.read(turns.history, conversation.id)
            assert (history.state_before is None) == (n < TURNS_KEPT)
        assert history.turns == tuple([{"n": n}] for n in range(3, TURNS_KEPT + 3))
        assert history.state_before == {"slots": {"n": 2}}
        assert history.state == {"slots": {"n": TURNS_KEPT + 2}}


class TestTranscript:
    """What was said."""

    @pytest.mark.parametrize(
        ("reports", "state"),
        [
            ("sent", "sent"),
            ("sent delivered read", "read"),
            ("read delivered sent", "read"),
            ("sent failed", "failed"),
            ("failed sent delivered", "delivered"),
            ("delivered failed", "delivered"),
            ("withheld", "withheld"),
            ("failed withheld", "failed"),
            ("sent pending", "sent"),
        ],
    )
    async def test_deliveries_move_forward(self, database: Database, reports: str, state: str) -> None:
        """A message's delivery only moves to what can follow, in whatever order the reports come."""
        conversation = await meet(database)
        line = _line("1", "hello", DeliveryState.PENDING)
        await database.write(transcript.add, conversation.id, line, None)
        for report in reports.split():
            await database.write(transcript.mark, line.id, DeliveryState(report))
        found = await database.read(transcript.get, line.id)
        assert found is not None
        assert found.delivery == DeliveryState(state)

    async def test_a_customers_message_has_no_delivery(self, database: Database) -> None:
        """Reports on what is not ours change nothing."""
        conversation = await meet(database)
        await database.write(transcript.add, conversation.id, _line("1", "hi", None), "ext")
        assert not await database.write(transcript.mark, MessageId("1"), DeliveryState.READ)
        assert not await database.write(transcript.mark, MessageId("2"), DeliveryState.READ)

    async def test_lines_come_in_order_and_once(self, database: Database) -> None:
        """The last lines are shown oldest first; a line that is added again changes nothing."""
        conversation = await meet(database)
        for n in range(5):
            for text in (f"t{n}", "again"):
                await database.write(transcript.add, conversation.id, _line(f"{n}", text, None), None)
        lines = await database.read(transcript.last, conversation.id, 3)
        assert [line.text for line in lines] == ["t2", "t3", "t4"]


class TestTickets:
    """The queue."""

    async def test_places_count_those_who_wait(self, database: Database) -> None:
        """A place is the number of those who wait before, plus one; who is claimed or closed has none."""
        request = HandoffRequest(reason=Reason.OTHER, topic="t" * 500, summary="s")
        opened = []
        for n in range(3):
            conversation = await meet(database, f"c{n}")
            opened.append(await database.write(tickets.open_ticket, conversation.id, request, NOW, ROUTE))
        assert [ticket.number for ticket in opened] == sorted(ticket.number for ticket in opened)
        assert [await database.read(tickets.place_in_queue, ticket) for ticket in opened] == [1, 2, 3]

        async def change(index: int, state: TicketState) -> None:
            opened[index] = await database.write(
                lambda connection: tickets.change(connection, opened[index].id, state=state.value)
            )

        await change(0, TicketState.CLAIMED)
        assert [await database.read(tickets.place_in_queue, ticket) for ticket in opened] == [None, 1, 2]
        await change(1, TicketState.RESOLVED)
        assert [ticket.number for ticket in await database.read(tickets.all_open)] == [
            opened[2].number,
            opened[0].number,
        ]


class TestFeeds:
    """What a visitor's page shows."""

    async def test_a_feed_has_no_gaps_and_no_doubles(self, database: Database) -> None:
        """However many append at once, numbers are 1, 2, 3, …, and a key is kept once."""
        keys = [f"k{n % 15}" for n in range(45)]
        numbers = await asyncio.gather(*(database.write(feeds.append, "v", key, {"k": key}, NOW) for key in keys))
        entries = await database.read(feeds.read_after, "v", 0, 100)
        assert [number for number, _ in entries] == list(range(1, 16))
        by_key = {body["k"]: number for number, body in entries}
        assert [by_key[key] for key in keys] == numbers

    async def test_visitors_see_their_own(self, database: Database) -> None:
        """A feed is one visitor's, and is read on from where a page left off."""
        for n, visitor in enumerate("aabab"):
            await database.write(feeds.append, visitor, f"{n}", {"n": n}, NOW + timedelta(seconds=n))
        assert await database.read(feeds.read_after, "a", 1, 1) == [(2, {"n": 1})]
        assert await database.read(feeds.read_after, "b", 0, 9) == [(1, {"n": 2}), (2, {"n": 4})]
        assert await database.read(feeds.read_after, "c", 0, 9) == []


def _line(message_id: str, text: str, delivery: DeliveryState | None) -> TranscriptLine:
    return TranscriptLine(
        id=MessageId(message_id),
        author=Author.BOT if delivery else Author.CUSTOMER,
        author_name=None,
        text=text,
        attachments=(),
        choices=(),
        at=NOW,
        delivery=delivery,
    )
