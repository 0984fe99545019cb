from __future__ import annotations

import time
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.channels import AccountId
from bot.domain.messages import InboundMessage, Receipt, Unsupported
from connectors.email.events import Ourselves, Placed, content_of, read_placed
from connectors.email.mime import read_mail
from connectors.email.quotes import LEFT_OUT, news_of
from connectors.email.senders import normal_address
from connectors.markup import text_of

US = Ourselves(
    addresses=frozenset({"support@copperleaf.example"}),
    account=AccountId("support@copperleaf.example"),
    authserv_id="mx.copperleaf.example",
)
#: What is built to exhaust whoever reads it: seconds at most, whatever comes.
BOMBS: dict[str, bytes] = {
    "multiparts": b"Content-Type: multipart/mixed; boundary=a0\n\n"
    + b"".join(b"--a%d\nContent-Type: multipart/mixed; boundary=a%d\n\n" % (n, n + 1) for n in range(3_000)),
    "mails in mails": b"Content-Type: message/rfc822\n\n" * 20_000,
    "lines": b"Subject: x\n\n" + b"\n" * 690_000,
    "headers": b"".join(b"X-%d: y\n" % n for n in range(200_000)),
    "quotations": b"Subject: x\n\n" + b"> a\n" * 690_000,
    "attributions": b"Subject: x\n\n" + b"On Mon 3, wrote:\n" * 300_000,
    "fields": b"Subject: x\n\n" + b"From: a\nSent: b\n" * 200_000,
    "parameters": b"Content-Type: text/plain; x=" + b'";"' * 1_000_000 + b"\n\nhi",
    "words": b"Subject: " + b"=?utf-8?q?a?= " * 100_000 + b"\n\nhi",
    "parts": b"Content-Type: multipart/mixed; boundary=a\n\n" + b"--a\n\nx\n" * 50_000,
    "tags": b"Content-Type: text/html\n\n" + b"<div>" * 300_000,
    "tables": b"Content-Type: text/html\n\n" + b"<table><tr><td>" * 50_000,
    "entities": b"Content-Type: text/html\n\n" + b"&" * 900_000,
    "senders": b"From: " + b"<" * 9_000 + b"\n\nhi",
    "comments": b"From: a@b.example\nAuthentication-Results: mx.copperleaf.example " + b"(" * 9_000 + b"\n\nhi",
    "base64": b"Content-Transfer-Encoding: base64\n\n" + b"YWFh" * 3_000_000,
}


def _read(raw: bytes) -> object:
    return read_placed(Placed(is_sent=False, validity=1, uid=1, raw=raw), US)


@pytest.mark.no_cover
@pytest.mark.parametrize("name", BOMBS)
def test_bomb(name: str) -> None:
    """What is built to exhaust its reader is read, or said to be unreadable, within seconds."""
    started = time.process_time()
    event = _read(b"From: jane@example.com\n" + BOMBS[name] if name != "senders" else BOMBS[name])

    assert isinstance(event, InboundMessage | Unsupported)
    assert time.process_time() - started < 5


@given(raw=st.binary(max_size=400))
def test_any_bytes(raw: bytes) -> None:
    """Whatever bytes lie in a mailbox, they are read without an error, to something that can be stored."""
    for head in (
        b"",
        b"From: a@b.example\n",
        b"From: a@b.example\nContent-Type: text/html\n\n<p>",
        b"Subject: =?utf-8?b?",
    ):
        event = read_placed(Placed(is_sent=False, validity=1, uid=1, raw=head + raw), US)
        repr(event).encode()
        if isinstance(event, InboundMessage):
            event.text.encode()


LINE = st.sampled_from(
    [
        *("", "> old", ">> older", "-- ", "Jane", "On Mon, 3 Nov 2026 at 10:00 Copperleaf <a@b.c> wrote:", "wrote:"),
        *(
            "-----Original Message-----",
            "From: Jane <a@b.c>",
            "Sent: Monday",
            "To: us",
            "Subject: tea",
            "________________",
        ),
        *("Sent from my iPhone", "Where is my order CL-104233?", "Von: Jane", "Yes please."),
    ]
)


@given(lines=st.lists(LINE, max_size=14))
def test_cutting_invents_nothing(lines: list[str]) -> None:
    """What is left of a mail are lines of it in their order, and never nothing where there was something."""
    news = news_of("\n".join(lines))
    rest = iter(lines)

    assert all(
        any(each.rstrip() == line.rstrip() for line in rest)
        for each in news.text.split("\n")
        if each not in {"", LEFT_OUT}
    )
    assert bool(news.text) == any(line.strip() for line in lines)
    assert news.is_cut or LEFT_OUT not in news.text


@pytest.mark.parametrize(
    ("text", "new"),
    [
        ("I paid 5 > 3 pounds", "I paid 5 > 3 pounds"),
        ("Dear team:\nplease help", "Dear team:\nplease help"),
        ("From: Leeds\nto be exact", "From: Leeds\nto be exact"),
        ("On Monday she wrote:\nnothing", "On Monday she wrote:\nnothing"),
        ("好的\n\nJane <j@x.example> 于2026年11月3日 写道：\n> 旧", "好的"),
        ("Ja\n\nAm 03.11.2026 um 10:00 schrieb Copperleaf:\n\n> alt", "Ja"),
        ("Oui\n\nLe lun. 3 nov. 2026 à 10:00, Copperleaf <a@b.c> a\nécrit :\n\n> vieux", "Oui"),
        ("Hi\n\n-- \nJane Doe\nHead of Tea\n", "Hi"),
        ("a -- b\n--\nc" + "\nd" * 30, "a -- b\n--\nc" + "\nd" * 30),
        ("> all\n> quoted", "> all\n> quoted"),
        ("> Which?\n2", "2"),
        ("> Milk?\nyes\n> Sugar?\nno", f"yes\n{LEFT_OUT}\nno"),
    ],
)
def test_what_is_new(text: str, new: str) -> None:
    """Quotations and signatures go, whatever program and language wrote them; what only resembles them stays."""
    assert news_of(text).text == new


def test_whole_page() -> None:
    """A page is read as people see it: quotations marked as in plain mails, nothing that is hidden."""
    page = """<html><head><title>no</title><style>no</style></head><body><h1>Tea</h1>one&nbsp;<b>two</b>
      three<br>four<blockquote type="cite">old<blockquote type="cite">older</blockquote></blockquote>
      <p hidden>no</p><span style="DISPLAY: none">no</span><!-- no --><table><tr><td>a</td><td>b</td></tr></table>"""

    assert text_of(page) == "Tea\n\none two three\nfour\n> old\n>> older\n>\na b"


def test_depth() -> None:
    """Words that are nested deeper than any parser goes are read all the same."""
    assert text_of("<div>" * 5_000 + "deep words") == "deep words"


def test_plain_words_are_preferred() -> None:
    """Of alternatives the plain one is read where it says anything, and files of either are kept."""
    mail = EmailMessage()
    mail.set_content("plain")
    mail.add_alternative("<p>page</p>", subtype="html")
    mail.add_attachment(b"%PDF", "application", "pdf", filename="a.pdf")
    read = read_mail(mail.as_bytes())

    assert (read.text.strip(), [file.name for file in read.files]) == ("plain", ["a.pdf"])


def test_whole_mail_for_people() -> None:
    """What the bot is not shown, people can read: the file holds the mail with its quotations."""
    raw = b"From: jane@example.com\nContent-Type: text/html\n\nYes<blockquote type=cite>Really?</blockquote>"
    event = _read(raw)
    assert isinstance(event, InboundMessage)

    assert event.text == "Yes"
    assert content_of(raw, event.attachments[0].reference.rpartition(":")[2]) == b"Yes\n> Really?"


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ("Jane.Doe@Example.COM", "jane.doe@example.com"),
        ("jane+tea@example.com", "jane+tea@example.com"),
        ("jane@bücher.example", "jane@xn--bcher-kva.example"),
        ("jane@example.com.", "jane@example.com"),
        *(
            (nothing, None)
            for nothing in (
                "",
                "jane",
                "@example.com",
                "jane@",
                "a b@c.d",
                "a@b@c",
                "<a@b.c>",
                "a@" + "b" * 300,
                "a@b..c",
            )
        ),
    ],
)
def test_normal_address(written: str, normal: str | None) -> None:
    """One mailbox has one name, however its address is typed; what is none has none."""
    assert normal_address(written) == normal


PASSED = "mx.copperleaf.example; dmarc=pass header.from=example.com"


@pytest.mark.parametrize(
    ("headers", "who"),
    [
        ({"From": "Jane <jane@example.com>", "Authentication-Results": PASSED}, "jane@example.com"),
        ({"From": "Jane <jane@example.com>"}, "unproved:jane@example.com"),
        ({"From": "jane@example.com, max@example.com", "Authentication-Results": PASSED}, "unproved:jane@example.com"),
        ({"From": "jane@example.com)max@evil.example", "Authentication-Results": PASSED}, "unproved:jane@example.com"),
        (
            {"From": "max@example.com", "Reply-To": "jane@example.com", "Authentication-Results": PASSED},
            "unproved:jane@example.com",
        ),
        (
            {
                "From": "jane@example.com",
                "Authentication-Results": "mx.copperleaf.example; spf=pass smtp.mailfrom=x@evil.example",
            },
            "unproved:jane@example.com",
        ),
        (
            {
                "From": "jane@example.com",
                "Authentication-Results": "mx.copperleaf.example 1; spf=pass smtp.mailfrom=x@example.com",
            },
            "jane@example.com",
        ),
        (
            {
                "From": "jane@example.com",
                "Authentication-Results": "mx.copperleaf.example; (dmarc=pass) dmarc=fail; spf=pass",
            },
            "unproved:jane@example.com",
        ),
    ],
)
def test_who_speaks(headers: dict[str, str], who: str) -> None:
    """Nobody speaks in a conversation by writing its address: what our server did not prove is one of its own."""
    event = _read("".join(f"{name}: {value}\n" for name, value in headers.items()).encode() + b"\nhi")

    assert isinstance(event, InboundMessage)
    assert event.address.external_id == who
    assert ("not proved" in (event.display_name or "")) == who.startswith("unproved")


def test_same_name_of_two_mails() -> None:
    """Two mails of one Message-ID are two messages, so nobody can make us drop another's; a copy is the same."""
    one, other = (
        _read(b"From: %b\nDate: Mon, 23 Nov 2026 10:00:00 +0000\nMessage-ID: <a@b>\n\nhi" % sender)
        for sender in (b"jane@example.com", b"max@example.com")
    )
    copy = _read(
        b"Received: by a\nFrom: jane@example.com\nDate: Mon, 23 Nov 2026 10:00:00 +0000\nMessage-ID: <a@b>\n\nhi"
    )
    assert isinstance(one, InboundMessage)
    assert isinstance(other, InboundMessage)
    assert isinstance(copy, InboundMessage)

    assert one.external_id != other.external_id
    assert one.external_id == copy.external_id


def test_long_exchange() -> None:
    """Of a long exchange the first mail and the last ones are named, in as much as a header holds."""
    names = [f"<{number:040d}@example.com>" for number in range(200)]
    event = _read(f"From: a@b.example\nSubject: x\nMessage-ID: <z@b>\nReferences: {' '.join(names)}\n\nhi".encode())
    assert isinstance(event, InboundMessage)
    kept = event.reply_context["references"].split()

    assert len(event.reply_context["references"]) <= 900
    assert (kept[0], kept[-1]) == (names[0], names[-1])


def test_forged_bounce() -> None:
    """A bounce of a mail that we did not send means nothing."""
    forged = b"Return-Path: <>\nFrom: mailer-daemon@x.example\n\nMessage-ID: <tandem.AAAA@evil.example>\n"

    event = _read(forged)
    assert isinstance(event, Unsupported) or (isinstance(event, Receipt) and not event.of_key)
