from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from bot.domain.acts import Claim, Reply, Resolve
from bot.domain.connectors import Ambiguous, Refusal, Retry, SendOperation
from bot.domain.conversations import Owner
from bot.domain.desk import DeskPostKind
from bot.domain.handoff import Reason
from bot.domain.messages import Author, DeliveryState, OutboundMessage, Receipt, ReceiptKind
from bot.domain.retry import CRASHES_MAX, SEND_RETRY
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
    message,
    refused,
)
from tests.pipeline.rig import BLOCKED, BUSY, SAM, Rig, handoff, turn

LONG = " ".join(f"word{n:03}" for n in range(60))


async def reports_failure(rig: Rig, detail: str, number: int | None = None) -> None:
    """Let the channel report that a message did not arrive: the last, or the one of that `number`."""
    sent = f"ann-{number or len(rig.seen())}"
    receipt = Receipt(
        address=rig.connector.address("ann"),
        external_id=f"failed:{sent}",
        of_external_id=sent,
        kind=ReceiptKind.FAILED,
        detail=detail,
    )
    await rig.bring(receipt)
    await rig.settle()


async def test_a_busy_channel_gets_the_message_later(rig: Rig) -> None:
    """What a channel refuses for now is sent again, not before it asked to be, and seen once."""
    rig.connector.script.append(refused(Retry(reason="slow down", after=timedelta(seconds=90))))
    await rig.writes("hello")
    rig.clock.pass_(seconds=89)
    await rig.settle()
    assert rig.seen() == []
    rig.clock.pass_(seconds=2)
    await rig.settle()
    assert rig.seen() == ["re: hello"]


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


async def test_nothing_overtakes_a_message_that_waits(rig: Rig) -> None:
    """Later messages to a customer wait for the one before; other customers do not."""
    rig.connector.script.append(refused(BUSY))
    for n, name in enumerate(("ann", "ann", "bob")):
        await rig.bring(message(rig.connector, name, str(n), f"{n}"))
    while await rig.converse_once():
        pass
    await rig.settle()
    assert (rig.seen("ann"), rig.seen("bob")) == ([], ["re: 2"])
    await rig.wait_out(minutes=0.5)
    assert rig.seen("ann") == ["re: 0", "re: 1"]


async def test_a_refused_message_opens_a_ticket(rig: Rig) -> None:
    """A message that can never arrive is marked as failed with the reason, and people are told."""
    rig.connector.script.append(refused(BLOCKED))
    await rig.writes("hello")
    line = (await rig.transcript())[-1]
    assert (line.delivery, line.delivery_detail) == (DeliveryState.FAILED, "the customer blocked us")
    view = await rig.view()
    assert view.ticket.request.reason is Reason.FAILED_ACTION
    assert "the customer blocked us" in view.ticket.request.summary
    assert (await rig.outbox_states())["dead"] == 1


async def test_a_refused_answer_takes_the_others_of_its_turn_not_along(rig: Rig) -> None:
    """When one answer cannot be shown, those after it still are."""
    rig.engine.by_text["two"] = turn("bad picture", "good text")
    rig.connector.script.append(refused(BLOCKED))
    await rig.writes("two")
    assert rig.seen() == ["good text"]
    assert await rig.ticket_count() == 1


async def test_an_agent_is_told_of_a_message_that_failed(rig: Rig) -> None:
    """An agent whose reply cannot arrive sees that at the reply and as a notice."""
    rig.engine.by_text["person"] = handoff()
    await rig.writes("person")
    ticket = (await rig.view()).ticket
    await rig.desk.do(ticket.id, SAM, Claim(), "c")
    await rig.settle()
    rig.connector.script.append(refused(BLOCKED))
    message_id = (await rig.desk.do(ticket.id, SAM, Reply(text="Hello"), "r")).message_id
    await rig.settle()
    assert [post.message_id for post in rig.poster.of(DeskPostKind.RECEIPT)] == [message_id]
    assert rig.poster.of(DeskPostKind.NOTICE)[-1].text == phrases.undelivered("the customer blocked us")
    assert (await rig.view()).events[-1].kind == "delivery_failed"
    assert await rig.ticket_count() == 1


async def test_a_reply_that_fails_after_the_ticket_was_closed_opens_another(rig: Rig) -> None:
    """People learn of an undelivered reply even when nobody has the conversation any more."""
    rig.engine.by_text["person"] = handoff()
    await rig.writes("person")
    ticket = (await rig.view()).ticket
    rig.connector.script.extend([refused(BUSY)])
    await rig.desk.do(ticket.id, SAM, Reply(text="Hello"), "r")
    await rig.settle()
    await rig.desk.do(ticket.id, SAM, Resolve(), "d")
    rig.connector.script.extend([refused(BLOCKED)] * 5)
    await rig.wait_out(minutes=1)
    assert await rig.ticket_count() == 2
    assert (await rig.conversation()).owner is Owner.QUEUE


async def test_a_reply_that_the_channel_reports_lost_is_shown_where_it_was_written(rig: Rig) -> None:
    """A reply that the channel took and could not bring is marked with the reason, and shown to its agent."""
    rig.engine.by_text["person"] = handoff()
    await rig.writes("person")
    ticket = (await rig.view()).ticket
    await rig.desk.do(ticket.id, SAM, Claim(), "c")
    await rig.settle()
    message_id = (await rig.desk.do(ticket.id, SAM, Reply(text="Hello"), "r")).message_id
    await rig.settle()
    shown, notices = len(rig.poster.of(DeskPostKind.RECEIPT)), len(rig.poster.of(DeskPostKind.NOTICE))
    await reports_failure(rig, "the phone number is gone")
    line = (await rig.transcript())[-1]
    assert (line.delivery, line.delivery_detail) == (DeliveryState.FAILED, "the phone number is gone")
    assert [post.message_id for post in rig.poster.of(DeskPostKind.RECEIPT)[shown:]] == [message_id]
    assert len(rig.poster.of(DeskPostKind.NOTICE)) == notices
    assert await rig.ticket_count() == 1


async def test_a_reply_that_is_reported_lost_after_the_ticket_was_closed_opens_another(rig: Rig) -> None:
    """People learn of a reply that did not arrive even when nobody has the conversation any more."""
    rig.engine.by_text["person"] = handoff()
    await rig.writes("person")
    ticket = (await rig.view()).ticket
    await rig.desk.do(ticket.id, SAM, Reply(text="Hello"), "r")
    await rig.settle()
    reply = len(rig.seen())
    await rig.desk.do(ticket.id, SAM, Resolve(), "d")
    await rig.settle()
    await reports_failure(rig, "expired", reply)
    assert await rig.ticket_count() == 2
    assert (await rig.conversation()).owner is Owner.QUEUE


async def test_an_answer_that_the_channel_reports_lost_opens_a_ticket(rig: Rig) -> None:
    """Of a bot's answer that never came people learn by a ticket with the reason; of a second one in its thread."""
    rig.engine.by_text["two"] = turn("first", "second")
    await rig.writes("two")
    await reports_failure(rig, "the reply window is over", 1)
    await reports_failure(rig, "the reply window is over", 1)
    request = (await rig.view()).ticket.request
    assert request.reason is Reason.FAILED_ACTION
    assert request.summary == phrases.undelivered("the reply window is over")
    assert (await rig.conversation()).owner is Owner.QUEUE
    await reports_failure(rig, "", 2)
    assert [post.text for post in rig.poster.of(DeskPostKind.NOTICE)] == [phrases.undelivered(phrases.NO_REASON)]
    assert (await rig.view()).events[-1].kind == "delivery_failed"
    assert await rig.ticket_count() == 1
    assert {line.delivery for line in (await rig.transcript())[1:]} == {DeliveryState.FAILED}


async def test_a_remark_that_does_not_arrive_opens_no_ticket(rig: Rig) -> None:
    """A customer who cannot be reached is not handed to people again by "this conversation has been closed"."""
    rig.engine.by_text["person"] = handoff()
    await rig.writes("person")
    await rig.desk.do((await rig.view()).ticket.id, SAM, Resolve(), "d")
    rig.connector.script.append(refused(BLOCKED))
    await rig.settle()
    line = (await rig.transcript())[-1]
    assert (line.author, line.delivery) == (Author.SYSTEM, DeliveryState.FAILED)
    assert await rig.open_ticket() is None


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
    await rig.wait_out(minutes=600)
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


async def test_a_busy_channel_goes_on_with_the_next_part(rig: Rig) -> None:
    """A long message that is refused for now in its middle goes on there."""
    rig.connector.text_max = 100
    rig.engine.by_text["long"] = turn(LONG)
    calls = 0

    async def busy_at_third(_operation: SendOperation) -> None:
        nonlocal calls
        calls += 1
        if calls == 3:
            rig.connector.script.append(refused(BUSY))

    rig.connector.during_send = busy_at_third
    await rig.writes("long")
    await rig.wait_out(minutes=0.5)
    assert "".join(rig.seen()) == LONG
    assert (await rig.transcript())[-1].delivery is DeliveryState.SENT


async def test_a_message_that_kills_its_workers_is_told_to_people(rig: Rig) -> None:
    """A message in whose sending four workers died is held, a ticket says so, and the customer's lane goes on."""
    rig.connector.is_idempotent = True
    rig.engine.by_text["bad"] = turn("deadly", "fine")
    rig.connector.script.extend([KILLED_BEFORE] * CRASHES_MAX)
    await rig.writes("bad")
    for _ in range(CRASHES_MAX + 1):
        await rig.recover()
    assert rig.seen() == ["fine"]
    assert (await rig.transcript())[1].delivery is DeliveryState.FAILED
    assert (await rig.view()).ticket.request.summary == phrases.held()


async def test_patience_ends_in_a_ticket(rig: Rig) -> None:
    """A channel that refuses for hours is given up on, with a ticket."""
    rig.connector.script.extend([refused(BUSY)] * 100)
    await rig.writes("hello")
    for _ in range(60):
        rig.clock.pass_(minutes=11)
        await rig.settle()
    assert len(rig.connector.calls) == SEND_RETRY.attempts_max
    assert await rig.ticket_count() == 1
    assert (await rig.outbox_states())["dead"] == 1


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


async def test_what_a_channel_cannot_carry_is_told_to_people(rig: Rig) -> None:
    """A message that cannot even be planned is a dead letter with its reason, and a ticket."""
    rig.connector.refusal = Refusal(reason="the reply window is over")
    await rig.writes("hello")
    assert rig.connector.calls == []
    assert "the reply window is over" in (await rig.view()).ticket.request.summary


async def test_a_channel_that_was_disconnected_is_told_to_people(rig: Rig) -> None:
    """A message for a channel account that is gone opens a ticket."""
    await rig.bring(message(rig.connector, "ann", "1", "hello"))
    await rig.converse_once()
    rig.connector.account = type(rig.connector.account)("another")
    await rig.settle()
    rig.connector.account = type(rig.connector.account)("brand")
    assert "not connected any more" in (await rig.view()).ticket.request.summary


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
