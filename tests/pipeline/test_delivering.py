from __future__ import annotations

from datetime import timedelta

from bot.domain.acts import Claim, Reply, Resolve
from bot.domain.connectors import Refusal, Retry, SendOperation
from bot.domain.conversations import Owner
from bot.domain.desk import DeskPostKind
from bot.domain.handoff import Reason
from bot.domain.messages import Author, DeliveryState, Receipt, ReceiptKind
from bot.domain.retry import CRASHES_MAX, SEND_RETRY
from bot.pipeline import phrases
from tests.fakes.connector import KILLED_BEFORE, message, refused
from tests.pipeline.rig import BLOCKED, BUSY, LONG, SAM, Rig, handoff, turn


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
