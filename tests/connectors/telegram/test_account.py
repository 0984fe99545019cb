"""Registering, checking, fetching files, and keeping the token to ourselves."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from bot.domain.connectors import (
    Acknowledging,
    FetchesMedia,
    Polling,
    Registering,
    SendAttachment,
    ShowsTyping,
    WebhookRequest,
)
from bot.domain.errors import MediaError, SettingsError, WebhookRejectedError
from bot.domain.messages import Attachment, AttachmentKind, InboundEvent, InboundMessage
from connectors.telegram.connector import TelegramAccount, TelegramConnector
from simulator.telegram_values import Fault, Webhook
from tests.connectors.telegram.bench import Bench, bench, door
from tests.fakes.media import MemoryMedia

PICTURE = bytes(range(256)) * 1000


@pytest.fixture
async def stand() -> AsyncIterator[Bench]:
    """A fake Telegram, a customer and our connector."""
    async with bench() as made:
        yield made


def test_powers(stand: Bench) -> None:
    """The connector has every power that Telegram gives."""
    for power in (Acknowledging, FetchesMedia, Polling, Registering, ShowsTyping):
        assert isinstance(stand.connector, power)


# ------------------------------------------------------------------------------------------------------------ webhook


async def test_webhook() -> None:
    """Updates come to the webhook in order, with the secret; what failed to be kept comes again before the rest."""
    async with door() as opened, bench(webhook_url=opened.url) as stand:
        opened.connector = stand.connector
        opened.outages = [503, 500]
        await stand.connector.register()
        for n in range(20):
            stand.jane.writes(f"message {n}")
        await stand.telegram.until(lambda: not stand.telegram.waiting())

        texts = [event.text for event in opened.events if isinstance(event, InboundMessage)]
        assert texts == [f"message {n}" for n in range(20)]
        assert opened.statuses == [503, 500] + [200] * 20


async def test_foreign_caller() -> None:
    """A caller who does not know the secret is turned away, and Telegram's own report of it reaches `check`."""
    async with door() as opened, bench(webhook_url=opened.url) as stand:
        opened.connector = stand.connector
        stand.telegram.webhook = Webhook(url=opened.url, secret="somebody-elses")
        stand.jane.writes("let me in")
        await stand.telegram.until(lambda: bool(stand.telegram.webhook and stand.telegram.webhook.last_error))

        with pytest.raises(SettingsError, match=r"cannot deliver 1 updates .* 403"):
            await stand.connector.check()
        assert opened.events == []


@pytest.mark.parametrize("headers", [{}, {"x-telegram-bot-api-secret-token": ""}])
async def test_no_secret_set(headers: dict[str, str]) -> None:
    """Where no secret is set, because we poll, no webhook call is Telegram's."""
    connector = TelegramConnector(TelegramAccount(token="7000001:x"), MemoryMedia())
    with pytest.raises(WebhookRejectedError):
        connector.verify(WebhookRequest(method="POST", headers=headers, query={}, body=b"{}"))
    await connector.close()


async def test_polling_removes_the_webhook(stand: Bench) -> None:
    """A connector that polls removes a webhook left over, and keeps what waits."""
    stand.telegram.webhook = Webhook(url="http://127.0.0.1:1/", secret="")
    stand.jane.writes("hello")
    await stand.connector.register()
    await stand.connector.register()

    assert await stand.connector.check() == "@copperleaf_bot (7000001), polling, 1 updates waiting"
    assert len(stand.telegram.waiting()) == 1


async def test_outage_at_the_start() -> None:
    """An outage of Telegram when we start is waited out, with growing pauses: the webhook is set in the end."""
    async with bench(webhook_url="http://127.0.0.1:1/t") as stand:
        fault = Fault(method="setWebhook", code=502)
        stand.telegram.fail(fault, fault, Fault(method="setWebhook", code=429, retry_after=9), fault)
        await stand.connector.register()

        assert stand.pauses == [1.0, 2.0, 9.0, 8.0]
        assert (
            await stand.connector.check()
            == "@copperleaf_bot (7000001), webhook http://127.0.0.1:1/t, 0 updates waiting"
        )


async def test_only_wanted_updates() -> None:
    """Telegram is asked for messages, edits, taps and signs, and for nothing else."""
    async with bench(webhook_url="http://127.0.0.1:1/t") as stand:
        await stand.connector.register()

        assert stand.telegram.allowed_updates == ["message", "edited_message", "callback_query", "message_reaction"]


async def test_refused_webhook() -> None:
    """An address that Telegram refuses stops the start with Telegram's reason."""
    async with bench(webhook_url="ftp://care.example.com") as stand:
        with pytest.raises(SettingsError, match="https url must be provided"):
            await stand.connector.register()


# -------------------------------------------------------------------------------------------------------------- check


async def test_check_polling(stand: Bench) -> None:
    """One line says who the bot is and how its updates come."""
    stand.jane.writes("hello")

    assert await stand.connector.check() == "@copperleaf_bot (7000001), polling, 1 updates waiting"


async def test_check_webhook() -> None:
    """With a webhook, the line names it, or says that the next start sets it."""
    async with bench(webhook_url="http://127.0.0.1:1/t") as stand:
        assert "no webhook yet" in await stand.connector.check()
        await stand.connector.register()
        assert "webhook http://127.0.0.1:1/t" in await stand.connector.check()


async def test_check_foreign_webhook(stand: Bench) -> None:
    """A webhook of somebody else's is named, with what to do."""
    stand.telegram.webhook = Webhook(url="https://old.example.com/", secret="")

    with pytest.raises(SettingsError, match=r"https://old.example.com/ instead of us, who poll; stop whatever runs"):
        await stand.connector.check()


async def test_check_wrong_token(stand: Bench) -> None:
    """A refused token is said plainly and not repeated."""
    account = TelegramAccount(token="7000001:not-the-token", base_url=stand.telegram.url)
    connector = TelegramConnector(account, stand.media)
    with pytest.raises(SettingsError, match="refuses the bot's token") as caught:
        await connector.check()

    assert "not-the-token" not in str(caught.value)
    await connector.close()


async def test_check_no_network(stand: Bench) -> None:
    """A Telegram that does not answer is told apart from one that refuses."""
    connector = TelegramConnector(TelegramAccount(token="1:x", base_url="http://127.0.0.1:1"), stand.media)
    with pytest.raises(SettingsError, match=r"does not answer at http://127.0.0.1:1: no .*check the network"):
        await connector.check()
    await connector.close()


# -------------------------------------------------------------------------------------------------------------- files


async def _sent_picture(stand: Bench, content: bytes = PICTURE) -> Attachment:
    """Return the attachment of a picture that the customer sent."""
    stand.jane.sends("photo", content)
    events: list[InboundEvent] = []
    arrived = asyncio.Event()

    async def commit(batch: list[InboundEvent]) -> None:
        events.extend(batch)
        arrived.set()

    task = asyncio.create_task(stand.connector.poll(commit))
    await arrived.wait()
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    assert isinstance(events[0], InboundMessage)
    return events[0].attachments[0]


async def test_fetch(stand: Bench) -> None:
    """A customer's picture is fetched in its largest size, byte for byte."""
    assert await stand.connector.fetch(await _sent_picture(stand)) == PICTURE


@pytest.mark.parametrize(
    "fault",
    [
        Fault(method="getFile", code=502),
        Fault(method="getFile", code=429, retry_after=1),
        Fault(method="getFile", cut_after=0),
        Fault(method="file", code=500),
        Fault(method="file", cut_after=70),
    ],
)
async def test_fetch_again(stand: Bench, fault: Fault) -> None:
    """A fetch that failed on the way is tried again, as it changes nothing."""
    picture = await _sent_picture(stand)
    stand.telegram.fail(fault, fault)

    assert await stand.connector.fetch(picture) == PICTURE
    assert stand.pauses == [0.0, 1.0, 4.0]


async def test_fetch_gives_up(stand: Bench) -> None:
    """A file that cannot be had for some seconds is given up, and said so."""
    picture = await _sent_picture(stand)
    stand.telegram.fail(*[Fault(method="file", code=500)] * 3)

    with pytest.raises(MediaError, match="not hand the file out now"):
        await stand.connector.fetch(picture)


async def test_fetch_gone(stand: Bench) -> None:
    """A file that Telegram no longer has is not asked for again."""
    with pytest.raises(MediaError, match="Wrong file_id"):
        await stand.connector.fetch(Attachment(kind=AttachmentKind.FILE, reference="gone"))
    assert len(stand.telegram.calls) == 1


async def test_fetch_too_large(stand: Bench) -> None:
    """A file above Telegram's limit is refused before anything is fetched, or as soon as it shows."""
    with pytest.raises(MediaError, match="20 MB"):
        await stand.connector.fetch(Attachment(kind=AttachmentKind.FILE, reference="x", size=20_000_001))
    assert stand.telegram.calls == []

    picture = await _sent_picture(stand)
    stand.telegram.fail(Fault(method="file", code=200, body=b"x" * 20_000_001))
    with pytest.raises(MediaError, match="20 MB"):
        await stand.connector.fetch(picture)


# ------------------------------------------------------------------------------------------------------------ secrets


async def test_nothing_secret_is_logged(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> None:
    """Neither the token nor the webhook's secret nor any text is logged, at any level, by us or by what is beneath."""
    caplog.set_level(logging.DEBUG)
    async with bench(webhook_url="http://127.0.0.1:1/t") as stand:
        picture = await _sent_picture(stand)
        await stand.connector.check()
        await stand.connector.register()
        await stand.connector.fetch(picture)
        attachment = await stand.file(b"x", "image/png")
        await stand.connector.send(SendAttachment(address=stand.address, attachment=attachment), "key")
        await stand.connector.send(stand.text("a private matter"), "key")
        for fault in (Fault(method="sendMessage", code=200, body=b"<private matter>"), Fault(method="sendMessage")):
            stand.telegram.fail(fault)
            await stand.connector.send(stand.text("a private matter"), "key")
        secrets = (stand.telegram.token.partition(":")[2], "webhook-secret_of-the-test", "private matter")

    written = caplog.text + "".join(capfd.readouterr())
    assert not [secret for secret in secrets if secret in written]
