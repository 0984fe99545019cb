from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from bot.domain.connectors import FetchesMedia, KnowsNames, MarksRead, Registering, ShowsTyping
from bot.domain.errors import MediaError, SettingsError
from bot.domain.messages import InboundMessage
from connectors.line.connector import LineSettings, signature
from simulator.line import Fault
from tests.connectors.line.bench import JANE, PICTURE, Bench, bench
from tests.connectors.telegram.bench import door


def test_public_vector_of_the_signature() -> None:
    """The signature is that of LINE's own libraries for the same secret and body."""
    assert signature(b"bodybodybodybody", b"channel_secret") == b"/gg9a+LvFevTH1sd7XCQycD7tsWclCsInj7MhBHxN7k="


def test_powers(stand: Bench) -> None:
    """The connector has every power that LINE has, and says that answers need what messages bring."""
    powers = (FetchesMedia, KnowsNames, MarksRead, Registering, ShowsTyping)

    assert all(isinstance(stand.connector, power) for power in powers)
    assert stand.connector.capabilities.has_reply_context
    assert not stand.connector.capabilities.is_send_idempotent


# --------------------------------------------------------------------------------------------------- signs and files


async def test_signs(stand: Bench) -> None:
    """Customers see that their message was read and that an answer is being written."""
    heard = stand.hears("hello")
    await stand.connector.mark_read(heard)
    await stand.connector.show_typing(heard.address)

    assert stand.jane.signs == [f"read {heard.reply_context['read_token']}", "typing"]


async def test_signs_fail_in_silence(stand: Bench) -> None:
    """Signs are decoration: that the chat is off, or nobody answers, is nobody's trouble."""
    stand.line.has_chat = False
    heard = stand.hears("hello")
    await stand.connector.mark_read(heard)
    await stand.connector.mark_read(replace(heard, reply_context={}))
    stand.line.fail(Fault(call="start", cut_after=0))
    await stand.connector.show_typing(heard.address)

    assert stand.jane.signs == []


async def test_names(stand: Bench) -> None:
    """LINE tells what friends are called, and nothing of others."""
    address = stand.hears("hello").address
    assert await stand.connector.name_of(address) == "Haruka"
    stand.line.fail(Fault(call=JANE, status=200, body=b'{"displayName": 7}'))
    assert await stand.connector.name_of(address) is None
    stand.jane.has_blocked = True
    assert await stand.connector.name_of(address) is None


@pytest.mark.parametrize("kind", ["image", "video", "audio", "file"])
async def test_files_come_in(stand: Bench, kind: str) -> None:
    """What a customer sends is fetched byte for byte, once LINE has prepared it."""
    content = bytes(range(256)) * 100
    event = stand.line.sends_file(stand.jane, kind, content, unready=2)
    (heard,) = stand.read(event)

    assert isinstance(heard, InboundMessage)
    assert await stand.connector.fetch(heard.attachments[0]) == content
    assert stand.pauses == [0.0, 1.0, 4.0]


@pytest.mark.parametrize(
    "fault",
    [
        Fault(call="content", status=404),
        Fault(call="content", status=410),
        Fault(call="content", status=401),
        Fault(call="content", status=200, body=b"x" * 25_000_001),
    ],
)
async def test_files_that_cannot_be_had(stand: Bench, fault: Fault) -> None:
    """A file that is gone, refused or too large is given up at once."""
    (heard,) = stand.read(stand.line.sends_file(stand.jane, "image", b"x"))
    stand.line.fail(fault)

    assert isinstance(heard, InboundMessage)
    with pytest.raises(MediaError):
        await stand.connector.fetch(heard.attachments[0])
    assert stand.pauses == [0.0]


async def test_files_that_cannot_be_had_now(stand: Bench) -> None:
    """A file that LINE does not hand out is asked for three times."""
    (heard,) = stand.read(stand.line.sends_file(stand.jane, "image", b"x", unready=5))

    assert isinstance(heard, InboundMessage)
    with pytest.raises(MediaError, match="now"):
        await stand.connector.fetch(heard.attachments[0])
    assert len(stand.pauses) == 3


@pytest.mark.parametrize("reference", ["", "../../v2/bot/info", "https://example.com/x", "1/2"])
async def test_no_file_of_lines(stand: Bench, reference: str) -> None:
    """Nothing but a message's number is ever asked for."""
    with pytest.raises(MediaError):
        await stand.connector.fetch(replace(PICTURE, reference=reference))


# --------------------------------------------------------------------------------------------------- the webhook


async def test_webhook_end_to_end(stand: Bench) -> None:
    """What LINE delivers is taken once it is kept, and comes again, under the same ids, until then."""
    async with door() as opened:
        opened.connector = stand.connector
        opened.outages += [503, 500]
        stand.line.webhook_url = opened.url
        assert await stand.server.deliver(stand.line.writes(stand.jane, "hello"), stand.line.writes(stand.jane, "?"))
        assert opened.statuses == [503, 500, 200]
        stand.line.channel_secret = "another"
        assert (await stand.server.deliver(stand.line.writes(stand.jane, "forged")))[0] == 403

    assert [getattr(event, "text", "") for event in opened.events] == ["hello", "?"]


async def test_register(stand: Bench) -> None:
    """The webhook is set, however often that takes; what LINE refuses is said."""
    stand.line.fail(
        Fault(call="endpoint", status=429, headers={"Retry-After": "9"}), Fault(call="endpoint", status=500)
    )
    await stand.connector.register()
    assert stand.line.webhook_url == "https://care.example.com/webhooks/line/2001234567"
    assert stand.pauses == [9.0, 2.0]

    stand.line.token = "another"
    with pytest.raises(SettingsError, match="access token"):
        await stand.connector.register()


async def test_check(stand: Bench) -> None:
    """One line says who we are, that the webhook works, and how much of the month is used."""
    stand.line.quota, stand.line.used = 200, 37
    async with door() as opened:
        opened.connector = stand.connector
        stand.connector._webhook_url = stand.line.webhook_url = opened.url
        said = await stand.connector.check()
        stand.line.quota = None
        assert "37 messages of this month" in await stand.connector.check()

    assert said == f"Copperleaf (@216ru, 2001234567), webhook {opened.url} works, 37 of 200 messages of this month sent"


async def test_check_says_what_to_fix(stand: Bench) -> None:
    """A webhook that is elsewhere, off or unreachable, a token and a network that fail are each named."""
    with pytest.raises(SettingsError, match="no webhook"):
        await stand.connector.check()
    stand.line.webhook_url = "https://elsewhere.example.com/"
    with pytest.raises(SettingsError, match="instead of"):
        await stand.connector.check()
    stand.connector._webhook_url = stand.line.webhook_url = "http://127.0.0.1:1/webhooks/line/1"
    with pytest.raises(SettingsError, match="COULD_NOT_CONNECT"):
        await stand.connector.check()
    stand.line.is_webhook_on = False
    with pytest.raises(SettingsError, match="Use webhook"):
        await stand.connector.check()
    stand.line.fail(Fault(call="info", status=200, body=b'{"displayName": 1}'))
    with pytest.raises(SettingsError, match="something else"):
        await stand.connector.check()
    stand.line.fail(Fault(call="info", status=503))
    with pytest.raises(SettingsError, match="network"):
        await stand.connector.check()
    stand.line.token = "another"
    with pytest.raises(SettingsError, match="access token"):
        await stand.connector.check()


# --------------------------------------------------------------------------------------------------- settings


async def test_invitations() -> None:
    """A link opens the chat with the token written already, where the account says what it is looked up by."""
    async with bench(basic_id="@216ruabc") as stand:
        link = stand.connector.invitation_url("join-abc")
        assert link == "https://line.me/R/oaMessage/%40216ruabc/?join-abc"
    async with bench() as stand:
        assert stand.connector.invitation_url("join-abc") is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"basic_id": "216ruabc"},
        {"channel_id": "@216ru"},
        {"channel_secret": SecretStr("sécret")},
        {"token": SecretStr("to ken")},
    ],
)
def test_settings_that_cannot_be(wrong: dict[str, Any]) -> None:
    """What LINE never gives out is refused at the start, without repeating a secret."""
    good: dict[str, Any] = {"token": SecretStr("t"), "channel_secret": SecretStr("s"), "channel_id": "1"}
    with pytest.raises(ValidationError) as caught:
        LineSettings(**(good | wrong))
    assert "sécret" not in str(caught.value)


def test_settings_have_to_be_whole() -> None:
    """Half an account says what is missing, and where to read about it."""
    with pytest.raises(ValidationError, match=r"line.channel_secret and line.channel_id .*connect-line"):
        LineSettings(token=SecretStr("t"))
