from __future__ import annotations

import asyncio
import imaplib
import ssl
import threading
from datetime import timedelta
from typing import Any

import imapclient.exceptions
import pytest
from aiohttp import web

from bot.domain.connectors import Permanent
from bot.domain.errors import SettingsError
from bot.domain.messages import InboundMessage, Unsupported
from connectors.email.connector import EmailConnector
from connectors.email.imap import is_refusal, plain_words
from connectors.email.login import Grant, Login, Security, Server, TokenError
from connectors.email.poll import Cursor
from tests.connectors.email.bench import ADDRESS, WatchedCursors, here, made, mail, polling, text
from tests.fakes.imap import FakeMailbox, running

#: Between looks, so that no test waits.
QUICK = timedelta(seconds=0.01)


class Pauses(list[float]):
    """Pauses that were asked for; hardly any is waited."""

    def __init__(self) -> None:
        super().__init__()
        self._news = asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        """Pause."""
        self.append(seconds)
        self._news.set()
        await asyncio.sleep(0.005)

    async def until(self, count: int) -> None:
        """Wait for so many pauses."""
        async with asyncio.timeout(15):
            while len(self) < count:
                self._news.clear()
                await self._news.wait()


def _connector(fake: FakeMailbox, cursors: WatchedCursors, pauses: Pauses, **more: Any) -> EmailConnector:
    return made(here(fake.port), here(1), cursors, sleep=pauses.sleep, looks_every=QUICK, **more)


@pytest.mark.parametrize("command", ["LOGIN", "EXAMINE", "SEARCH", "FETCH", "IDLE", "CAPABILITY"])
async def test_cut(command: str) -> None:
    """Wherever a connection ends, reading goes on with a new one, after a pause; nothing is lost or doubled."""
    cursors, pauses = WatchedCursors(), Pauses()
    fake = FakeMailbox(can_idle=True, cuts={command: 2})
    async with running(fake), polling(_connector(fake, cursors, pauses)) as inbox:
        await cursors.begun()
        if command == "IDLE":
            await pauses.until(2)
        for number in range(3):
            fake.deliver(mail(number, f"mail {number}"))
        await inbox.until(lambda: len(inbox.events) == 3)

    assert [event.text for event in inbox.events if isinstance(event, InboundMessage)] == ["mail 0", "mail 1", "mail 2"]
    assert set(pauses) <= {1.0, 2.0}
    assert len(pauses) == 2


async def test_no_idle_no_next() -> None:
    """A server that tells neither of new mail nor of the next UID is looked at every so often."""
    cursors, pauses = WatchedCursors(), Pauses()
    fake = FakeMailbox(tells_next=False, mails={4: mail(4)})
    async with running(fake), polling(_connector(fake, cursors, pauses)) as inbox:
        await pauses.until(2)
        fake.deliver(mail(5))
        await inbox.until(lambda: len(inbox.events) == 1)

    assert "STATUS" in fake.commands
    assert set(pauses) == {QUICK.total_seconds()}


async def test_mail_that_comes_during_a_search() -> None:
    """A mail that is announced behind the answer to a search, and never again, is read at once."""
    cursors, pauses = WatchedCursors(), Pauses()
    fake = FakeMailbox(can_idle=True, late=[mail(1)])
    async with running(fake), polling(_connector(fake, cursors, pauses)) as inbox:
        await inbox.until(lambda: len(inbox.events) == 1, within=5)

    assert pauses == []


async def test_mail_that_cannot_be_handed_out() -> None:
    """One mail that its server cannot hand out holds up no other."""
    cursors, pauses = WatchedCursors(), Pauses()
    fake = FakeMailbox(broken={2})
    async with running(fake), polling(_connector(fake, cursors, pauses)) as inbox:
        await cursors.begun()
        # All in one batch.
        fake.mails = {number: mail(number, f"mail {number}") for number in range(1, 4)}
        await inbox.until(lambda: len(inbox.events) == 3)

    assert [type(event) for event in inbox.events] == [InboundMessage, Unsupported, InboundMessage]


async def test_end_while_waiting() -> None:
    """Whoever stops polling waits for nobody: neither for news nor for a server that does not answer."""
    for fake in (FakeMailbox(can_idle=True), FakeMailbox(hangs={"SEARCH"})):
        cursors = WatchedCursors()
        async with running(fake), asyncio.timeout(5), polling(_connector(fake, cursors, Pauses())):
            await cursors.begun()
            await asyncio.sleep(0.05)
        for thread in [each for each in threading.enumerate() if each.name.startswith("imap")]:
            await asyncio.to_thread(thread.join, 5)
            assert not thread.is_alive()


def test_cursor_survives_nonsense() -> None:
    """What is kept is read as it was written; anything else is a beginning."""
    kept = '{"validity": 17, "uid": 4, "at": "2026-11-23T10:00:00+00:00", "floor": ""}'

    assert str(Cursor.parse(kept)) == kept
    assert [Cursor.parse(each) for each in ("", "{}", "[]", '{"validity": 17, "uid": 4, "at": "x"}')] == [None] * 4


def test_every_error_of_the_library_has_words() -> None:
    """Whatever the library raises is told to the operator, without the server's own words."""
    found = [
        each for each in vars(imapclient.exceptions).values() if isinstance(each, type) and issubclass(each, Exception)
    ]
    errors = [each("secret") for each in (*found, imaplib.IMAP4.error, imaplib.IMAP4.abort, imaplib.IMAP4.readonly)]
    errors += [
        OSError("secret"),
        TimeoutError("secret"),
        ssl.SSLError("secret"),
        UnicodeDecodeError("utf-8", b"", 0, 1, "secret"),
    ]

    assert len(found) >= 8
    assert not [each for each in errors if "secret" in plain_words(each, here(1)) or not plain_words(each, here(1))]


def test_refusal() -> None:
    """Only a server that says so refuses a password; one that is busy or gone does not."""
    broken = imapclient.exceptions.LoginError("socket error: EOF")
    broken.__context__ = imapclient.exceptions.IMAPClientAbortError("EOF")
    busy = imapclient.exceptions.LoginError("[UNAVAILABLE] Temporary authentication failure.")
    refused = imapclient.exceptions.LoginError("[AUTHENTICATIONFAILED] Authentication failed.")

    assert [is_refusal(each) for each in (broken, busy, refused, OSError())] == [False, False, True, False]


# -------------------------------------------------------------------------------------------------------------- tokens


class Provider:
    """Where tokens come from: another one each time, unless it says no."""

    def __init__(self) -> None:
        self.forms: list[dict[str, str]] = []
        self.answer: tuple[int, object] | None = None
        self.url = ""

    async def give(self, request: web.Request) -> web.Response:
        """Give a token."""
        form = await request.post()
        self.forms.append({name: str(value) for name, value in form.items()})
        status, told = self.answer or (200, {"access_token": f"token {len(self.forms)}", "expires_in": 3600})
        return web.json_response(told, status=status)


@pytest.fixture
async def provider() -> Any:
    """A provider on a loopback port."""
    made_up = Provider()
    app = web.Application()
    app.router.add_post("/token", made_up.give)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made_up.url = f"http://127.0.0.1:{runner.addresses[0][1]}/token"
    yield made_up
    await runner.cleanup()


def _login(url: str) -> Login:
    grant = Grant(token_url=url, client_id="client", client_secret="shh", refresh_token="refresh-secret")
    return Login(ADDRESS, grant=grant)


async def test_tokens_are_renewed(provider: Provider) -> None:
    """A token is used until it is about to end or was refused, and then another is fetched."""
    login, now = _login(provider.url), 0.0
    login._clock = lambda: now
    tokens = [await login.token(), await login.token()]
    now = 3500.0
    tokens.append(await login.token())
    login.forget_token()
    tokens.append(await login.token())
    await login.close()

    assert tokens == ["token 1", "token 1", "token 2", "token 3"]
    assert provider.forms[0] == {
        "grant_type": "refresh_token",
        "client_id": "client",
        "client_secret": "shh",
        "refresh_token": "refresh-secret",
    }


async def test_no_token(provider: Provider) -> None:
    """A provider that refuses is the account's trouble; one that is away or talks nonsense is asked again."""
    for answer, is_refused in (((400, {"error": "invalid_grant"}), True), ((500, {}), False), ((200, []), False)):
        provider.answer = answer
        login = _login(provider.url)
        with pytest.raises(TokenError) as caught:
            await login.token()
        assert caught.value.is_refused is is_refused
        assert "refresh-secret" not in str(caught.value)
        await login.close()
    provider.answer = (400, {"error": "invalid_grant"})
    connector = made(here(1), here(1), login=_login(provider.url))
    result = await connector.send(text(), "key")
    assert isinstance(result, Permanent)
    assert result.is_account
    await connector.close()
    away = _login("http://127.0.0.1:1/token")
    with pytest.raises(TokenError):
        await away.token()
    await away.close()


# ------------------------------------------------------------------------------------------------------------ settings


def test_what_cannot_be() -> None:
    """Settings that contradict themselves, or would send a password in the clear, are refused with what to do."""
    with pytest.raises(SettingsError, match="without TLS"):
        Server(host="imap.example.com", port=143, security=Security.NONE)
    with pytest.raises(SettingsError, match="mail server is missing"):
        Server(host="", port=1)
    with pytest.raises(SettingsError, match="one of password, token"):
        Login(ADDRESS)
    with pytest.raises(SettingsError, match="one of password, token"):
        Login(ADDRESS, password="a", token="b")
    with pytest.raises(SettingsError, match="token_url"):
        Grant(token_url="http://provider.example/token", client_id="a", refresh_token="b")
    with pytest.raises(SettingsError, match="saves_sent"):
        made(here(1), here(1), saves_sent=True)
