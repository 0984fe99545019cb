from __future__ import annotations

import asyncio
import logging
import ssl
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiosmtplib.errors
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.connectors import Ambiguous, Permanent, Refusal, Retry, SendAttachment, Sent
from bot.domain.messages import Attachment, AttachmentKind, Author, OutboundMessage
from connectors.email.compose import Letterhead, compose
from connectors.email.events import Ourselves, Placed, read_placed
from connectors.email.login import Login, Security, Server, TokenError
from connectors.email.mime import read_mail
from connectors.email.names import key_of, message_id_of
from connectors.email.smtp import OfferError, Step, outcome
from tests.connectors.email.bench import ADDRESS, JANE, address, here, made, post_office, text
from tests.fakes.media import MemoryMedia
from tests.peers.dovecot import PASSWORD, certify

KEY = "3f2a9c0d1e4b5a697887766554433221:0:0"
HEAD = Letterhead(address=ADDRESS, name="Copperleaf", subject="A message for you")
CONTEXT = {"subject": "Where is my tea?", "message_id": "<m2@example.com>", "references": "<m0@x> <m1@example.com>"}


async def test_text() -> None:
    """A text arrives as plain words and as a page, from the brand, named after the call."""
    async with post_office() as office:
        result = await made(here(1), here(office.port)).send(
            text("Tea & <cake>:\n\nhttps://copperleaf.example/a?b=1."), KEY
        )
    (mail,) = office.mails

    assert result == Sent(external_id=message_id_of(KEY, "copperleaf.example"))
    assert (office.recipients, str(mail["From"]), str(mail["To"])) == ([JANE], f"Copperleaf <{ADDRESS}>", JANE)
    assert mail["Message-ID"] == result.external_id
    assert mail["Subject"] == "A message for you"
    plain, page = mail.get_body(("plain",)), mail.get_body(("html",))
    assert plain is not None
    assert page is not None
    assert plain.get_content().replace("\r\n", "\n").strip() == "Tea & <cake>:\n\nhttps://copperleaf.example/a?b=1."
    assert "<p>Tea &amp; &lt;cake&gt;:</p>" in page.get_content()
    assert '<a href="https://copperleaf.example/a?b=1">https://copperleaf.example/a?b=1</a>.' in page.get_content()


async def test_answer() -> None:
    """An answer stands below the mail that it answers, and says that a machine wrote it."""
    async with post_office() as office:
        await made(here(1), here(office.port)).send(text(reply_context=CONTEXT), KEY)
    (mail,) = office.mails

    assert mail["Subject"] == "Re: Where is my tea?"
    assert mail["In-Reply-To"] == "<m2@example.com>"
    assert str(mail["References"]).split() == ["<m0@x>", "<m1@example.com>", "<m2@example.com>"]
    assert (mail["Auto-Submitted"], mail["X-Auto-Response-Suppress"]) == ("auto-replied", "All")


async def test_person() -> None:
    """A person's answer has their name and the brand's, and is nobody's automatic answer."""
    async with post_office() as office:
        operation = text(author="agent", author_name="Zoë Reed", reply_context={"subject": "RE: re: Tea"})
        await made(here(1), here(office.port)).send(operation, KEY)
    (mail,) = office.mails

    (sender,) = mail["From"].addresses
    assert (sender.display_name, sender.addr_spec) == ("Zoë Reed (Copperleaf)", ADDRESS)
    assert mail["Subject"] == "Re: Tea"
    assert mail["Auto-Submitted"] is None


async def test_file() -> None:
    """A file arrives under its name, byte by byte."""
    media = MemoryMedia()
    content = bytes(range(256)) * 50
    async with post_office() as office:
        kept = await media.put(
            content, Attachment(kind=AttachmentKind.FILE, name="Beleg €.pdf", media_type="application/pdf")
        )
        operation = SendAttachment(address=address(), attachment=kept)
        result = await made(here(1), here(office.port), media=media).send(operation, KEY)
    (part,) = list(office.mails[0].iter_attachments())

    assert isinstance(result, Sent)
    assert (part.get_filename(), part.get_content_type(), part.get_content()) == (
        "Beleg €.pdf",
        "application/pdf",
        content,
    )


async def test_file_that_is_gone() -> None:
    """A file that is not kept any more is certainly not sent."""
    operation = SendAttachment(address=address(), attachment=Attachment(kind=AttachmentKind.FILE, name="x"))

    assert await made(here(1), here(1)).send(operation, KEY) == Permanent(reason="there is no file to send")


@given(words=st.text(max_size=300), name=st.text(max_size=80), subject=st.text(max_size=300))
def test_anything_can_be_written(words: str, name: str, subject: str) -> None:
    """Whatever a text, a name and a subject hold, the mail is one mail, and its words are those of the text."""
    operation = text(
        words, author="agent", author_name=name, reply_context={"subject": subject, "message_id": "<a@b>\r\nX: y"}
    )
    raw = compose(operation, KEY, HEAD, datetime(2026, 11, 23, tzinfo=UTC))
    mail = read_mail(raw)

    assert raw.isascii()
    assert all(len(each) <= 998 for each in raw.split(b"\r\n"))
    assert set(mail.headers) <= {
        *("from", "to", "subject", "date", "message-id", "in-reply-to", "references", "mime-version", "content-type"),
    }
    assert {len(values) for values in mail.headers.values()} == {1}
    kept = "".join(each for each in words if each.isprintable() and each != "\ufffd")
    assert "".join(kept.split()) == "".join(
        "".join(each for each in mail.text if each.isprintable() and each != "\ufffd").split()
    )


def test_own_mail_is_known() -> None:
    """What we sent is known by its name, wherever it comes back from; other names are nobody's key."""
    assert key_of(message_id_of(KEY, "copperleaf.example")) == KEY
    assert [key_of(each) for each in ("<tandem.!!@x>", "<abc@x>", "", "<tandem.gICA@x>", "<tandem.AA@x>")] == [None] * 5


async def test_loop_ends() -> None:
    """Our own mail, sent back to us unchanged by whatever loop, is not taken for a customer's."""
    async with post_office() as office:
        await made(here(1), here(office.port)).send(text(), KEY)
    us = Ourselves(addresses=frozenset({ADDRESS}), account=address().account, authserv_id="")
    event = read_placed(Placed(is_sent=False, validity=1, uid=1, raw=office.mails[0].as_bytes()), us)

    assert type(event).__name__ == "Unsupported"


# ------------------------------------------------------------------------------------------------------------ failures


@pytest.mark.parametrize(
    ("step", "answer", "expected"),
    [
        ("mail", "451 4.3.0 busy", Retry),
        ("mail", "550 5.7.60 SendAsDenied", Permanent),
        ("rcpt", "450 4.2.0 greylisted", Retry),
        ("rcpt", "550 5.1.1 no such user", Permanent),
        ("rcpt", "552 mailbox full", Permanent),
        ("data", "451 4.7.1 later", Retry),
        ("data", "554 5.7.1 spam", Permanent),
        ("data", "299 what", Ambiguous),
    ],
)
async def test_refused(step: str, answer: str, expected: type[object]) -> None:
    """What the server says decides: later, never, or nobody knows; and nothing arrives."""
    async with post_office() as office:
        office.answers[step] = answer
        result = await made(here(1), here(office.port)).send(text(), KEY)

    assert type(result) is expected
    assert office.mails == []


async def test_words_for_an_agent() -> None:
    """A refusal says in plain words what is wrong, and with whom."""
    said = {}
    async with post_office() as office:
        for answer in ("550 5.1.1 no", "552 5.2.2 full", "550 no", "550 5.7.26 DMARC", "559 what"):
            office.answers["rcpt"] = answer
            said[answer] = await made(here(1), here(office.port)).send(text(), KEY)

    assert [each.reason for each in said.values() if isinstance(each, Permanent)] == [
        "the customer's mail address does not exist",
        "the customer's mailbox is full",
        "the customer's mail server refuses the mail or does not know the address",
        "our mails prove not to be ours: SPF and DKIM of our domain have to be mended",
        "the customer's mail server did not take the mail",
    ]


@pytest.mark.parametrize(
    ("cut_at", "expected", "arrived"),
    [("mail", Retry, 0), ("rcpt", Retry, 0), ("data", Ambiguous, 0), ("taken", Ambiguous, 1)],
)
async def test_cut(cut_at: str, expected: type[object], arrived: int) -> None:
    """A cut connection is certain until the mail is offered, and never after."""
    async with post_office() as office:
        office.cut_at = cut_at
        result = await made(here(1), here(office.port)).send(text(), KEY)

    assert type(result) is expected
    assert len(office.mails) == arrived


async def test_repeat_is_the_same_mail() -> None:
    """The same call again is a mail of the same name, which receivers may drop as a repeat."""
    async with post_office() as office:
        connector = made(here(1), here(office.port))
        await asyncio.gather(*(connector.send(text(), KEY) for _ in range(3)))

    assert len({str(mail["Message-ID"]) for mail in office.mails}) == 1
    assert not connector.capabilities.is_send_idempotent


async def test_wrong_password(caplog: pytest.LogCaptureFixture) -> None:
    """A refused password is the account's trouble; it is tried once, and never shown."""
    caplog.set_level(logging.DEBUG)
    async with post_office() as office:
        office.password = "another"
        result = await made(here(1), here(office.port)).send(text(), KEY)

    assert isinstance(result, Permanent)
    assert (result.is_account, result.reason) == (True, "the mail server refuses our password or token")
    assert office.login_count == 1
    assert PASSWORD not in caplog.text + repr(result)


async def test_token() -> None:
    """A token is shown as Google and Microsoft want it; another is refused, as the account's."""
    async with post_office(auth_exclude_mechanism=["PLAIN", "LOGIN"]) as office:
        good = await made(here(1), here(office.port), login=Login(ADDRESS, token=PASSWORD)).send(text(), KEY)
        bad = await made(here(1), here(office.port), login=Login(ADDRESS, token="old")).send(text(), KEY)

    assert isinstance(good, Sent)
    assert isinstance(bad, Permanent)
    assert bad.is_account


async def test_nothing_to_log_in_with() -> None:
    """A server that knows no way to log in breaks the account, not one mail."""
    async with post_office(auth_exclude_mechanism=["PLAIN", "LOGIN"]) as office:
        result = await made(here(1), here(office.port)).send(text(), KEY)

    assert isinstance(result, Permanent)
    assert (result.reason, result.is_account) == ("the mail server offers no way to log in that we know", True)


async def test_starttls(tmp_path: Path) -> None:
    """With STARTTLS nothing is said in the clear, and a certificate that nobody vouches for is not taken."""
    if not certify(tmp_path):
        pytest.skip("openssl is not installed")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tmp_path / "server.pem", tmp_path / "server.key")
    async with post_office(context) as office, post_office() as plain:
        trusted = here(office.port, Security.STARTTLS, ca_file=tmp_path / "server.pem")
        named = made(
            here(1),
            Server(host="localhost", port=office.port, security=Security.STARTTLS, ca_file=tmp_path / "server.pem"),
        )
        sent = await named.send(text(), KEY)
        misnamed = await made(here(1), trusted).send(text(), KEY)
        unknown = await made(here(1), here(office.port, Security.STARTTLS)).send(text(), KEY)
        without = await made(here(1), here(plain.port, Security.STARTTLS)).send(text(), KEY)

    assert isinstance(sent, Sent)
    assert [type(each) for each in (misnamed, unknown)] == [Retry, Retry]
    assert "certificate" in getattr(unknown, "reason", "")
    assert isinstance(without, Permanent)
    assert (without.reason, without.is_account) == ("the mail server offers no STARTTLS", True)


async def test_address_with_foreign_letters() -> None:
    """An address that mail servers cannot be told is refused before anything is sent."""
    message = OutboundMessage(author=Author.BOT, text="hello")
    foreign = replace(address(), external_id="jürgen@example.com")

    assert isinstance(made(here(1), here(1)).plan(message, foreign), Refusal)


# ------------------------------------------------------------------------------------------------------------- mapping

#: Every error of the library → what it leaves certain while connecting, and while the mail is taken.
OUTCOMES: dict[str, tuple[tuple[Any, ...], type[object], type[object]]] = {
    "SMTPException": (("?",), Retry, Ambiguous),
    "SMTPServerDisconnected": (("?",), Retry, Ambiguous),
    "SMTPConnectError": (("?",), Retry, Ambiguous),
    "SMTPTimeoutError": (("?",), Retry, Ambiguous),
    "SMTPConnectTimeoutError": (("?",), Retry, Ambiguous),
    "SMTPReadTimeoutError": (("?",), Retry, Ambiguous),
    "SMTPNotSupported": (("?",), Permanent, Ambiguous),
    "SMTPRecipientsRefused": (([],), Retry, Ambiguous),
    "SMTPResponseException": ((554, "no"), Permanent, Permanent),
    "SMTPConnectResponseError": ((554, "no"), Permanent, Permanent),
    "SMTPHeloError": ((554, "no"), Permanent, Permanent),
    "SMTPDataError": ((554, "no"), Permanent, Permanent),
    "SMTPAuthenticationError": ((535, "no"), Permanent, Permanent),
    "SMTPSenderRefused": ((554, "no", "a@b"), Permanent, Permanent),
    "SMTPRecipientRefused": ((554, "no", "a@b"), Permanent, Permanent),
}


def test_every_error_of_the_library_is_mapped() -> None:
    """No release of the library adds an error that nobody here has thought about."""
    found = {
        name
        for name, item in vars(aiosmtplib.errors).items()
        if isinstance(item, type) and issubclass(item, aiosmtplib.errors.SMTPException)
    }
    assert found == set(OUTCOMES)


@pytest.mark.parametrize("name", OUTCOMES)
def test_outcome(name: str) -> None:
    """Each error of the library says what is certain, by the step at which it came, with a reason to read."""
    arguments, connecting, taking = OUTCOMES[name]
    error = getattr(aiosmtplib.errors, name)(*arguments)

    results = [outcome(error, Step.CONNECT), outcome(error, Step.CONTENT)]
    assert [type(each) for each in results] == [connecting, taking]
    assert all(each.reason for each in results)


@pytest.mark.parametrize("code", [-1, 0, 100, 250, 354, 399, 600])
def test_code_that_is_none(code: int) -> None:
    """A code that says neither yes nor no proves nothing once the mail was offered."""
    error = aiosmtplib.errors.SMTPDataError(code, "?")

    assert type(outcome(error, Step.RECIPIENT)) is Retry
    assert type(outcome(error, Step.CONTENT)) is Ambiguous


def test_other_errors() -> None:
    """Whatever else breaks is certain only before the mail was offered."""
    for error in (RuntimeError("secret"), OSError("secret"), ssl.SSLError("secret"), TimeoutError(), OfferError()):
        assert type(outcome(error, Step.CONTENT)) is Ambiguous
        assert "secret" not in outcome(error, Step.CONNECT).reason
    assert type(outcome(ValueError("?"), Step.RECIPIENT)) is Permanent
    assert type(outcome(TokenError("no token", is_refused=False), Step.CONNECT)) is Retry
    refused = outcome(TokenError("no token", is_refused=True), Step.CONNECT)
    assert isinstance(refused, Permanent)
    assert refused.is_account
