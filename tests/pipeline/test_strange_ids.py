from __future__ import annotations

import pytest

from bot.domain.errors import MalformedWebhookError
from bot.domain.messages import Author, DeliveryState, Receipt, ReceiptKind
from tests.fakes.connector import message
from tests.pipeline.rig import Rig

LONG = "x" * 301


@pytest.mark.parametrize("event_id", [LONG, "a\x00b", "a\ud800b", "", "é" * 300])
async def test_whatever_a_channel_calls_an_event_it_is_answered_once(rig: Rig, event_id: str) -> None:
    """An id that is too long or no text for a database tells events apart all the same, and a repeat vanishes."""
    for _ in range(2):
        await rig.receiver.take(rig.connector, [message(rig.connector, "ann", event_id, "hello")])
        await rig.settle()
    await rig.receiver.take(rig.connector, [message(rig.connector, "ann", event_id + "y", "again")])
    await rig.settle()
    assert rig.seen() == ["re: hello", "re: again"]


@pytest.mark.parametrize("event_id", [LONG, "a\x00b"])
async def test_an_edit_finds_the_message_with_a_strange_id(rig: Rig, event_id: str) -> None:
    """What is looked for by such an id is found."""
    await rig.receiver.take(rig.connector, [message(rig.connector, "ann", event_id, "one")])
    await rig.settle()
    edit = message(rig.connector, "ann", f"{event_id}:edit", "two", edits=event_id)
    await rig.receiver.take(rig.connector, [edit])
    await rig.settle()
    lines = [line for line in await rig.transcript() if line.author is Author.CUSTOMER]
    assert [(line.text, line.edited_from) for line in lines] == [("one", None), ("two", "one")]


@pytest.mark.parametrize("strange", [LONG, "a\x00b", "a\ud800b"])
async def test_a_strange_report_changes_nothing(rig: Rig, strange: str) -> None:
    """A report on a message that nobody knows, under an id that nobody can keep, is taken and forgotten."""
    await rig.writes("hello")
    address = rig.connector.address("ann")
    report = Receipt(address=address, external_id=strange, of_external_id=strange, kind=ReceiptKind.READ)
    await rig.receiver.take(rig.connector, [report])
    await rig.settle()
    assert (await rig.transcript())[-1].delivery is DeliveryState.SENT
    assert (await rig.inbox_states())["dead"] == 0


@pytest.mark.parametrize("choice", ["x" * 70_000, "a\x00b", "a\ud800b"])
async def test_a_tap_on_what_was_never_offered_is_answered(rig: Rig, choice: str) -> None:
    """A payload of any shape that is not one of ours is a tap that means nothing, and nothing fails."""
    await rig.receiver.take(rig.connector, [message(rig.connector, "ann", "tap", "", choice=choice)])
    await rig.settle()
    assert (await rig.inbox_states())["dead"] == 0
    assert (await rig.inbox_states())["pending"] == 0
    assert len(rig.seen()) == 1


@pytest.mark.parametrize("customer", ["", "x" * 400, "a\x00b", "a\ud800b"])
async def test_a_customer_whose_id_cannot_be_kept_is_refused(rig: Rig, customer: str) -> None:
    """Nobody could be answered there, so the channel hears that the call is malformed; nothing of it is kept."""
    events = [message(rig.connector, name, f"{n}", "hello") for n, name in enumerate(("ann", customer))]
    with pytest.raises(MalformedWebhookError):
        await rig.receiver.take(rig.connector, events)  # type: ignore[arg-type]
    await rig.settle()
    assert rig.seen() == []
