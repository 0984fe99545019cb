"""What every connector does with what goes out, and what it never lets out."""

from __future__ import annotations

import logging
import traceback
from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.channels import ChannelAddress
from bot.domain.connectors import (
    Closing,
    Editing,
    Refusal,
    Retry,
    SendAttachment,
    SendOperation,
    SendText,
    Unsending,
)
from bot.domain.errors import WebhookError
from bot.domain.messages import (
    Attachment,
    AttachmentKind,
    Author,
    Choice,
    InboundMessage,
    MediaId,
    MessageId,
    OutboundMessage,
    Quote,
)
from bot.domain.planning import measure
from tests.contracts.subject import Subject

LINK = "https://care.example.com/files/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
PIECE = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=60)


def _written(subject: Subject) -> InboundMessage:
    """Return what a customer has written."""
    (event,) = subject.connector.parse(subject.request(subject.bodies(["hello"])[0]))
    assert isinstance(event, InboundMessage)
    return event


def _address(subject: Subject) -> ChannelAddress:
    return _written(subject).address


def _answer(subject: Subject) -> SendText:
    """Return the call that answers it."""
    written = _written(subject)
    return SendText(address=written.address, text="hello", reply_context=written.reply_context)


def _plan(subject: Subject, message: OutboundMessage) -> tuple[SendOperation, ...]:
    operations = subject.connector.plan(message, _address(subject))
    assert not isinstance(operations, Refusal)
    return operations


def _texts(operations: tuple[SendOperation, ...]) -> list[str]:
    return [operation.text for operation in operations if isinstance(operation, SendText)]


def _choices(count: int) -> tuple[Choice, ...]:
    return tuple(Choice(title=f"Order CL-{104_000 + n}", payload=f"c_{n:022d}") for n in range(count))


def test_capabilities_fit_together(subject: Subject) -> None:
    """Limits are given for whatever the channel says it can."""
    can = subject.connector.capabilities

    assert can.text_max >= 160
    assert can.choices_max == 0 or can.choice_title_max > 0
    assert bool(can.attachments) == (can.attachment_max_bytes > 0)


@given(piece=PIECE, share=st.floats(0.001, 2.5))
def test_split_loses_nothing(subject: Subject, piece: str, share: float) -> None:
    """A text of any length and script is cut into pieces that fit; together they are the text again.

    White space at a cut may go: channels trim what they show.
    """
    can = subject.connector.capabilities
    text = piece * max(1, int(share * can.text_max / len(piece)))
    texts = _texts(_plan(subject, OutboundMessage(author=Author.BOT, text=text)))

    assert all(0 < measure(each, can.text_unit) <= can.text_max for each in texts)
    assert "".join("".join(texts).split()) == "".join(text.split())


@pytest.mark.parametrize("count", [1, 2, 3, 10])
def test_choices_round_trip(subject: Subject, count: int) -> None:
    """A planned choice, shown by the channel and tapped by the customer, comes back as the same payload."""
    can = subject.connector.capabilities
    if count > can.choices_max:
        return
    operations = _plan(subject, OutboundMessage(author=Author.BOT, text="Which one?", choices=_choices(count)))
    last = operations[-1]
    assert isinstance(last, SendText)
    for which, choice in enumerate(last.choices):
        (event,) = subject.connector.parse(subject.request(subject.tap(last, which)))
        assert isinstance(event, InboundMessage)
        assert event.choice == choice.payload
    assert last.choices == _choices(count)


def test_too_many_choices(subject: Subject) -> None:
    """Choices beyond what the channel shows are written out: the customer can still read them all."""
    choices = _choices(subject.connector.capabilities.choices_max + 1)
    operations = _plan(subject, OutboundMessage(author=Author.BOT, text="Which one?", choices=choices))
    texts = "\n".join(_texts(operations))

    assert all(choice.title in texts for choice in choices)


@pytest.mark.parametrize("kind", AttachmentKind)
def test_file_is_sent_or_named(subject: Subject, kind: AttachmentKind) -> None:
    """A file goes as a file where the channel can, and as a line that names it where it cannot or is too large."""
    can = subject.connector.capabilities
    media_type, link = min(can.attachment_types, default="image/png"), LINK if can.fetches_files else ""
    small = Attachment(
        kind=kind, name="receipt.bin", size=10, media_id=MediaId("a" * 32), media_type=media_type, link=link
    )
    large = replace(small, name="huge.bin", size=can.attachment_max_bytes + 1)
    operations = _plan(subject, OutboundMessage(author=Author.AGENT, text="Here", attachments=(small, large)))

    sent = [each.attachment for each in operations if isinstance(each, SendAttachment)]
    assert sent == ([small] if kind in can.attachments else [])
    assert "huge.bin" in "".join(_texts(operations))


def test_quote_is_shown_or_written(subject: Subject) -> None:
    """What a reply answers is shown by the channel, above its first piece alone, or stands in its text."""
    can, written = subject.connector.capabilities, _written(subject)
    quote = Quote(
        id=MessageId("b" * 32), author=Author.CUSTOMER, text="where is it", external_id=written.external_id, token="t"
    )
    long = "tea and coffee " * (2 * can.text_max // 15)
    operations = _plan(subject, OutboundMessage(author=Author.AGENT, text=long, quotes=quote))

    quoted = [each.quotes for each in operations if isinstance(each, SendText)]
    assert len(quoted) > 1
    assert [bool(each) for each in quoted] == [can.has_quotes, *[False] * (len(quoted) - 1)]
    assert _texts(operations)[0].startswith("> where is it\n") != can.has_quotes
    (only,) = _plan(
        subject, OutboundMessage(author=Author.AGENT, text="Soon", quotes=replace(quote, external_id="", token=""))
    )
    assert isinstance(only, SendText)
    assert (only.text, only.quotes) == ("> where is it\nSoon", "")


@pytest.mark.parametrize("kind", AttachmentKind)
def test_file_is_linked(subject: Subject, kind: AttachmentKind) -> None:
    """A file that cannot go as a file goes as a link, but not where everybody reads; without one it is named."""
    can = subject.connector.capabilities
    size = can.attachment_max_bytes + 1
    large = Attachment(kind=kind, name="huge.bin", size=size, media_id=MediaId("a" * 32), link=LINK)
    small = replace(large, name="small.bin", size=10, link="", media_type=min(can.attachment_types, default=""))
    operations = _plan(subject, OutboundMessage(author=Author.AGENT, text="Here", attachments=(large, small)))

    texts = _texts(operations)
    assert any(LINK in each for each in texts) == (not can.is_public)
    assert can.is_public or not any("huge.bin – it cannot" in each for each in texts)
    if can.fetches_files:
        assert any("small.bin" in each for each in texts)


async def test_unreachable(subject: Subject) -> None:
    """Where nothing answers, a call is certainly not made, be it a message or a change; it raises nothing."""
    connector, address = subject.unreachable, _address(subject)
    if connector is None:
        return
    operation, sent = _answer(subject), f"{address.external_id}:1"

    assert isinstance(await connector.send(operation, "key"), Retry)
    if isinstance(connector, Editing):
        assert isinstance(await connector.edit(operation, sent, "key"), Retry)
    if isinstance(connector, Unsending):
        assert isinstance(await connector.unsend(address, sent, "key"), Retry)
    if isinstance(connector, Closing):
        await connector.close()


async def test_secrets_stay_inside(
    subject: Subject, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """No secret is logged, raised or printed, at any level, whatever goes wrong."""
    caplog.set_level(logging.DEBUG)
    genuine = subject.request(subject.bodies(["hello"])[0])
    shown = [repr(subject.connector), repr(subject.unreachable)]
    with suppress(WebhookError):
        subject.connector.verify(genuine)
    for proof in ("", "x"):
        try:
            headers = {**genuine.headers, subject.proof_header or "authorization": proof}
            subject.connector.verify(replace(genuine, headers=headers))
        except WebhookError as error:
            shown += traceback.format_exception(error)
    for body in (b"{", b"[]", *(secret.encode() for secret in subject.secrets)):
        try:
            subject.connector.parse(replace(genuine, body=body))
        except WebhookError as error:
            shown += traceback.format_exception(error)
    if subject.unreachable is not None:
        shown.append(repr(await subject.unreachable.send(_answer(subject), "key")))
        if isinstance(subject.unreachable, Closing):
            await subject.unreachable.close()
    shown += [caplog.text, *capfd.readouterr()]

    assert not [secret for secret in subject.secrets if secret in "\n".join(shown)]
