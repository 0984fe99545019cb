from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from datetime import timedelta
from email.message import EmailMessage
from typing import Any
from uuid import uuid4

import pytest

from bot.domain.connectors import Sent
from bot.domain.errors import MediaError, SettingsError
from bot.domain.messages import Attachment, Echo, InboundMessage, Receipt, ReceiptKind, Unsupported
from connectors.email.login import Login, Security, Server
from connectors.email.names import message_id_of
from tests.connectors.email.bench import (
    ADDRESS,
    JANE,
    Inbox,
    WatchedCursors,
    here,
    made,
    mail,
    polling,
    post_office,
    text,
)
from tests.peers.dovecot import PASSWORD, Dovecot, running

SENT: dict[str, Any] = {"sent_folder": "Sent", "saves_sent": True, "looks_every": timedelta(seconds=0.3)}
KEY = "3f2a9c0d1e4b5a697887766554433221:0:0"


@pytest.fixture(scope="module")
def dovecot() -> Iterator[Dovecot]:
    """A mail server of others', with a mailbox for every name."""
    with running() as server:
        yield server


@pytest.fixture
def user() -> str:
    """A mailbox that nobody has used yet."""
    return uuid4().hex


def _texts(inbox: Inbox) -> list[str]:
    return [event.text for event in inbox.events if isinstance(event, InboundMessage)]


async def test_arrives_at_once(dovecot: Dovecot, user: str) -> None:
    """What comes after the start is read while it waits, in order and unchanged; what lay there before is people's."""
    dovecot.deliver(user, mail(1, "old"))
    cursors = WatchedCursors()
    async with polling(made(here(dovecot.port), here(1), cursors, user=user)) as inbox:
        await cursors.begun()
        for number, words in enumerate(("first", "second"), 2):
            dovecot.deliver(user, mail(number, words))
        await inbox.until(lambda: len(inbox.events) == 2)

    assert _texts(inbox) == ["first", "second"]
    with dovecot.client(user) as client:
        client.select("INBOX", readonly=True)
        assert client.search(None, "UNSEEN")[1] == [b"1 2 3"]


async def test_goes_on_where_it_ended(dovecot: Dovecot, user: str) -> None:
    """A restart misses nothing that came meanwhile and takes nothing twice."""
    cursors = WatchedCursors()
    connector = made(here(dovecot.port), here(1), cursors, user=user)
    async with polling(connector) as before:
        await cursors.begun()
        dovecot.deliver(user, mail(1, "first"))
        await before.until(lambda: len(before.events) == 1)
        await cursors.until(lambda: '"uid": 1' in str(cursors.kept))
    dovecot.deliver(user, mail(2, "second"))
    async with polling(connector) as after:
        await after.until(lambda: len(after.events) == 1)

    assert (_texts(before), _texts(after)) == (["first"], ["second"])


async def test_database_away(dovecot: Dovecot, user: str) -> None:
    """What could not be made durable comes again, the same with the same id."""
    cursors, pauses = WatchedCursors(), []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    async with polling(made(here(dovecot.port), here(1), cursors, user=user, sleep=sleep)) as inbox:
        await cursors.begun()
        inbox.outages = 3
        dovecot.deliver(user, mail(1, "first"))
        await inbox.until(lambda: len(inbox.events) == 1)

    assert _texts(inbox) == ["first"]
    assert pauses == [1.0, 2.0, 4.0]


async def test_all_uids_anew(dovecot: Dovecot, user: str) -> None:
    """Where a server gives all mails new numbers, what was read comes again with its old id, and nothing is missed."""
    cursors = WatchedCursors()
    connector = made(here(dovecot.port), here(1), cursors, user=user)
    async with polling(connector) as before:
        await cursors.begun()
        dovecot.deliver(user, mail(1, "first"))
        await before.until(lambda: len(before.events) == 1)
        await cursors.until(lambda: '"uid": 1' in str(cursors.kept))
    with dovecot.client(user) as client:
        client.append("INBOX", "", '"01-Jan-2020 00:00:00 +0000"', mail(2, "of long ago"))
    dovecot.deliver(user, mail(3, "second"))
    dovecot.renumber(user)
    async with polling(connector) as after:
        await after.until(lambda: len(after.events) == 2)

    assert sorted(_texts(after)) == ["first", "second"]
    assert before.events[0].external_id in {event.external_id for event in after.events}


async def test_many(dovecot: Dovecot, user: str) -> None:
    """A heap of mails is read in several batches, each durable before the next."""
    cursors = WatchedCursors()
    connector = made(here(dovecot.port), here(1), cursors, user=user)
    async with polling(connector) as inbox:
        await cursors.begun()
    with dovecot.client(user) as client:
        for number in range(45):
            client.append("INBOX", "", "", mail(number, f"mail {number}"))
    async with polling(connector) as inbox:
        await inbox.until(lambda: len(inbox.events) == 45)

    assert _texts(inbox) == [f"mail {number}" for number in range(45)]
    assert [len(batch) for batch in inbox.batches] == [20, 20, 5]


async def test_flag(dovecot: Dovecot, user: str) -> None:
    """Where it is wished, a mail that is durable is marked, and no other."""
    cursors = WatchedCursors()
    async with polling(made(here(dovecot.port), here(1), cursors, user=user, flag="\\Seen")) as inbox:
        await cursors.begun()
        dovecot.deliver(user, mail(1))
        await inbox.until(lambda: len(inbox.events) == 1)
        dovecot.deliver(user, mail(2))
        await inbox.until(lambda: len(inbox.events) == 2)
    with dovecot.client(user) as client:
        client.select("INBOX", readonly=True)
        assert client.search(None, "SEEN")[1][0].startswith(b"1")


async def test_sent_folder(dovecot: Dovecot, user: str) -> None:
    """A person's answer from their own mail program is theirs; our own mail there proves that it has left."""
    cursors = WatchedCursors()
    dovecot.deliver(user, mail(0), "Sent")
    async with post_office() as office:
        connector = made(here(dovecot.port), here(office.port), cursors, user=user, **SENT)
        async with polling(connector) as inbox:
            await cursors.begun(2)
            answer = mail(9, "I have found it.", From=f"Sam <{ADDRESS}>", To=JANE, In_Reply_To="<m1@example.com>")
            dovecot.deliver(user, answer, "Sent")
            assert isinstance(await connector.send(text(), KEY), Sent)
            await inbox.until(lambda: len(inbox.events) == 2)
    echo, receipt = sorted(inbox.events, key=lambda each: type(each).__name__)

    assert isinstance(echo, Echo)
    assert (echo.text, echo.author_name, echo.address.external_id) == ("I have found it.", "Sam", JANE)
    assert isinstance(receipt, Receipt)
    assert (receipt.kind, receipt.of_key) == (ReceiptKind.SENT, KEY)
    assert receipt.of_external_id == message_id_of(KEY, "copperleaf.example")


async def test_file(dovecot: Dovecot, user: str) -> None:
    """A file in a mail, and the whole of a mail that was shortened, can be fetched; what is gone is said to be."""
    cursors = WatchedCursors()
    connector = made(here(dovecot.port), here(1), cursors, user=user)
    async with polling(connector) as inbox:
        await cursors.begun()
        dovecot.deliver(user, mail(1, "See it.\n\n> What?\n"))
        dovecot.deliver(user, _with_file())
        await inbox.until(lambda: len(inbox.events) == 2)
    shortened, filed = inbox.events
    assert isinstance(shortened, InboundMessage)
    assert isinstance(filed, InboundMessage)

    assert b"> What?" in await connector.fetch(shortened.attachments[0])
    assert await connector.fetch(filed.attachments[0]) == bytes(range(256))
    for reference in ("inbox:1:1:0", "inbox:x:1:0", "", "sent:1:1:0", filed.attachments[0].reference[:-1] + "7"):
        with pytest.raises(MediaError):
            await connector.fetch(Attachment(kind=filed.attachments[0].kind, reference=reference))
    with dovecot.client(user) as client:
        client.select("INBOX")
        client.store("1:*", "+FLAGS", "\\Deleted")
        client.expunge()
    with pytest.raises(MediaError, match="no longer"):
        await connector.fetch(filed.attachments[0])


def _with_file() -> bytes:
    written = EmailMessage()
    written["From"], written["Message-ID"], written["Subject"] = JANE, "<f@example.com>", "Re: file"
    written.set_content("here")
    written.add_attachment(bytes(range(256)), "application", "octet-stream", filename="bytes.bin")
    return written.as_bytes()


async def test_hostile(dovecot: Dovecot, user: str) -> None:
    """What is built to break its reader is a message that says so, and the next mail is read."""
    bomb = mail(1).replace(
        b"\n\n",
        b"\nContent-Type: multipart/mixed; boundary=b\n\n"
        + b"--b\nContent-Type: multipart/mixed; boundary=b\n\n" * 500,
        1,
    )
    cursors = WatchedCursors()
    async with polling(made(here(dovecot.port), here(1), cursors, user=user)) as inbox:
        await cursors.begun()
        for raw in (bomb, b"\n\n", b"From: x\n\n\x00\xff", mail(2, "after")):
            dovecot.deliver(user, raw)
        await inbox.until(lambda: len(inbox.events) == 4)

    assert _texts(inbox)[-1] == "after"
    assert [type(each) for each in inbox.events[1:3]] == [Unsupported, Unsupported]


# ------------------------------------------------------------------------------------------------------------- account


async def test_check(dovecot: Dovecot, user: str) -> None:
    """The doctor's line says what is read and how, and that sending works."""
    async with post_office() as office:
        connector = made(here(dovecot.port), here(office.port), user=user)
        assert await connector.check() == (
            f"{ADDRESS}, INBOX (0 mails) is read at once, 127.0.0.1 lets us send, nobody proves (email.authserv_id) "
            "who writes"
        )
        await connector.close()


async def test_check_finds_what_is_wrong(dovecot: Dovecot, user: str, caplog: pytest.LogCaptureFixture) -> None:
    """A wrong password, a missing folder, a server that is away: each is named, and no secret with it."""
    caplog.set_level(logging.DEBUG)
    wrong = Login(user, password="wrong-secret")
    async with post_office() as office:
        office.password = "another"
        cases = {
            "refuses the user name": made(here(dovecot.port), here(1), login=wrong),
            "has no folder Archive": made(here(dovecot.port), here(1), user=user, folder="Archive"),
            "no connection to 127.0.0.1:1": made(here(1), here(1), user=user),
            "mail cannot be sent over 127.0.0.1:1: no connection": made(here(dovecot.port), here(1), user=user),
            "refuses our password": made(here(dovecot.port), here(office.port), user=user),
        }
        for words, connector in cases.items():
            with pytest.raises(SettingsError, match=words):
                await connector.check()
    assert not [secret for secret in ("wrong-secret", PASSWORD) if secret in caplog.text]


async def test_token(dovecot: Dovecot, user: str) -> None:
    """A token opens the mailbox as a password does."""
    cursors = WatchedCursors()
    connector = made(here(dovecot.port), here(1), cursors, login=Login(user, token=PASSWORD))
    async with polling(connector) as inbox:
        await cursors.begun()
        dovecot.deliver(user, mail(1))
        await inbox.until(lambda: len(inbox.events) == 1)


@pytest.mark.parametrize("security", [Security.TLS, Security.STARTTLS])
async def test_tls(dovecot: Dovecot, user: str, security: Security) -> None:
    """A certificate is checked, and its name: an unknown one gives no password away."""
    if dovecot.ca_file is None:
        pytest.skip("openssl is not installed")
    port = dovecot.tls_port if security is Security.TLS else dovecot.port
    trusted = Server(host="localhost", port=port, security=security, ca_file=dovecot.ca_file)
    cursors = WatchedCursors()
    async with polling(made(trusted, here(1), cursors, user=user)):
        await cursors.begun()
    for server in (
        here(port, security, ca_file=dovecot.ca_file),
        Server(host="localhost", port=port, security=security),
    ):
        with pytest.raises(SettingsError, match="certificate"):
            await made(server, here(1), user=user).check()


async def test_refused_password_is_tried_seldom(dovecot: Dovecot, user: str) -> None:
    """A refused password is not tried again at once: providers lock out who does that."""
    pauses: list[float] = []
    enough = asyncio.Event()

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        enough.set()
        await asyncio.Event().wait()

    cursors = WatchedCursors()
    connector = made(here(dovecot.port), here(1), cursors, login=Login(user, password="wrong"), sleep=sleep)
    async with polling(connector), asyncio.timeout(15):
        await enough.wait()

    assert pauses == [300.0]
