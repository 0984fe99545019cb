from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest

from bot.domain.connectors import Ambiguous, Refusal, SendOperation
from bot.domain.messages import Author, DeliveryState, OutboundMessage
from bot.domain.retry import SEND_RETRY
from bot.pipeline import phrases
from bot.pipeline.deliver import Delivering
from bot.pipeline.worker import Worker
from bot.store import lanes
from bot.store.schema import outbox as outbox_table
from tests.fakes.connector import (
    KILLED_AFTER,
    KILLED_BEFORE,
    LOST_ANSWER,
    LOST_CALL,
    Outcome,
    ProcessKilledError,
    refused,
)
from tests.pipeline.rig import BLOCKED, BUSY, LONG, Rig, turn


async def test_what_may_have_arrived_is_not_refused_later(rig: Rig) -> None:
    """A refusal of a repeat says nothing about the call before it that may have arrived: it is held."""
    rig.connector.is_idempotent = True
    rig.connector.script += (LOST_ANSWER, refused(BLOCKED))
    await rig.writes("hello")
    await rig.wait_out(minutes=0.5)
    (letter,) = await rig.database.read(lanes.dead_letters, outbox_table, 10)
    assert (rig.seen(), letter.state) == (["re: hello"], "held")


async def test_what_may_have_arrived_is_not_refused_before_its_repeat(rig: Rig) -> None:
    """Where no call can be made any more, what may have left before is held, not called undelivered."""
    rig.connector.is_idempotent = True
    rig.connector.script.append(LOST_ANSWER)
    await rig.writes("hello")
    rig.connector.refusal = Refusal(reason="not of a kind that this channel takes")
    await rig.wait_out(minutes=0.5)
    (letter,) = await rig.database.read(lanes.dead_letters, outbox_table, 10)
    assert (rig.seen(), letter.state) == (["re: hello"], "held")


async def test_a_message_in_doubt_is_held_where_repeats_show(rig: Rig) -> None:
    """Where a repeat would be seen twice, a message that may have arrived is not sent again, and agents are told."""
    rig.connector.script.append(LOST_ANSWER)
    await rig.writes("hello")
    await rig.wait_out(minutes=30)
    assert rig.seen() == ["re: hello"]
    assert (await rig.outbox_states())["held"] == 1
    assert (await rig.view()).ticket.request.summary == phrases.held()
    assert (await rig.transcript())[-1].delivery is DeliveryState.FAILED


async def test_a_single_call_may_be_repeated(rig: Rig) -> None:
    """Where the channel knows this one call by its key, it is made again, whatever holds for the channel's others."""
    lost = Ambiguous(reason="the connection broke", is_repeatable=True)
    rig.connector.script.append(Outcome(result=lost, arrives=False))
    await rig.writes("hello")
    await rig.wait_out(minutes=1)
    assert rig.seen() == ["re: hello"]
    assert len({key for key, _ in rig.connector.calls}) == 1


async def test_a_single_call_that_stays_in_doubt_is_held(rig: Rig) -> None:
    """Given up on, a message that the channel may have shown is not called lost."""
    lost = Ambiguous(reason="the connection broke", is_repeatable=True)
    rig.connector.script.extend([Outcome(result=lost, arrives=True)] * SEND_RETRY.attempts_max)
    await rig.writes("hello")
    await rig.wait_out(minutes=600, step=SEND_RETRY.longest.total_seconds())
    assert (await rig.outbox_states())["held"] == 1
    assert (await rig.view()).ticket.request.summary == phrases.held()


async def test_a_channel_is_told_since_when_a_call_is_in_doubt(rig: Rig) -> None:
    """What a dead process may have sent is sent with the moment of its turn, until that is settled; nothing else is."""
    rig.connector.is_idempotent = True
    doubts: list[datetime | None] = []

    async def note(operation: SendOperation) -> None:
        doubts.append(operation.in_doubt_since)

    rig.connector.during_send = note
    await rig.writes("one")
    finished = rig.clock.now()
    rig.clock.pass_(minutes=5)
    rig.connector.script.extend([KILLED_AFTER, refused(BUSY)])
    await rig.writes("two")
    turn_came = rig.clock.now()
    await rig.recover()
    await rig.wait_out(minutes=1)
    await rig.writes("three")

    assert doubts == [None, None, turn_came, turn_came, None]
    assert finished < turn_came
    assert rig.seen() == ["re: one", "re: two", "re: three"]


@pytest.mark.parametrize("broken", [LOST_ANSWER, LOST_CALL])
async def test_a_message_in_doubt_is_repeated_where_repeats_do_not_show(rig: Rig, broken: object) -> None:
    """Where the channel knows a repeat by its key, a message in doubt is sent again under that key and seen once."""
    rig.connector.is_idempotent = True
    rig.connector.script.append(broken)  # type: ignore[arg-type]
    await rig.writes("hello")
    await rig.wait_out(minutes=1)
    assert rig.seen() == ["re: hello"]
    assert len(rig.connector.calls) == 2
    assert len({key for key, _ in rig.connector.calls}) == 1
    assert (await rig.transcript())[-1].delivery is DeliveryState.SENT


async def test_an_operator_may_choose_repeats(rig: Rig) -> None:
    """A channel set to resend gets a message in doubt again."""
    rig.worker = Worker(
        replace(rig.worker._parts, delivering=Delivering(replace(rig.deliver_parts, resending=frozenset({"fake"}))))
    )
    rig.connector.script.append(LOST_CALL)
    await rig.writes("hello")
    await rig.wait_out(minutes=1)
    assert rig.seen() == ["re: hello"]


@pytest.mark.parametrize("crash", [KILLED_AFTER, KILLED_BEFORE])
async def test_a_crash_while_sending_repeats_nothing_that_shows(rig: Rig, crash: object) -> None:
    """After a crash in the middle of a call the message is held, seen at most once, and people are told."""
    rig.connector.script.append(crash)  # type: ignore[arg-type]
    await rig.writes("hello")
    await rig.recover()
    assert len(rig.connector.calls) == 1
    assert (await rig.outbox_states())["held"] == 1
    assert (await rig.view()).ticket.request.summary == phrases.held()


@pytest.mark.parametrize("crash", [KILLED_AFTER, KILLED_BEFORE])
async def test_a_crash_while_sending_loses_nothing_where_repeats_do_not_show(rig: Rig, crash: object) -> None:
    """After a crash in the middle of a call an idempotent channel is called again, and the customer sees it once."""
    rig.connector.is_idempotent = True
    rig.connector.script.append(crash)  # type: ignore[arg-type]
    await rig.writes("hello")
    await rig.recover()
    assert rig.seen() == ["re: hello"]


@pytest.mark.parametrize("is_idempotent", [True, False])
async def test_the_parts_already_sent_are_not_sent_again(rig: Rig, is_idempotent: bool) -> None:
    """A crash between the parts of a long message goes on with the part in doubt, where repeats do not show."""
    rig.connector.is_idempotent = is_idempotent
    rig.connector.text_max = 100
    rig.engine.by_text["long"] = turn(LONG)
    parts = [part.text for part in rig.connector.plan(_outbound(LONG), rig.connector.address("ann"))]  # type: ignore[union-attr]
    assert len(parts) > 4

    async def crash_at_third(_operation: SendOperation) -> None:
        if len(rig.connector.calls) == 3:
            raise ProcessKilledError

    rig.connector.during_send = crash_at_third
    await rig.writes("long")
    assert rig.seen() == parts[:2]
    await rig.recover()
    if is_idempotent:
        assert rig.seen() == parts
        assert len(rig.connector.calls) == len(parts) + 1
    else:
        assert rig.seen() == parts[:2]
        assert (await rig.outbox_states())["held"] == 1


async def test_a_connector_that_breaks_is_not_called_twice(rig: Rig) -> None:
    """An error nobody expected leaves the message in doubt: held, with a ticket."""

    async def break_off(_operation: SendOperation) -> None:
        raise RuntimeError("a bug")

    rig.connector.during_send = break_off
    await rig.writes("hello")
    rig.connector.during_send = None
    await rig.wait_out(minutes=1)
    assert len(rig.connector.calls) == 1
    assert (await rig.outbox_states())["held"] == 1
    assert await rig.ticket_count() == 1


async def test_a_dead_letter_that_is_tried_again_arrives(rig: Rig) -> None:
    """A held message that an operator retries is sent, and the transcript shows that it arrived."""
    rig.connector.script.append(KILLED_BEFORE)
    await rig.writes("hello")
    await rig.recover()
    (letter,) = await rig.database.read(lanes.dead_letters, outbox_table, 10)
    assert await rig.database.write(lanes.revive, outbox_table, letter.id, rig.clock.now())
    await rig.settle()
    assert rig.seen() == ["re: hello"]
    assert (await rig.transcript())[1].delivery is DeliveryState.SENT


async def test_a_slow_send_keeps_its_lease(rig: Rig) -> None:
    """A call that takes longer than a lease is not made a second time while its worker lives."""

    async def take_long(_operation: SendOperation) -> None:
        for _ in range(4):
            rig.clock.pass_(seconds=40)
            await rig.sweep()
            assert await rig.deliver_once() == 0

    rig.connector.during_send = take_long
    await rig.writes("hello")
    assert rig.seen() == ["re: hello"]
    assert (await rig.transcript())[-1].delivery is DeliveryState.SENT


async def test_a_worker_that_lost_its_row_writes_nothing_about_it(rig: Rig) -> None:
    """A worker that wakes up after somebody else took over leaves the record to them."""

    async def sleep_through(_operation: SendOperation) -> None:
        rig.connector.during_send = None
        rig.worker._outbox_leases.clear()
        await rig.recover()

    rig.connector.is_idempotent = True
    rig.connector.during_send = sleep_through
    await rig.writes("hello")
    assert rig.seen() == ["re: hello"]
    assert await rig.outbox_states() == {"pending": 0, "claimed": 0, "dead": 0, "held": 0}


async def test_the_result_type_says_whether_it_left(rig: Rig) -> None:
    """An ambiguous result is never treated as a refusal."""
    rig.connector.is_idempotent = True
    rig.connector.script.extend([refused(Ambiguous(reason="?"))] * SEND_RETRY.attempts_max)
    await rig.writes("hello")
    for _ in range(60):
        rig.clock.pass_(minutes=11)
        await rig.settle()
    assert (await rig.outbox_states())["held"] == 1
    assert (await rig.view()).ticket.request.summary == phrases.held()


def _outbound(text: str) -> OutboundMessage:
    return OutboundMessage(author=Author.BOT, text=text)
