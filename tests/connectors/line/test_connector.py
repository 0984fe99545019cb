from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from bot.domain.connectors import (
    Ambiguous,
    FetchesMedia,
    KnowsNames,
    MarksRead,
    Permanent,
    Registering,
    Retry,
    SendAttachment,
    Sent,
    ShowsTyping,
)
from bot.domain.errors import MediaError, SettingsError
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
from connectors.line.api import STATUSES, WORDS
from connectors.line.connector import LineSettings, signature
from connectors.verdicts import Verdict
from simulator.line import Fault
from tests.connectors.line.bench import JANE, Bench, bench
from tests.connectors.telegram.bench import door

PICTURE = Attachment(kind=AttachmentKind.IMAGE, reference="https://example.com/tea.png", name="tea.png")


@pytest.fixture
async def stand() -> AsyncIterator[Bench]:
    """A fake LINE, a customer and our connector."""
    async with bench() as made:
        yield made


def test_public_vector_of_the_signature() -> None:
    """The signature is that of LINE's own libraries for the same secret and body."""
    assert signature(b"bodybodybodybody", b"channel_secret") == b"/gg9a+LvFevTH1sd7XCQycD7tsWclCsInj7MhBHxN7k="


def test_powers(stand: Bench) -> None:
    """The connector has every power that LINE has, and says that answers need what messages bring."""
    powers = (FetchesMedia, KnowsNames, MarksRead, Registering, ShowsTyping)

    assert all(isinstance(stand.connector, power) for power in powers)
    assert stand.connector.capabilities.has_reply_context
    assert not stand.connector.capabilities.is_send_idempotent


# --------------------------------------------------------------------------------------------------- replies, pushes


async def test_an_answer_within_a_minute_costs_nothing(stand: Bench) -> None:
    """What answers a message at once is a reply: the customer sees it, and it is not counted."""
    result = await stand.connector.send(stand.text("It left today 🎉", answers=stand.hears("where is it?")), "k1")

    (seen,) = stand.jane.seen
    assert (seen.text, seen.is_paid, stand.line.used) == ("It left today 🎉", False, 0)
    assert result == Sent(external_id=seen.message_id)


async def test_a_token_is_used_once(stand: Bench) -> None:
    """The second answer to a message is a push, without a vain try of the token."""
    heard = stand.hears("where is it?")
    for number in range(2):
        assert isinstance(await stand.connector.send(stand.text("…", answers=heard), f"k{number}"), Sent)

    assert [each.is_paid for each in stand.jane.seen] == [False, True]
    assert stand.paths() == ["reply", "push"]


@pytest.mark.parametrize(("seconds", "paths"), [(49, ["reply"]), (51, ["push"])])
async def test_an_old_token_is_not_tried(stand: Bench, seconds: int, paths: list[str]) -> None:
    """Towards the end of its minute a token is left alone."""
    heard = stand.hears("where is it?")
    await stand.connector._sleep(seconds)
    await stand.connector.send(stand.text("…", answers=heard), "k1")

    assert stand.paths() == paths
    assert len(stand.jane.seen) == 1


async def test_a_void_token_is_no_loss(stand: Bench) -> None:
    """A token that another process used, or that LINE dropped early, makes a push of the answer."""
    heard = stand.hears("where is it?")
    stand.line._tokens.clear()
    result = await stand.connector.send(stand.text("…", answers=heard), "k1")

    assert isinstance(result, Sent)
    assert [each.is_paid for each in stand.jane.seen] == [True]


@pytest.mark.parametrize("until", ["", "soon", "nan"])
async def test_a_context_that_makes_no_sense(stand: Bench, until: str) -> None:
    """A token without a time that can be read is not used."""
    operation = replace(stand.text("…"), reply_context={"reply_token": "t", "reply_until": until})

    assert isinstance(await stand.connector.send(operation, "k1"), Sent)
    assert stand.paths() == ["push"]


async def test_a_reply_that_was_put_off_is_a_reply_later(stand: Bench) -> None:
    """A token is not lost with a call that LINE refused for now."""
    heard = stand.hears("where is it?")
    stand.line.fail(Fault(call="reply", status=429, body=b'{"message": "The API rate limit has been exceeded."}'))
    first = await stand.connector.send(stand.text("…", answers=heard), "k1")
    second = await stand.connector.send(stand.text("…", answers=heard), "k1")

    assert isinstance(first, Retry)
    assert isinstance(second, Sent)
    assert stand.line.used == 0


@pytest.mark.parametrize("is_done", [True, False])
async def test_a_reply_in_doubt_cannot_be_repeated(stand: Bench, is_done: bool) -> None:
    """Where the answer to a reply is lost nobody knows, and LINE has no way to find out."""
    stand.line.fail(Fault(call="reply", is_done=is_done, cut_after=20))
    result = await stand.connector.send(stand.text("…", answers=stand.hears("?")), "k1")

    assert isinstance(result, Ambiguous)
    assert not result.is_repeatable


@pytest.mark.parametrize(
    "fault",
    [
        Fault(call="push", is_done=True, cut_after=0),
        Fault(call="push", is_done=True, cut_after=40),
        Fault(call="push", is_done=False, cut_after=0),
        Fault(call="push", is_done=True, status=500),
        Fault(call="push", is_done=False, status=503, body=b"<html>"),
        Fault(call="push", is_done=True, status=200, body=b"<html>"),
        Fault(call="push", is_done=True, status=200, body=b"{}"),
    ],
)
async def test_a_push_in_doubt_is_repeated_and_seen_once(stand: Bench, fault: Fault) -> None:
    """Whatever became of a push, the same call again shows it once and ends in what LINE calls the message."""
    stand.line.fail(fault)
    first = await stand.connector.send(stand.text("Your refund is on its way"), "k1")
    second = await stand.connector.send(stand.text("Your refund is on its way"), "k1")

    assert isinstance(first, Ambiguous)
    assert first.is_repeatable
    (seen,) = stand.jane.seen
    assert second == Sent(external_id=seen.message_id)
    assert stand.line.used == 1
    assert len({key for *_, key in stand.line.calls}) == 1


async def test_accepted_without_a_name(stand: Bench) -> None:
    """A repeat that LINE refuses as accepted is sent, even where it does not say what it is called."""
    accepted = {"X-Line-Accepted-Request-Id": "request-7"}
    stand.line.fail(
        Fault(call="push", status=409, body=b'{"message": "The retry key is already accepted"}', headers=accepted)
    )

    assert await stand.connector.send(stand.text("…"), "k1") == Sent(external_id="request-7")


async def test_different_messages_have_different_keys(stand: Bench) -> None:
    """The same words under another key are another message."""
    for number in range(3):
        await stand.connector.send(stand.text("Hello"), f"k{number}")

    assert len(stand.jane.seen) == 3


async def test_without_reply_tokens() -> None:
    """Whoever prefers that nothing is ever in doubt pays for every message, and has a channel that repeats."""
    async with bench(uses_reply_tokens=False) as stand:
        await stand.connector.send(stand.text("…", answers=stand.hears("?")), "k1")

        assert stand.paths() == ["push"]
        assert stand.connector.capabilities.is_send_idempotent
        assert not stand.connector.capabilities.has_reply_context


# --------------------------------------------------------------------------------------------------- what is shown


async def _shown(stand: Bench, **message: Any) -> list[str]:
    address = stand.text("").address
    operations = stand.connector.plan(OutboundMessage(**{"author": Author.BOT} | message), address)
    assert isinstance(operations, tuple)
    for number, operation in enumerate(operations):
        assert isinstance(await stand.connector.send(operation, f"k{number}"), Sent)
    return [each.text for each in stand.jane.seen]


async def test_longest_text(stand: Bench) -> None:
    """A long text full of emoji is cut into messages that LINE accepts, and nothing of it is lost."""
    text = "🎉 Ünïcödé und mehr 👩‍👩‍👧 🇬🇧👍🏽 " * 600
    texts = await _shown(stand, text=text)

    assert len(texts) > 2
    assert "".join("".join(texts).split()) == "".join(text.split())


async def test_choices_are_tapped(stand: Bench) -> None:
    """A choice comes back as its payload, and the customer's chat shows its whole title as their words."""
    choices = (Choice(title="Yes, cancel it", payload="c_1"), Choice(title="No", payload="c_2"))
    await _shown(stand, text="Shall I cancel it?", choices=choices)
    (event,) = stand.read(stand.line.taps(stand.jane, "Yes, cancel it"))

    assert isinstance(event, InboundMessage)
    assert (event.choice, event.text) == ("c_1", "")
    assert [said for *_, said in stand.jane.seen[0].choices] == ["Yes, cancel it", "No"]


async def test_long_titles(stand: Bench) -> None:
    """Titles that are too long for LINE's labels are read in full in the text, and tapped by number."""
    titles = ["A refund to the card that was charged 💳", "A voucher for the same amount 🎁"]
    choices = tuple(Choice(title=title, payload=f"c_{n}") for n, title in enumerate(titles))
    (text,) = await _shown(stand, text="What would you like?", choices=choices)

    assert all(title in text for title in titles)
    assert [label[:2] for label, *_ in stand.jane.seen[0].choices] == ["1.", "2."]


async def test_the_agent_who_speaks(stand: Bench) -> None:
    """Customers see which agent speaks; a name that LINE refuses is left out."""
    for name in ("Sam", "Caroline", "A name that is much longer than LINE allows"):
        assert isinstance(await stand.connector.send(stand.text("Hi", author_name=name), name), Sent)

    assert [each.sender for each in stand.jane.seen] == ["Sam", "", "A name that is much"]


async def test_pictures_by_address(stand: Bench) -> None:
    """A picture on the open internet is shown; a file that only we keep is named."""
    kept = Attachment(kind=AttachmentKind.IMAGE, name="label.png", size=10, media_id=MediaId("a" * 32))
    (_, text) = await _shown(stand, text="Here", attachments=(PICTURE, kept))

    assert [each.kind for each in stand.jane.seen] == ["image", "text"]
    assert stand.jane.seen[0].url == PICTURE.reference
    assert "label.png" in text


async def test_quote(stand: Bench) -> None:
    """LINE shows what is answered by the token that came with it; a message that brought none is quoted in the text."""
    quote = Quote(
        id=MessageId("a"), author=Author.CUSTOMER, text="is it here", external_id="468789577898262530", token="q3"
    )
    await _shown(stand, text="Yes", quotes=quote)
    await _shown(stand, text="Soon", quotes=replace(quote, token=""))

    first, second = [body["messages"][0] for _, _, body, _ in stand.line.calls]
    assert (first["text"], first["quoteToken"]) == ("Yes", "q3")
    assert second == {"type": "text", "text": "> is it here\nSoon"}


async def test_pictures_that_we_keep(stand: Bench) -> None:
    """A picture that only we keep is shown from its link, a large one with a small one as its preview.

    Whatever LINE has no message for comes as a link to follow.
    """
    url = "https://care.example.com/files/"
    kept = Attachment(kind=AttachmentKind.IMAGE, media_type="image/png", name="a.png", size=10, media_id=MediaId("a"))
    files = (
        replace(kept, link=f"{url}small"),
        replace(kept, link=f"{url}large", size=1_000_001),
        replace(kept, link=f"{url}webp", media_type="image/webp", name="b.webp"),
        replace(kept, link=f"{url}huge", size=10_000_001),
        replace(kept, link=f"{url}pdf", kind=AttachmentKind.FILE, media_type="application/pdf", name="c.pdf"),
    )
    await _shown(stand, text="Here", attachments=files)

    sent = [body["messages"][0] for _, _, body, _ in stand.line.calls]
    assert [(each["originalContentUrl"], each["previewImageUrl"]) for each in sent[:2]] == [
        (f"{url}small", f"{url}small"),
        (f"{url}large", f"{url}large/preview"),
    ]
    assert stand.jane.seen[-1].text == f"Here\nb.webp – {url}webp\na.png – {url}huge\nc.pdf – {url}pdf"


async def test_a_file_that_was_never_planned(stand: Bench) -> None:
    """A file that LINE cannot fetch is refused before any call."""
    operation = SendAttachment(
        address=stand.text("").address, attachment=replace(PICTURE, reference="http://example.com/tea.png")
    )

    assert isinstance(await stand.connector.send(operation, "k1"), Permanent)
    assert stand.line.calls == []


# --------------------------------------------------------------------------------------------------- what goes wrong


@pytest.mark.parametrize(
    ("status", "message", "outcome", "words"),
    [
        (400, "The request body has 1 error(s)", Permanent, "does not understand"),
        (400, "Failed to send messages", Permanent, "no longer exists"),
        (401, "Authentication failed due to the following reason: invalid token", Permanent, "access token"),
        (403, "Access to this API is not available for your account", Permanent, "plan"),
        (404, "Not found", Permanent, "no such customer"),
        (413, "Payload Too Large", Permanent, "too large"),
        (429, "You have reached your monthly limit.", Permanent, "used up"),
        (429, "The API rate limit has been exceeded. Try again later.", Retry, "pause"),
        (418, "", Permanent, "HTTP 418"),
        (500, "Internal error", Ambiguous, "may have arrived"),
        (302, "", Ambiguous, "may have arrived"),
    ],
)
async def test_refusals(stand: Bench, status: int, message: str, outcome: type[Any], words: str) -> None:
    """Each refusal says what is certain, in words for an agent."""
    stand.line.fail(Fault(call="push", status=status, body=b'{"message": "%s"}' % message.encode()))
    result = await stand.connector.send(stand.text("…"), "k1")

    assert type(result) is outcome
    assert words in getattr(result, "reason", "")
    assert stand.jane.seen == []


async def test_what_breaks_the_account(stand: Bench) -> None:
    """A token, a plan or a quota stops everything and is one alarm; other refusals stop one message."""
    for message, is_account in {"You have reached your monthly limit.": True, "Failed to send messages": False}.items():
        stand.line.fail(Fault(call="push", status=429, body=b'{"message": "%s"}' % message.encode()))
        result = await stand.connector.send(stand.text("…"), "k1")
        assert isinstance(result, Permanent)
        assert result.is_account is is_account


async def test_the_month_is_over(stand: Bench) -> None:
    """When the month's messages are used up, answers within a minute still go."""
    stand.line.quota = 0
    pushed = await stand.connector.send(stand.text("…"), "k1")
    replied = await stand.connector.send(stand.text("…", answers=stand.hears("?")), "k2")

    assert isinstance(pushed, Permanent)
    assert pushed.is_account
    assert isinstance(replied, Sent)


async def test_a_pause_is_kept(stand: Bench) -> None:
    """Should LINE say how long to wait, it is waited."""
    stand.line.fail(Fault(call="push", status=429, headers={"Retry-After": "17"}))

    result = await stand.connector.send(stand.text("…"), "k1")
    assert isinstance(result, Retry)
    assert result.after == timedelta(seconds=17)


async def test_the_detail_of_a_refusal(stand: Bench) -> None:
    """What LINE does not understand is said in its own words, with the member it is about."""
    result = await stand.connector.send(stand.text(" " * 6000), "k1")

    assert isinstance(result, Permanent)
    assert "messages[0].text" in result.reason


def test_tables_are_readable() -> None:
    """Every row of the tables has a verdict, and words that an agent can read."""
    rows = [*STATUSES.values(), *WORDS.values()]

    assert all(isinstance(verdict, Verdict) and len(words) > 10 for verdict, words in rows)
    assert all(theirs == theirs.lower() for theirs in WORDS)


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
