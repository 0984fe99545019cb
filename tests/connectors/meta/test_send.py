from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot.domain.connectors import Ambiguous, Permanent, Retry, SendAttachment, SendOperation, Sent
from bot.domain.messages import (
    Attachment,
    AttachmentKind,
    Author,
    Choice,
    MediaId,
    MessageId,
    OutboundMessage,
    Quote,
)
from connectors.meta import api as meta_api
from simulator.graph import DAY, Fault, RefusedError
from tests.connectors.meta.bench import CHANNELS, JANE, Bench, bench, connector_of
from tests.fakes.media import MemoryMedia


@pytest.fixture(params=CHANNELS)
async def stand(request: pytest.FixtureRequest) -> AsyncIterator[Bench]:
    """A fake Graph API, a customer and our connector, for each channel."""
    async with bench(request.param) as made:
        yield made


def planned(stand: Bench, **message: Any) -> tuple[SendOperation, ...]:
    """Return the calls that show a message of the bot's."""
    operations = stand.connector.plan(OutboundMessage(**{"author": Author.BOT} | message), stand.address)
    assert isinstance(operations, tuple)
    return operations


async def shown(stand: Bench, **message: Any) -> list[str]:
    """Send a message and return the texts that the customer sees."""
    for operation in planned(stand, **message):
        assert isinstance(await stand.connector.send(operation, "key"), Sent)
    return [each.text for each in stand.jane.seen]


async def test_text(stand: Bench) -> None:
    """A text arrives as it is, and Meta's name of it is what we keep."""
    text = "Order CL-104233 left today: https://example.com/?a=1&b=2 – 🎉"
    result = await stand.connector.send(stand.text(text), "key")

    (seen,) = stand.jane.seen
    assert seen.text == text
    assert result == Sent(external_id=seen.message_id)


async def test_quote(stand: Bench) -> None:
    """Meta is told which message is answered; what is no message of its is quoted in the text."""
    message_id = "wamid.1" if stand.channel == "whatsapp" else "m_1"
    quote = Quote(id=MessageId("a" * 32), author=Author.CUSTOMER, text="is it here", external_id=message_id)
    await shown(stand, text="Yes", quotes=quote)
    await shown(stand, text="Soon", quotes=replace(quote, external_id=""))

    first, second = stand.sent()
    told = {"context": {"message_id": message_id}} if stand.channel == "whatsapp" else {"reply_to": {"mid": message_id}}
    assert {name: first[name] for name in told} == told
    assert not {"context", "reply_to"} & set(second)
    assert [each.text for each in stand.jane.seen] == ["Yes", "> is it here\nSoon"]


async def test_longest_text(stand: Bench) -> None:
    """A long text full of emoji is cut into messages that the channel accepts, and nothing of it is lost."""
    text = "🎉 Ünïcödé und mehr 👩‍👩‍👧 🇬🇧👍🏽 " * 300
    texts = await shown(stand, text=text)

    assert len(texts) > 2
    assert "".join("".join(texts).split()) == "".join(text.split())


async def test_blank_piece(stand: Bench) -> None:
    """A piece of nothing but white space, which Meta refuses, is not sent."""
    texts = await shown(stand, text="a" * 4096 + " " * 9000 + "b")

    assert "".join(texts).replace(" ", "") == "a" * 4096 + "b"


async def test_lone_surrogate(stand: Bench) -> None:
    """Half a character, which no request can carry, is sent as a replacement character."""
    assert isinstance(await stand.connector.send(stand.text("half \ud83d"), "key"), Sent)

    assert stand.jane.seen[0].text == "half \ufffd"


@pytest.mark.parametrize("count", [1, 2, 3, 4, 10, 13, 14])
async def test_choices(stand: Bench, count: int) -> None:
    """Choices are shown as what the channel has for so many, with their payloads; too many are written out."""
    choices = tuple(Choice(title=f"Order CL-{104_000 + n}", payload=f"c_{n}") for n in range(count))
    texts = await shown(stand, text="Which one?", choices=choices)

    tappable = stand.jane.seen[-1].choices
    if count <= stand.connector.capabilities.choices_max:
        assert tappable == tuple((each.title, each.payload) for each in choices)
    else:
        assert all(each.title in texts[-1] for each in choices)


async def test_long_titles(stand: Bench) -> None:
    """Titles that are too long for the channel's choices are still read in full, and tapped."""
    titles = ["A refund to the card that was charged", "A voucher for the same amount"]
    choices = tuple(Choice(title=title, payload=f"c_{n}") for n, title in enumerate(titles))
    texts = await shown(stand, text="What would you like?", choices=choices)

    seen = stand.jane.seen[-1]
    assert [payload for _, payload in seen.choices] == ["c_0", "c_1"]
    readable = "\n".join([*texts, *(title for title, _ in seen.choices)])
    assert all(title in readable for title in titles)
    assert len({title for title, _ in seen.choices}) == 2


async def test_long_text_with_choices(stand: Bench) -> None:
    """Below a long text the choices come with the last piece, which is as short as the channel wants it."""
    text = "tea and coffee " * 300
    texts = await shown(stand, text=text, choices=(Choice(title="Yes", payload="y"),))

    assert "".join("".join(texts).split()) == "".join(text.split())
    assert [bool(each.choices) for each in stand.jane.seen] == [False] * (len(texts) - 1) + [True]


@pytest.mark.parametrize("media_type", ["image/jpeg", "audio/mpeg", "video/mp4"])
async def test_file(stand: Bench, media_type: str) -> None:
    """A file arrives as what it is, byte for byte."""
    content = bytes(range(256))
    result = await stand.connector.send(await stand.file(content, media_type), "key")

    (seen,) = stand.jane.seen
    assert isinstance(result, Sent)
    assert (seen.kind, seen.content) == (media_type.partition("/")[0], content)


async def test_file_by_address(stand: Bench) -> None:
    """A picture that only has an address is fetched by Meta itself."""
    picture = Attachment(kind=AttachmentKind.IMAGE, reference="https://example.com/tea.png")
    result = await stand.connector.send(SendAttachment(address=stand.address, attachment=picture), "key")

    assert isinstance(result, Sent)
    assert (stand.jane.seen[0].kind, stand.jane.seen[0].text) == ("image", "https://example.com/tea.png")


async def test_file_by_link() -> None:
    """By Instagram's own log-in nothing is uploaded: a file that we keep is fetched from its link."""
    async with bench("instagram", page=None) as stand:
        link = "https://care.example.com/files/x"
        kept = Attachment(
            kind=AttachmentKind.IMAGE, name="tea.png", media_type="image/png", media_id=MediaId("f" * 32), link=link
        )
        assert await shown(stand, attachments=(kept,)) == [link]
        assert stand.jane.seen[0].kind == "image"


@pytest.mark.parametrize(
    "attachment",
    [
        Attachment(kind=AttachmentKind.IMAGE, reference="/etc/passwd"),
        Attachment(kind=AttachmentKind.IMAGE, reference="file:///etc/passwd"),
        Attachment(kind=AttachmentKind.IMAGE, media_id=MediaId("f" * 32)),
    ],
)
async def test_no_file(stand: Bench, attachment: Attachment) -> None:
    """A file that is not kept is given up, and a path of this machine is never read."""
    result = await stand.connector.send(SendAttachment(address=stand.address, attachment=attachment), "key")

    assert isinstance(result, Permanent)
    assert stand.graph.calls == []


async def test_media_store_fails(stand: Bench) -> None:
    """When our own store fails, nothing was sent and the same call may succeed later."""

    class Broken(MemoryMedia):
        async def get(self, media_id: MediaId) -> tuple[Attachment, bytes] | None:
            raise OSError(media_id)

    connector = connector_of(stand.channel, stand.graph, Broken())
    attachment = Attachment(kind=AttachmentKind.IMAGE, media_id=MediaId("f" * 32))
    result = await connector.send(SendAttachment(address=stand.address, attachment=attachment), "key")

    assert result == Retry(reason="the file cannot be read now (OSError)")
    await connector.close()


@pytest.mark.parametrize(
    "fault", [{"cut_after": 0}, {"cut_after": 60, "is_done": True}, {"body": b"{}", "status": 200}]
)
async def test_upload_that_breaks(stand: Bench, fault: dict[str, Any]) -> None:
    """Whatever becomes of an upload, the customer has seen nothing: it is certain, and tried again."""
    call = "media" if stand.channel == "whatsapp" else "message_attachments"
    stand.graph.fail(Fault(call=call, **fault))
    operation = await stand.file(b"tea", "image/png")

    assert isinstance(await stand.connector.send(operation, "key"), Retry)
    assert stand.jane.seen == []
    assert isinstance(await stand.connector.send(operation, "key"), Sent)


# ------------------------------------------------------------------------------------------------ windows and signs


async def test_outside_the_window(stand: Bench) -> None:
    """A day after the customer's last message Meta refuses, and the reason is what an agent has to know."""
    stand.jane.wrote_at -= DAY + 60
    result = await stand.connector.send(stand.text("hello"), "key")

    assert isinstance(result, Permanent)
    assert "the customer has to write first" in result.reason
    assert not result.is_account


async def test_people_after_the_window(stand: Bench) -> None:
    """What a person says after the window goes out as what Meta takes from people then."""
    stand.jane.wrote_at -= 2 * DAY
    texts = await shown(stand, author=Author.AGENT, text="Sorry for\nthe wait!", is_late=True)

    whole = "Sorry for the wait!" if stand.channel == "whatsapp" else "Sorry for\nthe wait!"
    assert texts == [whole]
    assert stand.jane.seen[0].sent_as == ("template" if stand.channel == "whatsapp" else "HUMAN_AGENT")


async def test_bot_within_the_window(stand: Bench) -> None:
    """Within the window nothing is marked as a person's."""
    await shown(stand, text="hello")

    assert "tag" not in stand.sent()[0]


async def test_blocked(stand: Bench) -> None:
    """A customer who blocked us is a plain no, in plain words."""
    stand.jane.has_blocked = True
    result = await stand.connector.send(stand.text("hello"), "key")

    assert isinstance(result, Permanent)
    assert "cannot" in result.reason
    assert not result.is_account


async def test_revoked_token(stand: Bench) -> None:
    """A token that Meta refuses is a failure of the account, which says what to do and not the token."""
    stand.graph.token = "EAAGanother"
    result = await stand.connector.send(stand.text("hello"), "key")

    assert result == Permanent(
        reason="Meta refuses the access token: make a new one and set it (190)", code="190", is_account=True
    )


# ------------------------------------------------------------------------------------------------------------ faults


@pytest.mark.parametrize(
    ("headers", "after"),
    [
        ({}, None),
        ({"Retry-After": "17"}, timedelta(seconds=17)),
        (
            {
                "X-Business-Use-Case-Usage": '{"1": [{"type": "messenger", "estimated_time_to_regain_access": 7}, '
                '{"type": "pages", "estimated_time_to_regain_access": 0}]}'
            },
            timedelta(minutes=7),
        ),
        ({"Retry-After": "soon", "X-Business-Use-Case-Usage": '{"1": "x"}'}, None),
        ({"X-Business-Use-Case-Usage": '{"1": [{"estimated_time_to_regain_access": 999999999999999999}]}'}, None),
        ({"X-Business-Use-Case-Usage": "[[["}, None),
    ],
)
@pytest.mark.parametrize(
    "error", [None, RefusedError(613, "Calls to this api have exceeded the rate limit", status=429)]
)
async def test_pause(
    stand: Bench, headers: dict[str, str], after: timedelta | None, error: RefusedError | None
) -> None:
    """A pause that Meta asks for is passed on; where it says none that makes sense, our own backoff decides."""
    stand.graph.fail(Fault(status=429, body=b"slow down", headers=headers, error=error))
    result = await stand.connector.send(stand.text("hello"), "key")

    assert isinstance(result, Retry)
    assert result.after == after


@pytest.mark.parametrize(
    "fault", [{"cut_after": 0}, {"cut_after": 0, "is_done": True}, {"cut_after": 40, "is_done": True}]
)
async def test_cut_connection(stand: Bench, fault: dict[str, Any]) -> None:
    """A connection that breaks after the request left leaves nothing certain."""
    stand.graph.fail(Fault(**fault))

    assert isinstance(await stand.connector.send(stand.text("hello"), "key"), Ambiguous)
    assert len(stand.jane.seen) == fault.get("is_done", 0)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (200, b"", Ambiguous),
        (200, b"[]", Ambiguous),
        (200, b'{"messages": []}', Ambiguous),
        (200, b'{"message_id": 7, "messages": [{"id": 7}]}', Ambiguous),
        (500, b"<html>", Ambiguous),
        (502, b"", Ambiguous),
        (503, b'{"error": {"code": "x"}}', Ambiguous),
        (500, b'{"error": {"code": 2, "message": "Service temporarily unavailable"}}', Retry),
        (400, b"", Permanent),
        (401, b"", Permanent),
        (404, b'{"error": 7}', Permanent),
        (302, b"", Ambiguous),
        (200, b'{"error": {"code": 100, "message": "Invalid parameter"}}', Permanent),
    ],
)
async def test_odd_answers(stand: Bench, status: int, body: bytes, kind: type) -> None:
    """Only what Meta says plainly is certain."""
    stand.graph.fail(Fault(status=status, body=body))

    assert type(await stand.connector.send(stand.text("hello"), "key")) is kind


async def test_no_answer(stand: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that never comes is given up after a while, with nothing certain."""
    monkeypatch.setattr(meta_api, "_READ_TIMEOUT", 0.2)
    stand.graph.fail(Fault(hangs=True))

    assert isinstance(await stand.connector.send(stand.text("hello"), "key"), Ambiguous)


async def test_no_connection(stand: Bench) -> None:
    """Where nobody listens, nothing was sent, be it a text, a file or a sign."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nowhere = f"http://127.0.0.1:{free.getsockname()[1]}"
    connector = connector_of(stand.channel, stand.graph, stand.media, base_url=nowhere)
    assert isinstance(await connector.send(stand.text("hello"), "key"), Retry)
    assert isinstance(await connector.send(await stand.file(b"x", "image/png"), "key"), Retry)
    await connector.show_typing(stand.address)
    await connector.close()


async def test_key_comes_back(stand: Bench) -> None:
    """Where Meta gives words of ours back with echoes and reports, the message carries its key."""
    await stand.connector.send(stand.text("hello"), "turn:5f2c:0:0")

    (seen,) = stand.jane.seen
    assert seen.given == ("" if stand.channel == "instagram" else "tandem:turn:5f2c:0:0")


async def test_who_is_meant(stand: Bench) -> None:
    """A message goes to the customer it is for."""
    await stand.connector.send(stand.text("hello"), "key")

    (body,) = stand.sent()
    jane = JANE[stand.channel]
    assert body["recipient"] == (jane if stand.channel == "whatsapp" else {"id": jane})
