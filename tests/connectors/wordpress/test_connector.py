"""The connector against a real WordPress; only what no real one can be made to do is played by a script."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import web
from pydantic import SecretStr, ValidationError

from bot.domain.connectors import Ambiguous, Permanent, Retry, SendAttachment, SendText, Sent
from bot.domain.errors import SettingsError
from bot.domain.messages import (
    Attachment,
    AttachmentKind,
    Author,
    Echo,
    InboundEvent,
    InboundMessage,
    OutboundMessage,
)
from connectors.wordpress.connector import WordPressConnector, WordPressSettings
from tests.fakes.cursors import MemoryCursors
from tests.peers.wordpress import WordPress, running


@pytest.fixture(scope="module")
def site() -> Iterator[WordPress]:
    """A running site, for all tests of this module: each uses comments of its own."""
    with running() as made:
        yield made


class Reader:
    """Our connector, which looks when it is told to."""

    def __init__(self, site: WordPress, cursors: MemoryCursors | None = None, user: str = "editor") -> None:
        self.cursors = cursors or MemoryCursors()
        settings = WordPressSettings(url=site.url, user=user, password=SecretStr(site.passwords[user]))
        self.connector = WordPressConnector(settings, self.cursors, sleep=self._sleep)
        self.events: list[InboundEvent] = []
        self._woken, self._asleep = asyncio.Event(), asyncio.Event()
        self._polling: asyncio.Task[None] | None = None

    async def look(self) -> list[InboundEvent]:
        """Look once; return what came new."""
        before = len(self.events)
        self._asleep.clear()
        if self._polling is None:
            self._polling = asyncio.create_task(self.connector.poll(self._sink))
        self._woken.set()
        await asyncio.wait_for(self._asleep.wait(), 30)
        return self.events[before:]

    async def _sleep(self, _: float) -> None:
        self._woken.clear()
        self._asleep.set()
        await self._woken.wait()

    async def _sink(self, events: list[InboundEvent]) -> None:
        self.events += events

    async def close(self) -> None:
        """End the poller."""
        if self._polling is not None:
            self._polling.cancel()
            await asyncio.gather(self._polling, return_exceptions=True)
        await self.connector.close()


@pytest.fixture
async def reader(site: WordPress) -> AsyncIterator[Reader]:
    """A connector that has looked once, so that what follows is new."""
    made = Reader(site)
    await made.look()
    yield made
    await made.close()


def answer_to(event: InboundEvent, text: str, connector: WordPressConnector) -> SendText:
    """Return the call that answers a comment."""
    assert isinstance(event, InboundMessage)
    message = OutboundMessage(author=Author.BOT, text=text, reply_context=event.reply_context)
    planned = connector.plan(message, event.address)
    assert isinstance(planned, tuple)
    (operation,) = planned
    assert isinstance(operation, SendText)
    return operation


def words(events: list[InboundEvent]) -> list[str]:
    """Return what was written."""
    return [event.text for event in events if isinstance(event, InboundMessage | Echo)]


async def test_a_comment_is_read_and_answered(site: WordPress, reader: Reader) -> None:
    """A reader's comment comes once, and the answer stands below it as it was written, mark-up and all."""
    number = site.comment("Jane", "Is it <b>vegan</b> & fair?")
    (event,) = await reader.look()
    assert isinstance(event, InboundMessage)
    assert (event.text, event.display_name, event.is_to_us) == ("Is it vegan & fair?", "Jane", True)
    assert await reader.look() == []

    text = "Yes, <both> & more: 5 > 3\nSee you! ☕"
    assert isinstance(await reader.connector.send(answer_to(event, text, reader.connector), "k1"), Sent)
    assert [
        (author, said.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"))
        for author, said in site.shown(number)
    ] == [("editor", text)]


async def test_a_repeat_stands_there_once(site: WordPress, reader: Reader) -> None:
    """The same answer again is the same comment: the site refuses a double, and we find the first."""
    number = site.comment("Jane", "Do you ship to Wales?")
    (event,) = await reader.look()
    operation = answer_to(event, "We do!", reader.connector)
    first = await reader.connector.send(operation, "k1")
    again = await reader.connector.send(operation, "k1")

    assert isinstance(first, Sent)
    assert again == first
    assert len(site.shown(number)) == 1


async def test_answers_of_the_brand_are_echoes(site: WordPress, reader: Reader) -> None:
    """What we, or an editor in WordPress itself, answer is told to the conversation; the pipeline knows its own."""
    number = site.comment("Jane", "Which water?")
    (event,) = await reader.look()
    assert isinstance(event, InboundMessage)
    sent = await reader.connector.send(answer_to(event, "Soft water.", reader.connector), "k1")
    assert isinstance(sent, Sent)
    (echo,) = await reader.look()
    assert isinstance(echo, Echo)
    assert (echo.external_id, echo.address) == (sent.external_id, event.address)
    assert number


async def test_answers_are_changed_and_taken_back(site: WordPress, reader: Reader) -> None:
    """An answer can be mended, and moved to the trash; what is there already is gone."""
    number = site.comment("Jane", "Open on Sunday?")
    (event,) = await reader.look()
    sent = await reader.connector.send(answer_to(event, "Yes", reader.connector), "k1")
    assert isinstance(sent, Sent)
    changed = answer_to(event, "Yes, from ten", reader.connector)
    assert await reader.connector.edit(changed, sent.external_id, "k2") == sent
    assert site.shown(number) == [("editor", "Yes, from ten")]
    for key in "k3", "k4":
        assert await reader.connector.unsend(changed.address, sent.external_id, key) == sent
    assert site.shown(number) == []


async def test_held_comments_come_once_they_are_approved(site: WordPress, reader: Reader) -> None:
    """What waits for approval nobody reads, and nobody answers; approved it comes, however late."""
    number = site.comment("Jane", "First time here", is_approved=False)
    assert await reader.look() == []
    site.comment("Bob", "later")
    assert words(await reader.look()) == ["later"]
    site.php(f"wp_set_comment_status({number}, 'approve');")
    assert words(await reader.look()) == ["First time here"]


async def test_changed_comments_are_edits(site: WordPress, reader: Reader) -> None:
    """A comment that its author or an editor changed comes as an edit of the first."""
    number = site.comment("Jane", "Is it vegan")
    await reader.look()
    site.php(f"wp_update_comment(['comment_ID' => {number}, 'comment_content' => 'Is it vegan and nut free?']);")
    (edit,) = await reader.look()
    assert isinstance(edit, InboundMessage)
    assert (edit.edits, edit.text) == (str(number), "Is it vegan and nut free?")
    assert await reader.look() == []


async def test_readers_among_themselves(site: WordPress, reader: Reader) -> None:
    """Who answers another reader does not speak to us; who answers us does."""
    number = site.comment("Jane", "Which kettle?")
    (event,) = await reader.look()
    site.comment("Bob", "any will do", parent=number)
    (aside,) = await reader.look()
    assert isinstance(aside, InboundMessage)
    assert not aside.is_to_us
    sent = await reader.connector.send(answer_to(event, "The copper one", reader.connector), "k1")
    assert isinstance(sent, Sent)
    site.comment("Jane", "thanks, and how much?", parent=int(sent.external_id))
    *_, asked = await reader.look()
    assert isinstance(asked, InboundMessage)
    assert asked.is_to_us
    assert asked.address == event.address if isinstance(event, InboundMessage) else False


async def test_a_night_away(site: WordPress, reader: Reader) -> None:
    """Another process goes on where the last one was; what was there before us is left alone."""
    old = (datetime.now(UTC) - timedelta(days=300)).strftime("%Y-%m-%d %H:%M:%S")
    site.comment("Old", "From last year", date=old)
    site.comment("Jane", "At night")
    other = Reader(site, reader.cursors)
    came = words(await other.look())
    assert "At night" in came
    assert "From last year" not in came
    await other.close()


async def test_where_no_answer_can_stand(site: WordPress, reader: Reader) -> None:
    """A closed article and a comment that is gone are named in words for an agent."""
    site.comment("Jane", "Late question")
    (event,) = await reader.look()
    operation = answer_to(event, "An answer", reader.connector)
    site.php(f"wp_update_post(['ID' => {site.post}, 'comment_status' => 'closed']);")
    closed = await reader.connector.send(operation, "k1")
    site.php(f"wp_update_post(['ID' => {site.post}, 'comment_status' => 'open']);")
    gone = await reader.connector.edit(operation, "999999", "k2")

    # An editor may still answer below closed articles on some versions: both are certain.
    assert isinstance(closed, Permanent | Sent)
    assert isinstance(gone, Permanent)
    assert "no longer there" in gone.reason
    assert not gone.is_account


async def test_files_are_refused(site: WordPress, reader: Reader) -> None:
    """A file that was never planned is refused before any call."""
    site.comment("Jane", "Look")
    (event,) = await reader.look()
    attachment = Attachment(kind=AttachmentKind.IMAGE, name="tea.png")
    assert isinstance(event, InboundMessage)
    operation = SendAttachment(address=event.address, attachment=attachment)
    assert isinstance(await reader.connector.send(operation, "k1"), Permanent)


async def test_doctor(site: WordPress, reader: Reader) -> None:
    """The site's line says who we are; a writer, a wrong password and a dead site say what to do."""
    assert "as editor" in await reader.connector.check()
    writer = Reader(site, user="writer")
    with pytest.raises(SettingsError, match="make them an editor"):
        await writer.connector.check()
    await writer.close()
    for url, password, said in (
        (site.url, "wrong", "make a new one"),
        ("http://127.0.0.1:1", "x", "no connection"),
    ):
        made = WordPressConnector(
            WordPressSettings(url=url, user="editor", password=SecretStr(password)), MemoryCursors()
        )
        with pytest.raises(SettingsError, match=said):
            await made.check()
        await made.close()


# -------------------------------------------------------------------------------------------- what a script has to play


@asynccontextmanager
async def scripted(answer: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> AsyncIterator[WordPressConnector]:
    """Return a connector whose site answers every call with that."""
    app = web.Application()
    app.router.add_route("*", "/", answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    settings = WordPressSettings(
        url=f"http://127.0.0.1:{runner.addresses[0][1]}", user="editor", password=SecretStr("x")
    )
    connector = WordPressConnector(settings, MemoryCursors())
    try:
        yield connector
    finally:
        await connector.close()
        await runner.cleanup()


@pytest.mark.parametrize(
    ("status", "code", "headers", "outcome", "said"),
    [
        (429, "comment_flood", {"Retry-After": "15"}, Retry, "pause"),
        (429, "", {}, Retry, "pause"),
        (403, "rest_comment_closed", {}, Permanent, "closed"),
        (401, "", {}, Permanent, "application password"),
        (404, "rest_no_route", {}, Permanent, "switched off"),
        (418, "teapot", {}, Permanent, "refuses"),
        (500, "internal_server_error", {}, Ambiguous, "may be there"),
        (502, "", {}, Ambiguous, "may be there"),
        (302, "", {"Location": "https://elsewhere.example"}, Ambiguous, "may be there"),
    ],
)
async def test_refusals(status: int, code: str, headers: dict[str, str], outcome: type[Any], said: str) -> None:
    """Each refusal says what is certain, in words for an agent; a pause is kept as it was asked for."""

    async def refuse(_: web.Request) -> web.StreamResponse:
        return web.json_response({"code": code, "message": "No."}, status=status, headers=headers)

    async with scripted(refuse) as connector:
        address = connector.comments.read(
            b'{"comments": [{"id": 1, "post": 2, "author": 3, "content": {"raw": "x"},'
            b' "date_gmt": "2026-11-22T09:30:00"}]}'
        )
        result = await connector.send(answer_to(address[0], "Hello", connector), "k1")

    assert type(result) is outcome
    assert said in getattr(result, "reason", "")
    if isinstance(result, Permanent):
        assert result.is_account is (code == "rest_no_route" or status == 401)
    if isinstance(result, Retry):
        assert result.after == (timedelta(seconds=15) if headers else None)


@pytest.mark.parametrize(
    "wrong", [{"url": "http://blog.example.com"}, {"url": "blog"}, {"user": ""}, {"looks_every": 1}]
)
def test_settings_that_cannot_be(wrong: dict[str, object]) -> None:
    """An address without https, a missing user and a pause that no site forgives are named."""
    with pytest.raises(ValidationError):
        WordPressSettings.model_validate({"url": "https://blog.example.com", "user": "e", "password": "x"} | wrong)


def test_a_site_in_a_folder_is_an_account_of_its_own() -> None:
    """Two sites on one host are two accounts."""
    made = [
        WordPressSettings(url=url, user="e", password=SecretStr("x")).account
        for url in ("https://example.com/tea/", "https://example.com/coffee", "https://example.com:8443")
    ]
    assert made == ["example.com-tea", "example.com-coffee", "example.com-8443"]
