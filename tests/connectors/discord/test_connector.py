from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from bot.domain.channels import ChannelAddress
from bot.domain.connectors import (
    Acknowledging,
    Ambiguous,
    Editing,
    FetchesMedia,
    Permanent,
    Polling,
    Registering,
    Retry,
    SendAttachment,
    SendText,
    Sent,
    ShowsTyping,
    Unsending,
    WebhookRequest,
)
from bot.domain.errors import MediaError, SettingsError, WebhookRejectedError
from bot.domain.messages import Attachment, AttachmentKind, Author, Choice, InboundMessage, OutboundMessage
from connectors.discord.api import CODES, STATUSES, read_answer
from connectors.discord.connector import DiscordSettings
from connectors.discord.payloads import buttons, nonce
from connectors.discord.repeats import Repeats
from connectors.http import Answer
from connectors.verdicts import Verdict
from simulator.discord import NONCE_HOLDS_FOR
from simulator.discord_values import Fault, RefusedError
from tests.connectors.discord.bench import Bench, bench


@pytest.fixture
async def stand() -> AsyncIterator[Bench]:
    """A fake Discord, a customer and our connectors."""
    async with bench() as made:
        yield made


async def asks_in_public(stand: Bench, text: str) -> InboundMessage:
    """Return what a customer writes where everybody reads, as it comes in."""
    async with stand.polling() as inbox:
        stand.jane.writes(text, stand.support)
        await stand.discord.until(lambda: bool(inbox.events))
    (event,) = inbox.events
    assert isinstance(event, InboundMessage)
    return event


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


# ------------------------------------------------------------------------------------------------- what is shown


async def _shown(stand: Bench, **message: Any) -> list[str]:
    operations = stand.connector.plan(OutboundMessage(**{"author": Author.BOT} | message), stand.address)
    assert isinstance(operations, tuple)
    for number, operation in enumerate(operations):
        assert isinstance(await stand.connector.send(operation, f"k{number}"), Sent)
    return [each["content"] for each in stand.jane.seen]


async def test_text(stand: Bench) -> None:
    """A text arrives as it is, calls nobody, shows no previews, and Discord's name of it is what we keep."""
    result = await stand.connector.send(stand.text("@everyone it left today: https://example.com"), "k1")

    (seen,) = stand.jane.seen
    assert seen["content"] == "@everyone it left today: https://example.com"
    assert seen["allowed_mentions"] == {"parse": [], "replied_user": False}
    assert result == Sent(external_id=seen["id"])
    assert stand.discord.calls[-1][2]["flags"] == 4


async def test_quote(stand: Bench) -> None:
    """Discord shows which message is answered, and sends all the same where it is gone."""
    await stand.connector.send(replace(stand.text("Yes"), quotes="1450000000000000001"), "k1")

    told = stand.discord.calls[-1][2]["message_reference"]
    assert told == {"message_id": "1450000000000000001", "fail_if_not_exists": False}


async def test_longest_text(stand: Bench) -> None:
    """A long text full of emoji is cut into messages that Discord accepts, and nothing of it is lost."""
    text = "🎉 Ünïcödé und mehr 👩‍👩‍👧 🇬🇧👍🏽 " * 300
    texts = await _shown(stand, text=text)

    assert len(texts) > 2
    assert "".join("".join(texts).split()) == "".join(text.split())


@pytest.mark.parametrize(("count", "rows"), [(1, 1), (5, 5), (6, 3), (10, 5), (25, 5), (26, 0)])
async def test_choices(stand: Bench, count: int, rows: int) -> None:
    """Choices are buttons, as few in a row as the rows allow; too many are written out."""
    choices = tuple(Choice(title=f"Order CL-{104_000 + n}", payload=f"c_{n}") for n in range(count))
    texts = await _shown(stand, text="Which one?", choices=choices)

    shown = stand.jane.seen[0]["components"]
    assert len(shown) == rows
    if rows:
        assert [each["custom_id"] for row in shown for each in row["components"]] == [each.payload for each in choices]
    else:
        assert all(each.title in texts[0] for each in choices)


def test_long_titles() -> None:
    """Titles that are too long for a button are numbered and cut."""
    rows: Any = buttons((Choice(title="🍵" * 41, payload="a"), Choice(title="No", payload="b")))
    labels = [button["label"] for row in rows for button in row["components"]]

    assert [label[:4] for label in labels] == ["1. 🍵", "2. N"]
    assert len(labels[0].encode("utf-16-le")) // 2 <= 80


@pytest.mark.parametrize("media_type", ["image/png", "audio/ogg", "video/mp4", "application/pdf", ""])
async def test_files_go_out(stand: Bench, media_type: str) -> None:
    """A file that we keep arrives byte for byte under its name."""
    kept = await stand.media.put(
        bytes(range(256)) * 50, Attachment(kind=AttachmentKind.FILE, name='re"ceipt.bin', media_type=media_type)
    )
    result = await stand.connector.send(SendAttachment(address=stand.address, attachment=kept), "k1")

    (seen,) = stand.jane.seen
    (file,) = seen["attachments"]
    assert isinstance(result, Sent)
    assert stand.discord.files[file["id"]] == bytes(range(256)) * 50


async def test_files_by_address(stand: Bench) -> None:
    """A picture that only has an address is shown by Discord itself."""
    picture = Attachment(kind=AttachmentKind.IMAGE, reference="https://example.com/tea.png")
    await stand.connector.send(SendAttachment(address=stand.address, attachment=picture), "k1")

    assert stand.jane.seen[0]["content"] == "https://example.com/tea.png"


async def test_files_that_are_gone(stand: Bench) -> None:
    """A file that is no longer kept, or never was, is refused before any call."""
    kept = await stand.media.put(b"x", Attachment(kind=AttachmentKind.FILE, name="x"))
    stand.media.files.clear()
    for attachment in (kept, Attachment(kind=AttachmentKind.FILE)):
        result = await stand.connector.send(SendAttachment(address=stand.address, attachment=attachment), "k1")
        assert isinstance(result, Permanent)
    assert stand.discord.calls == []


async def test_answers_in_public(stand: Bench) -> None:
    """In public an answer names the message that it answers, has no buttons, and calls its writer alone."""
    asked = await asks_in_public(stand, "do you ship to Cork?")
    message = OutboundMessage(
        author=Author.AGENT,
        text="Which one?",
        choices=(Choice(title="A", payload="a"),),
        reply_context=asked.reply_context,
    )
    (operation,) = stand.public.plan(message, asked.address)  # type: ignore[misc]
    assert isinstance(await stand.public.send(operation, "k1"), Sent)

    seen = stand.support.messages[-1]
    assert seen["content"] == "Which one?\n1. A"
    assert seen["message_reference"]["message_id"] == asked.external_id
    assert seen["allowed_mentions"] == {"parse": [], "replied_user": True}


# ------------------------------------------------------------------------------------------------- seen once


@pytest.mark.parametrize(
    "fault",
    [
        Fault(call="POST messages", is_done=True, cut_after=0),
        Fault(call="POST messages", is_done=True, cut_after=60),
        Fault(call="POST messages", is_done=False, cut_after=0),
        Fault(call="POST messages", is_done=True, status=500),
        Fault(call="POST messages", is_done=False, status=502, body=b"<html>"),
        Fault(call="POST messages", is_done=True, status=200, body=b"<html>"),
        Fault(call="POST messages", is_done=True, status=200, body=b"{}"),
    ],
)
@pytest.mark.parametrize("pause", [1.0, 61.0, NONCE_HOLDS_FOR + 1])
async def test_a_message_in_doubt_is_seen_once(stand: Bench, fault: Fault, pause: float) -> None:
    """Whatever became of a call, and however late it is made again, its message is seen once."""
    await stand.connector.send(stand.text("one before"), "k0")
    stand.now[0] += 30
    stand.discord.fail(fault)
    first = await stand.connector.send(stand.text("Your refund is on its way"), "k1")
    stand.now[0] += pause
    second = await stand.connector.send(stand.text("Your refund is on its way"), "k1")

    assert isinstance(first, Ambiguous)
    (_, seen) = stand.jane.seen
    assert second == Sent(external_id=seen["id"])


@pytest.mark.parametrize("is_done", [True, False])
async def test_what_a_dead_process_may_have_sent_is_seen_once(stand: Bench, *, is_done: bool) -> None:
    """A process that knows of a doubt by the database alone looks for the message, and only since it was its turn."""
    await stand.connector.send(stand.text("One moment."), "k0")
    stand.now[0] += 30
    since = datetime.fromtimestamp(stand.now[0], UTC)
    stand.discord.fail(Fault(call="POST messages", is_done=is_done, cut_after=0))
    await stand.connector.send(stand.text("One moment."), "k1")
    stand.now[0] += NONCE_HOLDS_FOR + 1
    stand.connector._repeats = Repeats(stand.connector._api, stand.connector.account, lambda: stand.now[0])
    again = await stand.connector.send(replace(stand.text("One moment."), in_doubt_since=since), "k1")

    (_, seen) = stand.jane.seen
    assert again == Sent(external_id=seen["id"])


async def test_a_file_in_doubt_is_seen_once(stand: Bench) -> None:
    """A file that may have arrived is found by its name."""
    kept = await stand.media.put(b"x", Attachment(kind=AttachmentKind.FILE, name="label.pdf"))
    stand.discord.fail(Fault(call="POST messages", is_done=True, cut_after=0))
    operation = SendAttachment(address=stand.address, attachment=kept)
    assert isinstance(await stand.connector.send(operation, "k1"), Ambiguous)
    stand.now[0] += 3600

    assert isinstance(await stand.connector.send(operation, "k1"), Sent)
    assert len(stand.jane.seen) == 1


async def test_the_same_words_to_somebody_else(stand: Bench) -> None:
    """In public the same words to another customer are another message, however long one of them is in doubt."""
    asked = await asks_in_public(stand, "do you ship to Cork?")
    other = replace(asked, reply_context={"message_id": "1"})
    stand.discord.fail(Fault(call="POST messages", is_done=False, cut_after=0))
    assert isinstance(await stand.public.send(stand.text("We do!", answers=asked), "k1"), Ambiguous)
    assert isinstance(await stand.public.send(stand.text("We do!", answers=other), "k2"), Sent)
    stand.now[0] += 3600
    assert isinstance(await stand.public.send(stand.text("We do!", answers=asked), "k1"), Sent)

    assert len([each for each in stand.support.messages if each["content"] == "We do!"]) == 2


async def test_looking_back_fails(stand: Bench) -> None:
    """While nobody can tell whether a message is there, it is not made again."""
    stand.discord.fail(Fault(call="POST messages", cut_after=0), Fault(call="GET messages", status=500))
    await stand.connector.send(stand.text("hello"), "k1")
    stand.now[0] += 3600

    assert isinstance(await stand.connector.send(stand.text("hello"), "k1"), Ambiguous)
    assert isinstance(await stand.connector.send(stand.text("hello"), "k1"), Sent)
    assert len(stand.jane.seen) == 1


async def test_different_messages_are_different(stand: Bench) -> None:
    """The same words under another key are another message."""
    for number in range(3):
        await stand.connector.send(stand.text("Hello"), f"k{number}")

    assert len(stand.jane.seen) == 3
    assert len(nonce("k" * 1000)) <= 25


# ------------------------------------------------------------------------------------------------- what goes wrong


@pytest.mark.parametrize(
    ("status", "code", "outcome", "words"),
    [
        (403, 50007, Permanent, "takes no direct messages"),
        (400, 50278, Permanent, "takes no direct messages"),
        (404, 10003, Permanent, "no such channel"),
        (400, 50035, Permanent, "does not understand"),
        (413, 40005, Permanent, "larger"),
        (403, 50013, Permanent, "right"),
        (403, 0, Permanent, "right"),
        (400, 999, Permanent, "refuses it"),
        (400, 20028, Retry, "pause"),
        (503, 0, Ambiguous, "may have arrived"),
        (301, 0, Ambiguous, "may have arrived"),
    ],
)
async def test_refusals(stand: Bench, status: int, code: int, outcome: type[Any], words: str) -> None:
    """Each refusal says what is certain, in words for an agent."""
    body = b'{"code": %d, "message": "Discord\'s words"}' % code
    stand.discord.fail(Fault(call="POST messages", status=status, body=body))
    result = await stand.connector.send(stand.text("…"), "k1")

    assert type(result) is outcome
    assert words in getattr(result, "reason", "")
    assert stand.jane.seen == []


async def test_customers_who_cannot_be_written_to(stand: Bench) -> None:
    """A customer who blocked the bot is a plain no for one message, and no alarm."""
    stand.jane.direct.refusal = RefusedError(403, 50007, "Cannot send messages to this user")
    result = await stand.connector.send(stand.text("…"), "k1")

    assert isinstance(result, Permanent)
    assert (result.code, result.is_account) == ("50007", False)


async def test_a_revoked_token_is_the_account(stand: Bench) -> None:
    """A token that Discord refuses stops everything, and is one alarm."""
    stand.discord.token = "another"
    result = await stand.connector.send(stand.text("…"), "k1")

    assert isinstance(result, Permanent)
    assert result.is_account


def test_tables_are_readable() -> None:
    """Every row of the tables has a verdict, and words that an agent can read."""
    rows = [*CODES.values(), *STATUSES.values()]

    assert all(isinstance(verdict, Verdict) and len(words) > 10 for verdict, words in rows)


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"<html>", b'{"code": "x"}', b'{"message": 7}', b"\xff"])
@pytest.mark.parametrize("status", [200, 302, 400, 401, 429, 500])
def test_answers_that_make_no_sense(status: int, body: bytes) -> None:
    """Whatever Discord answers is read, and says what is certain."""
    read_answer(Answer(status=status, headers={}, body=body))


# ------------------------------------------------------------------------------------------------- pauses


async def test_pauses_are_kept_to_the_millisecond(stand: Bench) -> None:
    """A 429 waits as it says; the route is left alone until then, and others are not."""
    body = b'{"message": "You are being rate limited.", "retry_after": 64.57, "global": false}'
    stand.discord.fail(Fault(call="POST messages", status=429, body=body))
    first = await stand.connector.send(stand.text("…"), "k1")
    call_count = len(stand.discord.calls)
    stand.now[0] += 60
    second = await stand.connector.send(stand.text("…"), "k1")
    elsewhere = ChannelAddress(
        channel=stand.connector.channel,
        account=stand.connector.account,
        external_id=stand.discord.member("770000000000000002").direct.id,
    )

    assert first == Retry(reason="Discord asks for a pause", after=timedelta(seconds=64.57))
    assert isinstance(second, Retry)
    assert second.after is not None
    assert second.after.total_seconds() == pytest.approx(4.57)
    assert len(stand.discord.calls) == call_count
    assert isinstance(await stand.connector.send(SendText(address=elsewhere, text="hello"), "k2"), Sent)
    stand.now[0] += 5
    assert isinstance(await stand.connector.send(stand.text("…"), "k1"), Sent)


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b'{"message": "", "retry_after": 3.5, "global": true}', {}),
        (b'{"message": "", "retry_after": 3.5}', {"X-RateLimit-Global": "true"}),
        (b"<html>error 1015</html>", {"Retry-After": "4"}),
    ],
)
async def test_pauses_of_everything(stand: Bench, body: bytes, headers: dict[str, str]) -> None:
    """A pause that is meant for all is kept by all."""
    stand.discord.fail(Fault(call="POST messages", status=429, body=body, headers=headers))
    await stand.connector.send(stand.text("…"), "k1")
    await stand.connector.show_typing(stand.address)
    assert stand.jane.direct.typing_count == 0

    stand.now[0] += 4
    await stand.connector.show_typing(stand.address)
    assert stand.jane.direct.typing_count == 1


async def test_the_pace_of_a_channel(stand: Bench) -> None:
    """What the headers say is kept before Discord has to refuse: nothing is ever one too many."""
    stand.discord.has_pace = True
    refused = 0
    for number in range(12):
        result = await stand.connector.send(stand.text(f"message {number}"), f"k{number}")
        if isinstance(result, Retry):
            refused += 1
            assert result.after is not None
            stand.now[0] += result.after.total_seconds()
            result = await stand.connector.send(stand.text(f"message {number}"), f"k{number}")
        assert isinstance(result, Sent)

    assert [each["content"] for each in stand.jane.seen] == [f"message {number}" for number in range(12)]
    assert len(stand.discord.calls) == 12
    assert refused == 2


def test_many_routes_are_forgotten(stand: Bench) -> None:
    """Pauses of routes that nobody uses any more do not pile up."""
    for number in range(3_000):
        answer = Answer(status=200, headers={"x-ratelimit-remaining": "0", "x-ratelimit-reset-after": "1.5"}, body=b"")
        stand.connector._api._note_pauses(f"POST /channels/{number}/messages", answer)
        stand.now[0] += 0.01

    assert len(stand.connector._api._paused_until) <= 1_000


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
