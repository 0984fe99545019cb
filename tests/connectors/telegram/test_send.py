from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.connectors import Ambiguous, Permanent, Retry, SendAttachment, Sent
from bot.domain.messages import Attachment, AttachmentKind, Author, Choice, MediaId, MessageId, OutboundMessage, Quote
from connectors import http
from connectors.pace import Pace
from connectors.telegram import api as telegram_api
from connectors.telegram.connector import TelegramAccount, TelegramConnector
from simulator.telegram_values import Fault
from tests.connectors.telegram.bench import JANE, Bench, address_of, bench
from tests.fakes.media import MemoryMedia


@pytest.fixture
async def stand() -> AsyncIterator[Bench]:
    """A fake Telegram, a customer and our connector."""
    async with bench() as made:
        yield made


async def test_text(stand: Bench) -> None:
    """A text arrives as it is, not read as Markdown or HTML and without a preview of its links."""
    text = "Order *CL-104233* <b>left</b> _today_: https://example.com/?a=1&b=2 – 🎉"
    result = await stand.connector.send(stand.text(text), "key")

    (shown,) = stand.jane.seen
    assert shown.text == text
    assert result == Sent(external_id=f"{JANE}:{shown.message_id}")
    (_, parameters) = stand.telegram.calls[-1]
    assert "parse_mode" not in parameters
    assert '"is_disabled": true' in parameters["link_preview_options"]


async def test_quote(stand: Bench) -> None:
    """Telegram shows which message is answered, and sends all the same where it is gone; a tap is none."""
    quote = Quote(id=MessageId("a"), author=Author.CUSTOMER, text="is it here", external_id=f"{JANE}:1201")
    for each in (quote, replace(quote, external_id="callback:17")):
        operations = stand.connector.plan(OutboundMessage(author=Author.AGENT, text="Yes", quotes=each), stand.address)
        assert isinstance(operations, tuple)
        assert isinstance(await stand.connector.send(operations[0], "key"), Sent)

    (_, first), (_, second) = stand.telegram.calls
    assert json.loads(first["reply_parameters"]) == {"message_id": 1201, "allow_sending_without_reply": True}
    assert "reply_parameters" not in second
    assert [each.text for each in stand.jane.seen] == ["Yes", "> is it here\nYes"]


async def test_pace(stand: Bench) -> None:
    """Messages keep to what Telegram gives a bot each second; "typing" is none."""
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    stand.connector._api._request._pace = Pace(2, 0.5, sleep, lambda: 7.0)
    for _ in range(3):
        await stand.connector.send(stand.text("hi"), "key")
        await stand.connector.show_typing(stand.address)

    assert pauses == [0.5]


async def test_choices(stand: Bench) -> None:
    """Choices become one button a row, in order, with their payloads."""
    yes, no = Choice(title="Yes, cancel it", payload="k1"), Choice(title="No", payload="k2")
    await stand.connector.send(stand.text("Sure?", yes, no), "key")

    assert stand.jane.seen[0].buttons == (("Yes, cancel it", "k1"), ("No", "k2"))


async def test_longest_text(stand: Bench) -> None:
    """A long text full of emoji is cut into messages that Telegram accepts, and nothing of it is lost."""
    text = "🎉 Ünïcödé und mehr 👩‍👩‍👧 " * 600
    operations = stand.connector.plan(OutboundMessage(author=Author.BOT, text=text), stand.address)
    assert isinstance(operations, tuple)
    for operation in operations:
        assert isinstance(await stand.connector.send(operation, "key"), Sent)

    assert len(stand.jane.seen) > 1
    assert "".join("".join(shown.text for shown in stand.jane.seen).split()) == "".join(text.split())


async def test_blank_piece(stand: Bench) -> None:
    """A piece of nothing but white space, which Telegram refuses, is not sent."""
    text = "a" * 4096 + " " * 9000 + "b"
    operations = stand.connector.plan(OutboundMessage(author=Author.BOT, text=text), stand.address)
    assert isinstance(operations, tuple)
    results = [await stand.connector.send(operation, "key") for operation in operations]

    assert all(isinstance(result, Sent) for result in results)
    assert "".join(shown.text for shown in stand.jane.seen) == "a" * 4096 + "b"


async def test_lone_surrogate(stand: Bench) -> None:
    """Half a character, which no request can carry, is sent as a replacement character."""
    assert isinstance(await stand.connector.send(stand.text("half \ud83d"), "key"), Sent)

    assert stand.jane.seen[0].text == "half \ufffd"


@pytest.mark.parametrize(
    ("media_type", "shown_as"),
    [
        ("image/jpeg", "photo"),
        ("image/png", "photo"),
        ("image/gif", "animation"),
        ("image/svg+xml", "document"),
        ("audio/mpeg", "audio"),
        ("audio/ogg", "voice"),
        ("audio/wav", "document"),
        ("video/mp4", "video"),
        ("video/webm", "document"),
        ("application/pdf", "document"),
        ("", "document"),
    ],
)
async def test_file(stand: Bench, media_type: str, shown_as: str) -> None:
    """A file is shown as what it is where Telegram can, and as a document otherwise, byte for byte."""
    content = bytes(range(256))
    attachment = await stand.file(content, media_type, "Rechnung № 1.bin")
    result = await stand.connector.send(SendAttachment(address=stand.address, attachment=attachment), "key")

    (shown,) = stand.jane.seen
    assert isinstance(result, Sent)
    assert (shown.kind, shown.content) == (shown_as, content)


async def test_large_photo(stand: Bench) -> None:
    """A photo above Telegram's ten megabytes goes as a document."""
    attachment = await stand.file(b"x" * 10_000_001, "image/jpeg", "scan.jpg")
    await stand.connector.send(SendAttachment(address=stand.address, attachment=attachment), "key")

    assert (stand.jane.seen[0].kind, stand.jane.seen[0].name) == ("document", "scan.jpg")


async def test_file_by_address(stand: Bench) -> None:
    """A picture that only has an address is fetched by Telegram itself."""
    picture = Attachment(kind=AttachmentKind.IMAGE, reference="https://example.com/tea.png")
    result = await stand.connector.send(SendAttachment(address=stand.address, attachment=picture), "key")

    assert isinstance(result, Sent)
    assert (stand.jane.seen[0].kind, stand.jane.seen[0].text) == ("photo", "https://example.com/tea.png")


@pytest.mark.parametrize(
    "attachment",
    [
        Attachment(kind=AttachmentKind.FILE, reference="/etc/passwd"),
        Attachment(kind=AttachmentKind.FILE, reference="file:///etc/passwd"),
        Attachment(kind=AttachmentKind.FILE, media_id=MediaId("f" * 32)),
    ],
)
async def test_no_file(stand: Bench, attachment: Attachment) -> None:
    """A file that is not kept is given up, and a path of this machine is never read."""
    result = await stand.connector.send(SendAttachment(address=stand.address, attachment=attachment), "key")

    assert isinstance(result, Permanent)
    assert stand.telegram.calls == []


async def test_media_store_fails(stand: Bench) -> None:
    """When our own store fails, nothing was sent and the same call may succeed later."""

    class Broken(MemoryMedia):
        async def get(self, media_id: MediaId) -> tuple[Attachment, bytes] | None:
            raise OSError(media_id)

    connector = TelegramConnector(TelegramAccount(token=stand.telegram.token), Broken())
    attachment = Attachment(kind=AttachmentKind.FILE, media_id=MediaId("f" * 32))
    result = await connector.send(SendAttachment(address=stand.address, attachment=attachment), "key")

    assert result == Retry(reason="the file cannot be read now (OSError)")
    await connector.close()


# --------------------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize("seconds", [1, 7, 3600, 86_400])
async def test_flood(stand: Bench, seconds: int) -> None:
    """A pause that Telegram asks for is passed on to the second."""
    stand.telegram.fail(Fault(method="sendMessage", code=429, description="Too Many Requests", retry_after=seconds))

    result = await stand.connector.send(stand.text("hi"), "key")
    assert result == Retry(reason="Telegram asks for a pause", after=timedelta(seconds=seconds))


@pytest.mark.parametrize("body", [b"", b"slow down", b"[]", b"{}", b'{"parameters": {"retry_after": "soon"}}'])
async def test_flood_without_pause(stand: Bench, body: bytes) -> None:
    """A 429 that names no pause is certainly unsent, and left to our own backoff."""
    stand.telegram.fail(Fault(method="sendMessage", code=429, body=body))

    assert await stand.connector.send(stand.text("hi"), "key") == Retry(reason="Telegram asks for a pause")


async def test_blocked(stand: Bench) -> None:
    """A customer who blocked the bot is a plain no, in plain words."""
    stand.jane.has_blocked = True

    result = await stand.connector.send(stand.text("hi"), "key")
    assert result == Permanent(reason="the customer has blocked the bot", code="403")


async def test_unknown_chat(stand: Bench) -> None:
    """An address that Telegram does not know is a plain no."""
    operation = stand.text("hi")
    object.__setattr__(operation, "address", address_of(stand.connector, 7))

    result = await stand.connector.send(operation, "key")
    assert result == Permanent(reason="Telegram knows no chat with this customer", code="400")


async def test_wrong_token(stand: Bench) -> None:
    """A token that Telegram refuses is a plain no, without showing it."""
    account = TelegramAccount(token="7000001:some-other-token", base_url=stand.telegram.url)
    connector = TelegramConnector(account, stand.media)

    assert await connector.send(stand.text("hi"), "key") == Permanent(
        reason="Telegram refuses the bot's token", code="401", is_account=True
    )
    await connector.close()


@pytest.mark.parametrize("code", [402, 405, 413, 418])
async def test_other_refusal(stand: Bench, code: int) -> None:
    """Any other 4xx is certain as well."""
    stand.telegram.fail(Fault(method="sendMessage", code=code, body=b"<html>no</html>"))

    result = await stand.connector.send(stand.text("hi"), "key")
    assert result == Permanent(reason=f"Telegram refuses it: HTTP {code}", code="400")


# ------------------------------------------------------------------------------------------------- nobody knows


@pytest.mark.parametrize("code", [301, 500, 502, 503, 504, 599])
@pytest.mark.parametrize("is_done", [True, False])
async def test_server_error(stand: Bench, code: int, is_done: bool) -> None:
    """After a 5xx nobody knows, whether or not the message was shown."""
    stand.telegram.fail(Fault(method="sendMessage", code=code, is_done=is_done))

    assert isinstance(await stand.connector.send(stand.text("hi"), "key"), Ambiguous)
    assert len(stand.jane.seen) == is_done


@pytest.mark.parametrize("body", [b"", b"<html>Log in to the hotel's network</html>", b"[]", b"{}", b'{"result": 5}'])
async def test_unreadable_success(stand: Bench, body: bytes) -> None:
    """A 200 that is not Telegram's proves nothing."""
    stand.telegram.fail(Fault(method="sendMessage", code=200, body=body))

    assert isinstance(await stand.connector.send(stand.text("hi"), "key"), Ambiguous)


async def test_odd_success(stand: Bench) -> None:
    """A message that Telegram says it has is sent, whatever else it says of it."""
    chat = {"id": JANE, "type": "private"}
    result = {"message_id": 9, "date": 1_795_400_000, "chat": chat, "poll": {}, "from": 7, "link_preview_options": "?"}
    body = json.dumps({"ok": True, "result": result}).encode()
    stand.telegram.fail(Fault(method="sendMessage", code=200, body=body))

    assert await stand.connector.send(stand.text("hi"), "key") == Sent(external_id=f"{JANE}:9")


async def test_cut_answer(stand: Bench) -> None:
    """A connection cut at any byte of the answer is ambiguous, unless the whole answer came: one call, one message."""
    await stand.connector.send(stand.text("hi"), "key")
    length = 400
    for count, cut_after in enumerate(range(0, length, 9), start=2):
        stand.telegram.fail(Fault(method="sendMessage", is_done=True, cut_after=cut_after))

        result = await stand.connector.send(stand.text("hi"), "key")
        assert isinstance(result, Ambiguous if cut_after < 200 else Ambiguous | Sent)
        assert len(stand.jane.seen) == count


async def test_hanging(stand: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that never comes is ambiguous once our patience ends."""
    monkeypatch.setattr(telegram_api, "_READ_TIMEOUT", 0.1)
    stand.telegram.fail(Fault(method="sendMessage", is_done=True, hangs=True))

    result = await stand.connector.send(stand.text("hi"), "key")
    assert result == Ambiguous(reason="no answer to a request that may have arrived (SocketTimeoutError)")
    assert len(stand.jane.seen) == 1


async def test_cancelled(stand: Bench) -> None:
    """A cancelled call is cancelled, not turned into a result."""
    stand.telegram.fail(Fault(method="sendMessage", is_done=True, hangs=True))
    sending = asyncio.create_task(stand.connector.send(stand.text("hi"), "key"))
    await stand.jane.sees(1)
    sending.cancel()

    with pytest.raises(asyncio.CancelledError):
        await sending


# -------------------------------------------------------------------------------------------------- never sent


async def test_connection_refused(stand: Bench) -> None:
    """Where nobody listens, the message was certainly not sent."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        account = TelegramAccount(token="7000001:x", base_url=f"http://127.0.0.1:{taken.getsockname()[1]}")
        connector = TelegramConnector(account, stand.media)

        assert await connector.send(stand.text("hi"), "key") == Retry(reason="no connection (ClientConnectorError)")
        await connector.close()


async def test_unknown_host(stand: Bench) -> None:
    """A name that does not resolve means certainly not sent."""
    connector = TelegramConnector(TelegramAccount(token="7000001:x", base_url="http://nowhere.invalid"), stand.media)

    assert isinstance(await connector.send(stand.text("hi"), "key"), Retry)
    await connector.close()


async def test_no_tls(stand: Bench) -> None:
    """A failed TLS handshake means certainly not sent."""
    url = stand.telegram.url.replace("http://", "https://")
    connector = TelegramConnector(TelegramAccount(token="7000001:x", base_url=url), stand.media)

    assert await connector.send(stand.text("hi"), "key") == Retry(reason="no connection (ClientConnectorSSLError)")
    await connector.close()


async def test_proxy_down(stand: Bench) -> None:
    """A proxy that does not answer means certainly not sent."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        proxy = f"http://127.0.0.1:{taken.getsockname()[1]}"
        account = TelegramAccount(token="7000001:x", base_url="https://api.telegram.org", proxy_url=proxy)
        connector = TelegramConnector(account, stand.media)

        assert await connector.send(stand.text("hi"), "key") == Retry(
            reason="no connection (ClientProxyConnectionError)"
        )
        await connector.close()


async def test_pool_exhausted(stand: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """When all connections are busy, the message was certainly not sent."""
    monkeypatch.setattr(stand.connector._api._line, "_connections_max", 1)
    stand.telegram.fail(Fault(method="sendMessage", is_done=True, hangs=True))
    first = asyncio.create_task(stand.connector.send(stand.text("one"), "key"))
    await stand.jane.sees(1)
    monkeypatch.setattr(http, "_CONNECTS_WITHIN", 0.1)

    assert await stand.connector.send(stand.text("two"), "key") == Retry(
        reason="no connection (ConnectionTimeoutError)"
    )
    first.cancel()


# ------------------------------------------------------------------------------------------------------- typing


async def test_typing(stand: Bench) -> None:
    """The customer sees that an answer is being written."""
    await stand.connector.show_typing(stand.address)

    assert stand.jane.actions == ["typing"]


@pytest.mark.parametrize("fault", [Fault(method="sendChatAction"), Fault(method="sendChatAction", cut_after=0)])
async def test_typing_fails(stand: Bench, fault: Fault) -> None:
    """Typing is decoration: its failure is nobody's business."""
    stand.telegram.fail(fault)
    await stand.connector.show_typing(stand.address)

    assert stand.jane.actions == []
