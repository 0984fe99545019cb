from __future__ import annotations

from datetime import timedelta

from bot.domain.connectors import Retry, SendOperation, SendText
from bot.domain.conversations import Owner
from bot.domain.messages import DeliveryState, Echo, Receipt, ReceiptKind
from tests.fakes.connector import LOST_ANSWER, Outcome, message
from tests.pipeline.rig import Rig, turn

LONG = " ".join(f"word{n:03}" for n in range(60))


def receipt(rig: Rig, kind: ReceiptKind, number: int, **more: object) -> Receipt:
    """Return a report of the channel to Ann's conversation."""
    values = {"of_external_id": ""} | more
    address = rig.connector.address("ann")
    return Receipt(address=address, external_id=f"report-{number}", kind=kind, **values)  # type: ignore[arg-type]


async def states(rig: Rig) -> list[DeliveryState | None]:
    """Return how far our messages to Ann have come."""
    return [line.delivery for line in await rig.transcript() if line.delivery is not None]


async def test_read_up_to_a_moment(rig: Rig) -> None:
    """A channel that reports a moment means all that was sent until then, and nothing later."""
    await rig.writes("one")
    await rig.writes("two")
    moment = rig.clock.now()
    rig.clock.pass_(seconds=5)
    await rig.writes("three")
    await rig.bring(receipt(rig, ReceiptKind.READ, 1, up_to=moment))
    await rig.settle()
    assert await states(rig) == [DeliveryState.READ, DeliveryState.READ, DeliveryState.SENT]

    await rig.bring(receipt(rig, ReceiptKind.DELIVERED, 2, up_to=moment + timedelta(minutes=1)))
    await rig.settle()
    assert await states(rig) == [DeliveryState.READ, DeliveryState.READ, DeliveryState.DELIVERED]


async def test_key_finds_what_has_no_name_yet(rig: Rig) -> None:
    """A report that comes before, or instead of, the answer to our call finds the message by its key, and names it."""
    rig.connector.script.append(LOST_ANSWER)
    await rig.writes("one")
    assert await states(rig) == [DeliveryState.FAILED]
    key = rig.connector.calls[0][0]

    await rig.bring(receipt(rig, ReceiptKind.SENT, 1, of_external_id="named-late", of_key=key))
    await rig.settle()
    assert (await states(rig))[0] is DeliveryState.SENT
    await rig.bring(receipt(rig, ReceiptKind.READ, 2, of_external_id="named-late"))
    await rig.settle()
    assert (await states(rig))[0] is DeliveryState.READ


async def test_a_piece_that_failed(rig: Rig) -> None:
    """Of a message that was cut, one lost piece is a failure of the whole; one piece that arrived is not the whole."""
    await rig.writes(LONG)
    key = rig.connector.calls[0][0]
    assert len(rig.seen()) > 2

    await rig.bring(receipt(rig, ReceiptKind.READ, 1, of_external_id="ann-1", of_key=key))
    await rig.settle()
    assert await states(rig) == [DeliveryState.SENT]
    await rig.bring(receipt(rig, ReceiptKind.FAILED, 2, of_external_id="ann-1", of_key=key, detail="it was too much"))
    await rig.settle()
    assert (await states(rig))[0] is DeliveryState.FAILED
    ticket = await rig.open_ticket()
    assert ticket is not None
    assert "it was too much" in ticket.request.summary


async def test_sent_after_all(rig: Rig) -> None:
    """A message that the channel said it had not taken, and took, is not sent again once a report shows that."""
    taken = Outcome(result=Retry(reason="failed for a moment", after=timedelta(minutes=5)), arrives=True)
    rig.connector.script.append(taken)
    await rig.writes("one")
    key = rig.connector.calls[0][0]
    await rig.bring(receipt(rig, ReceiptKind.DELIVERED, 1, of_external_id="named-late", of_key=key))
    await rig.settle()
    rig.clock.pass_(minutes=6)
    await rig.settle()

    assert rig.seen() == ["re: one"]
    assert await states(rig) == [DeliveryState.DELIVERED]


async def test_piece_sent_after_all(rig: Rig) -> None:
    """The same of the first of several pieces: the others follow, and none comes twice."""
    taken = Outcome(result=Retry(reason="failed for a moment", after=timedelta(minutes=5)), arrives=True)
    rig.connector.script.append(taken)
    rig.engine.by_text["all"] = turn(LONG)
    await rig.writes("all")
    await rig.bring(receipt(rig, ReceiptKind.SENT, 1, of_external_id="p0", of_key=rig.connector.calls[0][0]))
    await rig.settle()
    rig.clock.pass_(minutes=6)
    await rig.settle()

    assert "".join(rig.seen()).split() == LONG.split()
    assert (await states(rig))[-1] is DeliveryState.SENT


async def test_key_of_nobody(rig: Rig) -> None:
    """A key that is not ours, or a report on nothing, changes nothing."""
    await rig.writes("one")
    await rig.bring(
        receipt(rig, ReceiptKind.READ, 1, of_key="someone:0"),
        receipt(rig, ReceiptKind.READ, 2, of_key="nothing at all"),
        receipt(rig, ReceiptKind.READ, 3),
        message(rig.connector, "bob", "in-bob", "hello"),
    )
    await rig.settle()

    assert await states(rig) == [DeliveryState.SENT]


async def test_echoes_of_our_own(rig: Rig) -> None:
    """The bot is not silenced by its own words, be they a piece of a message or an echo that overtakes the answer."""
    address = rig.connector.address("ann")
    early: list[Echo] = []

    async def told_before_we_are_answered(operation: SendOperation) -> None:
        assert isinstance(operation, SendText)
        early.append(Echo(address=address, external_id=f"early-{len(early)}", text=operation.text.strip()))
        await rig.bring(early[-1])

    rig.connector.during_send = told_before_we_are_answered
    rig.engine.by_text["tell me all"] = turn(LONG)
    await rig.writes("tell me all")
    rig.connector.during_send = None
    await rig.bring(*(Echo(address=address, external_id=f"ann-{n}", text="a piece") for n in range(1, len(early) + 1)))
    await rig.settle()

    assert len(early) > 2
    assert (await rig.conversation()).owner is Owner.BOT
    assert len(await rig.transcript()) == 2


async def test_echo_of_a_person_while_we_send(rig: Rig) -> None:
    """What a person writes on the channel just then is theirs, and they have the conversation from then on."""

    async def somebody_writes(_: SendOperation) -> None:
        await rig.bring(Echo(address=rig.connector.address("ann"), external_id="inbox-1", text="Lou here, I have it."))

    rig.connector.during_send = somebody_writes
    await rig.writes("hello")

    assert (await rig.conversation()).owner is not Owner.BOT
    assert [line.text for line in await rig.transcript()][-1] == "Lou here, I have it."
