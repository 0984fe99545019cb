from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from bot.domain.connectors import (
    Acknowledging,
    Editing,
    FetchesMedia,
    Permanent,
    Polling,
    Registering,
    Sent,
    ShowsTyping,
    Unsending,
    WebhookRequest,
)
from bot.domain.errors import MediaError, SettingsError, WebhookRejectedError
from bot.domain.messages import AttachmentKind, Choice, InboundMessage
from connectors.discord.connector import DiscordSettings
from simulator.discord_values import Fault
from tests.connectors.discord.bench import Bench


def test_powers(stand: Bench) -> None:
    """Direct messages have every power that Discord has; channels are public and are not polled by themselves."""
    powers = (Acknowledging, Editing, FetchesMedia, Polling, Registering, ShowsTyping, Unsending)

    assert all(isinstance(stand.connector, power) for power in powers)
    assert stand.connector.capabilities.is_send_idempotent
    assert stand.public.capabilities.is_public
    assert stand.public.capabilities.has_reply_context
    assert not isinstance(stand.public, Polling)


def test_nobody_calls(stand: Bench) -> None:
    """Whoever calls a webhook of Discord's is refused."""
    for connector in (stand.connector, stand.public):
        with pytest.raises(WebhookRejectedError):
            connector.verify(WebhookRequest(method="POST", headers={}, query={}, body=b"{}"))


# ------------------------------------------------------------------------------------------------- changes, signs


async def test_edit_and_unsend(stand: Bench) -> None:
    """What we sent can be changed and taken back; a repeat of either is harmless."""
    sent = await stand.connector.send(stand.text("Your parcle", Choice(title="OK", payload="ok")), "k1")
    assert isinstance(sent, Sent)
    for _ in range(2):
        assert await stand.connector.edit(stand.text("Your parcel"), sent.external_id, "k2") == sent
    assert [(each["content"], each["components"]) for each in stand.jane.seen] == [("Your parcel", [])]

    for _ in range(2):
        assert await stand.connector.unsend(stand.address, sent.external_id, "k3") == sent
    assert stand.jane.seen == []
    gone = await stand.connector.edit(stand.text("Hello?"), sent.external_id, "k4")
    assert isinstance(gone, Permanent)
    assert "no longer there" in gone.reason


async def test_changes_of_others(stand: Bench) -> None:
    """What somebody else wrote cannot be changed or taken back."""
    theirs = stand.jane.writes("hello")["id"]

    assert isinstance(await stand.connector.edit(stand.text("bye"), theirs, "k1"), Permanent)
    assert isinstance(await stand.connector.unsend(stand.address, theirs, "k2"), Permanent)


async def test_typing(stand: Bench) -> None:
    """Customers see that an answer is being written; that it fails is nobody's trouble."""
    stand.discord.fail(Fault(call="POST typing", status=500))
    for _ in range(2):
        await stand.connector.show_typing(stand.address)

    assert stand.jane.direct.typing_count == 1


async def test_files_come_in(stand: Bench) -> None:
    """What a customer sends is fetched byte for byte; from elsewhere nothing is fetched."""
    async with stand.polling() as inbox:
        stand.jane.sends("box.png", bytes(range(256)), "image/png")
        await stand.discord.until(lambda: bool(inbox.events))
    (event,) = inbox.events
    assert isinstance(event, InboundMessage)
    (file,) = event.attachments

    assert (file.kind, file.name, file.size) == (AttachmentKind.IMAGE, "box.png", 256)
    stand.discord.fail(Fault(call="GET attachments", status=503))
    assert await stand.connector.fetch(file) == bytes(range(256))
    for elsewhere in ("https://example.com/x.png", "http://169.254.169.254/x", "https://cdn.discordapp.com.evil.com/x"):
        with pytest.raises(MediaError):
            await stand.connector.fetch(replace(file, reference=elsewhere))


# ------------------------------------------------------------------------------------------------- the account


async def test_check(stand: Bench) -> None:
    """One line says who the bot is, where it answers, and how often it may still connect."""
    assert await stand.connector.check() == (
        "Copperleaf (120000000000000001), direct messages, #support, 1000 of 1000 connections left today"
    )
    await stand.connector.register()


async def test_check_says_what_to_fix(stand: Bench) -> None:
    """What diverts taps, hides words or keeps the bot out is named; so are a token and a network that fail."""
    stand.discord.interactions_url = "https://elsewhere.example.com/interactions"
    for look in (stand.connector.check, stand.connector.register):
        with pytest.raises(SettingsError, match="Interactions Endpoint URL"):
            await look()
    stand.discord.interactions_url = None
    stand.discord.has_content_intent = False
    with pytest.raises(SettingsError, match="Message Content Intent"):
        await stand.connector.check()
    stand.discord.has_content_intent = True
    del stand.discord.places[stand.support.id]
    with pytest.raises(SettingsError, match="cannot see channel"):
        await stand.connector.check()
    stand.discord.application_id = "120000000000000002"
    with pytest.raises(SettingsError, match="application_id says"):
        await stand.connector.check()
    stand.discord.fail(Fault(call="GET @me", status=200, body=b'{"id": 7}'))
    with pytest.raises(SettingsError, match="something else"):
        await stand.connector.check()
    stand.discord.fail(Fault(call="GET @me", status=503), Fault(call="GET @me", status=503))
    with pytest.raises(SettingsError, match="network"):
        await stand.connector.check()
    await stand.connector.register()
    stand.discord.token = "another"
    for look in (stand.connector.check, stand.connector.register):
        with pytest.raises(SettingsError, match="token"):
            await look()


@pytest.mark.parametrize(
    "wrong",
    [
        {"application_id": "Copperleaf"},
        {"channels": "1,#help"},
        {"staff_roles": ("Team",)},
        {"token": SecretStr("Bot x")},
    ],
)
def test_settings_that_cannot_be(wrong: dict[str, Any]) -> None:
    """Names where numbers belong, and a token with a word before it, are refused at the start."""
    good: dict[str, Any] = {"token": SecretStr("a.b.c"), "application_id": "1"}
    with pytest.raises(ValidationError):
        DiscordSettings(**(good | wrong))
