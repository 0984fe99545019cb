from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from bot.domain.connectors import (
    Ambiguous,
    Permanent,
    RepliesPrivately,
    Retry,
    SendAttachment,
    SendOperation,
    SendResult,
    SendText,
    Sent,
    TextUnit,
)
from bot.domain.errors import SettingsError
from bot.domain.messages import (
    Attachment,
    AttachmentKind,
    Author,
    Echo,
    InboundEvent,
    InboundMessage,
    OutboundMessage,
    Reaction,
    Receipt,
    ReceiptKind,
    Unsupported,
    Withdrawal,
)
from bot.domain.planning import measure
from connectors.bluesky import BlueskyConnector, BlueskyMentionsConnector, BlueskySettings, Office
from connectors.bluesky_text import facets_of, is_stamped, record_key, stamped
from tests.connectors.looker import Looker, words
from tests.fakes.bluesky import HANDLE, JANE, JOE, OURS, PASSWORD, FakeBluesky, Fault, running
from tests.fakes.cursors import MemoryCursors
from tests.fakes.media import MemoryMedia

MORNING = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
SEND, PUT = "chat.bsky.convo.sendMessage", "com.atproto.repo.putRecord"


class Bench:
    """A network, an account on it, and what it made durable."""

    def __init__(self, bluesky: FakeBluesky, **settings: Any) -> None:
        self.bluesky = bluesky
        self.media = MemoryMedia()
        self.cursors = MemoryCursors()
        self.settings = {"handle": f"@{HANDLE}", "app_password": PASSWORD, "base_url": bluesky.url} | settings
        self.made: list[Office] = []
        self.looker = Looker(self._looking)

    def _looking(self, sleep: Callable[[float], Awaitable[None]]) -> BlueskyConnector:
        account = BlueskySettings.model_validate(self.settings)
        self.made.append(Office(account, self.media, self.cursors, sleep, lambda: self.bluesky.now))
        return self.private

    @property
    def private(self) -> BlueskyConnector:
        """The connector of the messages."""
        return BlueskyConnector(self.made[-1])

    @property
    def public(self) -> BlueskyMentionsConnector:
        """The connector of what is said in public."""
        return BlueskyMentionsConnector(self.made[-1])

    async def look(self, **later: float) -> list[InboundEvent]:
        """Let time pass and the connector look once; return what came new."""
        self.bluesky.now += timedelta(**later or {"seconds": 10})
        return await self.looker.look()

    def planned(self, event: InboundEvent, text: str, *files: Attachment) -> tuple[SendOperation, ...]:
        """Return the calls that answer a message."""
        assert isinstance(event, InboundMessage)
        message = OutboundMessage(author=Author.BOT, text=text, attachments=files, reply_context=event.reply_context)
        planned = self._speaker(event).plan(message, event.address)
        assert isinstance(planned, tuple)
        return planned

    def _speaker(self, event: InboundMessage) -> BlueskyConnector | BlueskyMentionsConnector:
        return self.private if event.address.channel == "bluesky" else self.public

    async def answer(self, event: InboundEvent, text: str, key: str = "k1") -> SendResult:
        """Answer a message once."""
        assert isinstance(event, InboundMessage)
        (operation,) = self.planned(event, text)
        return await self._speaker(event).send(operation, key)

    async def stop(self) -> None:
        """End everything."""
        await self.looker.stop()
        for each in self.made:
            await each.close()


@pytest.fixture
async def stand() -> AsyncIterator[Bench]:
    """Return a bench whose connector has looked once, so that what follows is new."""
    async with running(FakeBluesky(now=MORNING)) as bluesky:
        bluesky.says(bluesky.talks(JANE), JANE, "from before")
        bluesky.posts(JANE, "from before")
        made = Bench(bluesky)
        assert await made.look(hours=1) == []
        bluesky.now += timedelta(seconds=1)
        yield made
        await made.stop()


# ------------------------------------------------------------------------------------------------------- in private


async def test_a_message_is_answered_in_its_conversation(stand: Bench) -> None:
    """A message is read, its answer stands in the same conversation, with links that can be followed."""
    stand.bluesky.says("convo0", JANE, "Where is it?")
    (event,) = await stand.look()

    assert words([event]) == ["Where is it?"]
    assert isinstance(await stand.answer(event, "See https://copperleaf.example/tea."), Sent)
    assert stand.bluesky.shown("convo0") == ["See https://copperleaf.example/tea."]
    (link,) = stand.bluesky.logs[-1]["message"]["facets"]
    assert link["features"][0]["uri"] == "https://copperleaf.example/tea"


async def test_a_stranger_is_taken_up(stand: Bench) -> None:
    """A conversation that waits to be accepted is, once its message is durable."""
    convo = stand.bluesky.talks(JOE, status="request")
    stand.bluesky.says(convo, JOE, "Hello")
    stand.looker.is_full = True
    assert await stand.look() == []
    assert stand.bluesky.convos[convo]["status"] == "request"
    stand.looker.is_full = False

    assert words(await stand.look()) == ["Hello"]
    assert stand.bluesky.convos[convo]["status"] == "accepted"


async def test_nobody_is_answered_in_a_group(stand: Bench) -> None:
    """Where others read along there is no conversation of ours; what we do not know is counted, once."""
    stand.bluesky.says(stand.bluesky.talks(JANE, JOE), JANE, "Hello all")
    stand.bluesky.logs_that("Hologram", "convo0", {"id": "m0", "sender": {"did": JANE}})
    found = await stand.look()

    assert [each.kind for each in found if isinstance(each, Unsupported)] == ["group", "Hologram"]
    assert len(found) == 2
    assert await stand.look() == []


async def test_no_message_is_lost_after_a_time_away(stand: Bench) -> None:
    """Everything that was written while nobody looked is found, page by page, in order, and once."""
    stand.bluesky.log_page = 7
    for number in range(100):
        stand.bluesky.says("convo0", JANE, str(number))
    await stand.looker.restart()

    assert words(await stand.look(days=3)) == [str(number) for number in range(100)]
    await stand.looker.restart()
    assert await stand.look() == []


async def test_signs_and_deletions(stand: Bench) -> None:
    """A sign put to a message and taken away, and a message that was deleted, are told."""
    message = stand.bluesky.says("convo0", JANE, "Hello")
    (event,) = await stand.look()
    sign = {"value": "👍", "sender": {"did": JANE}}
    stand.bluesky.logs_that("AddReaction", "convo0", message, reaction=sign)
    stand.bluesky.logs_that("RemoveReaction", "convo0", message, reaction=sign)
    stand.bluesky.logs_that("DeleteMessage", "convo0", {"id": message["id"], "sender": {"did": JANE}})
    put, taken, gone = await stand.look()

    assert isinstance(put, Reaction)
    assert isinstance(taken, Reaction)
    assert isinstance(gone, Withdrawal)
    assert (put.emoji, taken.emoji, gone.of_external_id) == ("👍", "", event.external_id)


async def test_a_lost_receipt_is_found_in_the_log(stand: Bench) -> None:
    """When the answer to a call was lost and the message is there, the log says so; a person's words are an echo."""
    stand.bluesky.says("convo0", JANE, "Where is it?")
    (event,) = await stand.look()
    stand.bluesky.faults.append(Fault(status=None, is_done=True, method=SEND))
    assert isinstance(await stand.answer(event, "On its way.", "row:0"), Ambiguous)
    stand.bluesky.says("convo0", OURS, "I called you.")
    receipt, echo = await stand.look()

    assert isinstance(receipt, Receipt)
    assert (receipt.kind, receipt.of_key) == (ReceiptKind.SENT, "row:0")
    assert isinstance(echo, Echo)
    assert isinstance(event, InboundMessage)
    assert (echo.text, echo.address) == ("I called you.", event.address)


async def test_a_message_without_a_conversation(stand: Bench) -> None:
    """Where only the customer is known their conversation is asked for; files are named in the text."""
    stand.bluesky.says("convo0", JANE, "Hello")
    (event,) = await stand.look()
    assert isinstance(event, InboundMessage)
    picture = Attachment(kind=AttachmentKind.IMAGE, name="tea.png")
    (operation,) = stand.planned(event, "Look", picture)
    assert isinstance(operation, SendText)
    assert "tea.png" in operation.text
    assert isinstance(await stand.private.send(SendText(address=event.address, text="Hi"), "k1"), Sent)
    assert isinstance(
        await stand.private.send(SendAttachment(address=event.address, attachment=picture), "k2"), Permanent
    )
    assert stand.bluesky.shown("convo0") == ["Hi"]


# -------------------------------------------------------------------------------------------------------- in public


async def test_a_thread_has_one_name(stand: Bench) -> None:
    """Whatever somebody says below one post is one conversation; answers stand below what they answer."""
    first = stand.bluesky.posts(JANE, f"@{HANDLE} Open today?")
    (one,) = await stand.look()
    await stand.answer(one, "Until six.")
    ours = next(uri for uri, each in stand.bluesky.records.items() if each.get("text") == "Until six.")
    second = stand.bluesky.posts(JANE, "Thanks", ours)
    stand.bluesky.likes(JANE, ours)
    stand.bluesky.likes(JANE, stand.bluesky.posts(OURS, "New teas!"))
    two, liked, *others = [each for each in await stand.look() if not isinstance(each, Unsupported)]
    await stand.answer(two, "Welcome.", "k2")

    assert isinstance(one, InboundMessage)
    assert isinstance(two, InboundMessage)
    assert isinstance(liked, Reaction)
    assert words([one, two]) == ["Open today?", "Thanks"]
    name = f"{JANE}/{first.rpartition('/')[2]}:{JANE}"
    assert [each.address.external_id for each in (one, two, liked)] == [name] * 3
    assert others == []
    assert [each["text"] for each in stand.bluesky.below(second)] == ["Welcome."]
    assert stand.bluesky.below(second)[0]["reply"]["root"]["uri"] == first


@pytest.mark.parametrize("status", [None, 502])
async def test_a_repeat_is_shown_once(stand: Bench, status: int | None) -> None:
    """An answer whose receipt was lost is there once, however often it is sent, whenever; other calls are others."""
    asked = stand.bluesky.posts(JANE, "Open today?")
    (event,) = await stand.look()
    stand.bluesky.faults.append(Fault(status=status, is_done=True, method=PUT))
    results = [await stand.answer(event, "Until six.", key) for key in ("k1", "k1", "k2")]
    stand.bluesky.now += timedelta(days=1)
    results.append(await stand.answer(event, "Until six.", "k1"))

    assert isinstance(results[0], Ambiguous)
    assert isinstance(results[1], Sent)
    assert results[1] == results[3] != results[2]
    assert len(stand.bluesky.below(asked)) == 2


async def test_people_of_the_brand_are_told_from_us(stand: Bench) -> None:
    """What a person answers under the brand's name is an echo; what Tandem wrote, and the brand's news, are not."""
    asked = stand.bluesky.posts(JANE, "Open today?")
    (event,) = await stand.look()
    await stand.answer(event, "Until six.")
    stand.bluesky.posts(OURS, "New teas!")
    stand.bluesky.posts(OURS, "Until seven, sorry.", asked)
    echoes = [each for each in await stand.look() if not isinstance(each, Unsupported)]

    assert isinstance(event, InboundMessage)
    assert [(each.text, each.address) for each in echoes if isinstance(each, Echo)] == [
        ("Until seven, sorry.", event.address)
    ]
    assert len(echoes) == 1


async def test_who_speaks_to_others(stand: Bench) -> None:
    """Whoever answers others below a post of ours speaks to them; whoever names or quotes us speaks to us."""
    news = stand.bluesky.posts(OURS, "New teas!")
    joes = stand.bluesky.posts(JOE, "Good?", news)
    stand.bluesky.posts(JANE, "Very.", joes)
    stand.bluesky.posts(JANE, "Look at this", news, "quote")
    found = [each for each in await stand.look() if isinstance(each, InboundMessage)]

    assert [(each.text, each.is_to_us) for each in found] == [("Good?", True), ("Very.", False), ("Look at this", True)]


async def test_no_post_is_lost_after_a_time_away(stand: Bench) -> None:
    """Everything that was posted while nobody looked is found, and once; an early one that appears late is too."""
    for number in range(120):
        stand.bluesky.posts(JANE, str(number))
    late = stand.bluesky.notifications.pop(-3)
    stand.looker.is_full = True
    assert await stand.look() == []
    stand.looker.is_full = False
    assert words(await stand.look()) == [str(number) for number in range(120) if number != 117]
    stand.bluesky.notifications.insert(-3, late)

    assert words(await stand.look()) == ["117"]
    assert await stand.look() == []


async def test_a_deletion_is_noticed(stand: Bench) -> None:
    """A post that is missing at two looks was taken back."""
    asked = stand.bluesky.posts(JANE, "Open today?")
    await stand.look()
    stand.bluesky.deletes(asked)
    assert await stand.look() == []
    (gone,) = await stand.look()

    assert isinstance(gone, Withdrawal)
    assert gone.of_external_id == asked
    assert await stand.look() == []


async def test_pictures(stand: Bench) -> None:
    """A picture is uploaded and stands below the post; one that is too large is named."""
    asked = stand.bluesky.posts(JANE, "How?")
    (event,) = await stand.look()
    kept = await stand.media.put(
        b"\x89PNG", Attachment(kind=AttachmentKind.IMAGE, name="t.png", media_type="image/png")
    )
    (operation,) = stand.planned(event, "", kept)

    assert isinstance(await stand.public.send(operation, "k1"), Sent)
    (shown,) = stand.bluesky.below(asked)
    cid = shown["embed"]["images"][0]["image"]["ref"]["$link"]
    assert (stand.bluesky.blobs[cid], shown["text"]) == (b"\x89PNG", "")


async def test_a_private_answer_to_a_public_message(stand: Bench) -> None:
    """Who spoke in public can be answered by direct message."""
    stand.bluesky.posts(JANE, "Where is it?")
    (event,) = await stand.look()
    assert isinstance(event, InboundMessage)
    operation = SendText(address=event.address, text="Which?", reply_context=event.reply_context)
    assert isinstance(stand.public, RepliesPrivately)
    assert isinstance(await stand.public.reply_privately(operation, "k1"), Sent)

    assert stand.bluesky.shown("convo0") == ["Which?"]


async def test_own_posts_are_taken_back(stand: Bench) -> None:
    """A post of ours goes, and is gone; others' cannot."""
    asked = stand.bluesky.posts(JANE, "Open today?")
    (event,) = await stand.look()
    sent = await stand.answer(event, "Until six.")
    assert isinstance(event, InboundMessage)
    assert isinstance(sent, Sent)

    for _ in range(2):
        assert await stand.public.unsend(event.address, sent.external_id, "k2") == sent
    assert stand.bluesky.below(asked) == []
    assert isinstance(await stand.public.unsend(event.address, asked, "k3"), Permanent)
    assert isinstance(await stand.public.unsend(event.address, "7", "k3"), Permanent)
    assert isinstance(await stand.public.send(SendText(address=event.address, text="x"), "k4"), Permanent)


async def test_only_messages_where_it_is_said() -> None:
    """Without mentions, what is said in public is none of our business."""
    async with running(FakeBluesky(now=MORNING)) as bluesky:
        stand = Bench(bluesky, has_mentions=False)
        await stand.look()
        bluesky.posts(JANE, "In public")
        bluesky.says(bluesky.talks(JANE), JANE, "In private")
        assert words(await stand.look()) == ["In private"]
        await stand.stop()


# ----------------------------------------------------------------------------------------------------------- limits


@pytest.mark.parametrize(
    "text", ["word " * 700, "👩\u200d👩\u200d👧\u200d👦" * 500, "🇬🇧 é " * 400, "e" + "\u0301" * 9_000]
)
@pytest.mark.parametrize("is_public", [True, False])
async def test_no_piece_is_too_long(stand: Bench, text: str, is_public: bool) -> None:
    """Whatever a text is made of, its pieces are taken, by signs as well as by bytes."""
    stand.bluesky.posts(JANE, "a") if is_public else stand.bluesky.says("convo0", JANE, "a")
    (event,) = await stand.look()
    assert isinstance(event, InboundMessage)
    speaker = stand.public if is_public else stand.private
    pieces = stand.planned(event, text)
    results = [await speaker.send(each, f"k{number}") for number, each in enumerate(pieces)]

    assert all(isinstance(each, Sent) for each in results)
    texts = [each.text for each in pieces if isinstance(each, SendText)]
    assert "".join("".join(texts).split()) == "".join(text.split())
    assert all(measure(each, TextUnit.GRAPHEMES) <= speaker.capabilities.text_max for each in texts)


async def test_the_session_is_renewed(stand: Bench) -> None:
    """A session that has ended is renewed by its token, and opened anew when that has ended too."""
    stand.bluesky.tokens.clear()
    stand.bluesky.says("convo0", JANE, "one")
    assert words(await stand.look()) == ["one"]
    stand.bluesky.tokens.clear()
    stand.bluesky.refresh_tokens.clear()
    stand.bluesky.says("convo0", JANE, "two")
    assert words(await stand.look()) == ["two"]

    sessions = [each.rpartition(".")[2] for each in stand.bluesky.calls if each.endswith("Session")]
    assert sessions == ["createSession", "refreshSession", "refreshSession", "createSession"]


async def test_the_pause_of_the_network_is_kept(stand: Bench) -> None:
    """A network that is asked too often says until when; an outage costs a growing pause."""
    reset = str(int((stand.bluesky.now + timedelta(seconds=100)).timestamp()))
    stand.bluesky.faults.extend(
        [Fault(status=429, error="RateLimitExceeded", headers={"ratelimit-reset": reset}), Fault(status=503)]
    )
    for _ in range(3):
        await stand.look()

    assert stand.looker.pauses[1:] == [90, 8, 10]


@pytest.mark.parametrize(
    ("fault", "outcome", "said"),
    [
        (Fault(status=400, error="MessagesDisabled"), Permanent, "takes no direct messages"),
        (Fault(status=400, error="NotFollowedBySender"), Permanent, "follow"),
        (Fault(status=400, error="InvalidToken", message="Bad token scope"), Permanent, "does not open"),
        (Fault(status=400, error="InvalidRequest", message="Odd"), Permanent, "Odd"),
        (Fault(status=401, error="Whatever"), Permanent, "make a new one"),
        (Fault(status=418), Permanent, "418"),
        (Fault(status=429, headers={"Retry-After": "7"}), Retry, "pause"),
        (Fault(status=302, headers={"Location": "https://elsewhere.example"}), Ambiguous, "may be there"),
        (Fault(status=502, error="UpstreamFailure"), Ambiguous, "may be there"),
        (Fault(status=None), Ambiguous, "may have arrived"),
    ],
)
async def test_refusals(stand: Bench, fault: Fault, outcome: type[Any], said: str) -> None:
    """Each refusal says what is certain, in words for an agent; those of the whole account are told apart."""
    stand.bluesky.says("convo0", JANE, "Hello")
    (event,) = await stand.look()
    stand.bluesky.faults.append(fault)
    result = await stand.answer(event, "Hi")

    assert type(result) is outcome
    assert said in getattr(result, "reason", "")
    if isinstance(result, Permanent):
        assert result.is_account is (fault.status == 401 or fault.error == "InvalidToken")
    if isinstance(result, Retry):
        assert result.after == timedelta(seconds=7)


# --------------------------------------------------------------------------------------------------------- settings


async def test_everybody_may_write_once_it_is_registered(stand: Bench) -> None:
    """An account that says nothing lets nobody write but those it follows, so it is told; what people chose stays."""
    with pytest.raises(SettingsError, match="only those whom it follows"):
        await stand.private.check()
    for _ in range(2):
        await stand.private.register()
    assert f"@{HANDLE} ({OURS})" in await stand.private.check()

    stand.bluesky.records[f"at://{OURS}/chat.bsky.actor.declaration/self"]["allowIncoming"] = "none"
    await stand.private.register()
    with pytest.raises(SettingsError, match="nobody may write"):
        await stand.private.check()


async def test_check_says_what_to_fix(stand: Bench) -> None:
    """A wrong password, one that does not open messages, and a dead network say what to do."""
    stand.bluesky.opens_chat = False
    with pytest.raises(SettingsError, match="does not open direct messages"):
        await stand.private.check()
    for wrong, said in (
        ({"app_password": "x"}, "make a new one"),
        ({"base_url": "http://127.0.0.1:1"}, "no connection"),
    ):
        made = Bench(stand.bluesky, **wrong)
        with pytest.raises(SettingsError, match=said):
            await made.private.check()
        await made.private.register()
        await made.stop()


@pytest.mark.parametrize(
    "wrong", [{"handle": "copperleaf"}, {"base_url": "http://a.example"}, {"app_password": ""}, {"looks_every": 1}]
)
def test_settings_that_cannot_be(wrong: dict[str, object]) -> None:
    """Half a handle, an address without https, no password, and a pause that is none are named."""
    with pytest.raises(ValidationError):
        BlueskySettings.model_validate({"handle": HANDLE, "app_password": "x"} | wrong)


# ------------------------------------------------------------------------------------------------------ small parts

MOMENTS = st.timedeltas(timedelta(), timedelta(days=20_000)).map(lambda passed: MORNING + passed)


@given(st.text(max_size=40), MOMENTS, MOMENTS)
def test_record_keys(key: str, since: datetime, later: datetime) -> None:
    """A record's key is a TID within the hour before, one for each call; our posts are known by their moment."""
    made = record_key(key, since)
    number = 0
    for sign in made:
        number = number << 5 | "234567abcdefghijklmnopqrstuvwxyz".index(sign)
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=number >> 10)

    assert len(made) == 13
    assert made[0] in "234567abcdefghij"
    assert timedelta() <= since - moment < timedelta(hours=1)
    assert made == record_key(key, since) != record_key(f"{key}.", since)
    assert is_stamped(stamped(later, made), made)
    assert not is_stamped(stamped(later, made), record_key(f"{key}.", since))
    assert abs(datetime.fromisoformat(stamped(later, made)) - later) < timedelta(seconds=1)


@given(st.lists(st.sampled_from(["é", "☕ ", "https://a.example/b?c=d", "(http://x.io).", " ", "word"]), max_size=12))
def test_links_are_where_they_stand(parts: list[str]) -> None:
    """Each link covers just its address, by bytes."""
    text = "".join(parts)
    for facet in facets_of(text):
        place: Any = facet["index"]
        features: Any = facet["features"]
        (feature,) = features
        assert text.encode()[place["byteStart"] : place["byteEnd"]].decode() == feature["uri"]
        assert feature["uri"][-1] not in ").,"
