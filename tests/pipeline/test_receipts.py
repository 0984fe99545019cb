from __future__ import annotations

from datetime import timedelta

from bot.domain.messages import DeliveryState, Receipt, ReceiptKind
from tests.fakes.connector import LOST_ANSWER, message
from tests.pipeline.rig import Rig

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
