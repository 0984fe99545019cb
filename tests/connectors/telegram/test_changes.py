from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from bot.domain.connectors import Ambiguous, Permanent, Retry, Sent
from simulator.telegram import DELETES_FOR
from simulator.telegram_values import Fault
from tests.connectors.telegram.bench import Bench, bench


@pytest.fixture
async def stand() -> AsyncIterator[Bench]:
    """A fake Telegram, a customer and our connector."""
    async with bench() as made:
        yield made


async def _sent(stand: Bench, text: str = "hello") -> str:
    result = await stand.connector.send(stand.text(text), "key")
    assert isinstance(result, Sent)
    return result.external_id


async def test_a_text_is_changed(stand: Bench) -> None:
    """The customer sees the new text in the old one's place, without a preview of its links; a repeat is harmless."""
    sent = await _sent(stand)
    results = [await stand.connector.edit(stand.text("bye *now*"), sent, f"key:{n}") for n in range(2)]

    assert results == [Sent(external_id=sent)] * 2
    assert [shown.text for shown in stand.jane.seen] == ["bye *now*"]
    assert '"is_disabled": true' in stand.telegram.calls[-1][1]["link_preview_options"]


async def test_a_message_is_taken_back(stand: Bench) -> None:
    """The customer does not see it any more; a repeat is harmless."""
    sent = await _sent(stand)
    results = [await stand.connector.unsend(stand.address, sent, f"key:{n}") for n in range(2)]

    assert results == [Sent(external_id=sent)] * 2
    assert stand.jane.seen == []


async def test_after_two_days_a_message_stays(stand: Bench) -> None:
    """Telegram's limit is told in plain words."""
    sent = await _sent(stand)
    now = stand.telegram.clock() + DELETES_FOR + 60
    stand.telegram.clock = lambda: now

    assert await stand.connector.unsend(stand.address, sent, "key") == Permanent(
        reason="Telegram lets messages be taken back for 48 hours only", code="400"
    )


async def test_what_the_customer_deleted_cannot_be_changed(stand: Bench) -> None:
    """Who changes what is not there any more is told so."""
    sent = await _sent(stand)
    await stand.connector.unsend(stand.address, sent, "key")

    assert await stand.connector.edit(stand.text("bye"), sent, "key") == Permanent(
        reason="the customer has deleted the message", code="400"
    )


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Fault(method="editMessageText", code=429, description="Too Many Requests", retry_after=3), Retry),
        (Fault(method="editMessageText", cut_after=0), Ambiguous),
        (Fault(method="editMessageText", body=b"<html>"), Ambiguous),
    ],
)
async def test_what_goes_wrong_is_said(stand: Bench, fault: Fault, kind: type[Retry | Ambiguous]) -> None:
    """A change fails as a sent message fails: certainly, or not."""
    sent = await _sent(stand)
    stand.telegram.fail(fault)

    assert isinstance(await stand.connector.edit(stand.text("bye"), sent, "key"), kind)
