from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from bot.domain.connectors import Ambiguous, Permanent, Retry, SendAttachment, SendOperation, SendText, Sent
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
from connectors.verdicts import Verdict
from connectors.youtube.api import REASONS, Units
from connectors.youtube.connector import YouTubeConnector, YouTubeSettings
from tests.fakes.cursors import MemoryCursors
from tests.fakes.youtube import OURS, FakeYouTube, Fault, running

#: Ten in the morning in California.
MORNING = datetime(2026, 11, 22, 18, tzinfo=UTC)


class Bench:
    """A running fake, our connector, and what it made durable."""

    def __init__(self, youtube: FakeYouTube) -> None:
        self.youtube = youtube
        self.cursors = MemoryCursors()
        self.connector = self.made()
        self.events: list[InboundEvent] = []
        self.pauses: list[float] = []
        #: whether nothing can be kept now
        self.is_full = False
        self._polling: asyncio.Task[None] | None = None
        self._woken = asyncio.Event()
        self._asleep = asyncio.Event()

    def made(self, **more: Any) -> YouTubeConnector:
        """Return a new connector over the same cursors."""
        account = YouTubeSettings.model_validate(
            {
                "channel_id": OURS,
                "handle": "@copperleaf",
                "client_id": "1-a",
                "client_secret": SecretStr("s"),
                "refresh_token": SecretStr("refresh0token"),
                "base_url": f"{self.youtube.url}/youtube/v3",
                "token_url": f"{self.youtube.url}/token",
            }
            | more
        )
        return YouTubeConnector(account, self.cursors, sleep=self._sleep, now=lambda: self.youtube.now)

    async def look(self) -> list[InboundEvent]:
        """Let the connector look once; return what came new."""
        before = len(self.events)
        await self._until_asleep()
        return self.events[before:]

    async def _until_asleep(self) -> None:
        # The first pause ends the look: a poller never ends by itself.
        if self._polling is None or self._polling.done():
            self._asleep.clear()
            self._polling = asyncio.create_task(self.connector.poll(self._sink))
        else:
            self._asleep.clear()
            self._woken.set()
        await asyncio.wait_for(self._asleep.wait(), 10)

    async def _sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self._woken.clear()
        self._asleep.set()
        await self._woken.wait()

    async def _sink(self, events: list[InboundEvent]) -> None:
        if self.is_full:
            raise OSError("no space left")
        self.events += events

    async def restart(self) -> None:
        """Let the process die, and another begin."""
        await self.stop()
        self.connector = self.made()

    async def stop(self) -> None:
        """End the poller."""
        if self._polling is not None:
            self._polling.cancel()
            await asyncio.gather(self._polling, return_exceptions=True)
        await self.connector.close()

    def passes(self, **time: float) -> None:
        """Let time pass at YouTube and here."""
        self.youtube.now += timedelta(**time)


@asynccontextmanager
async def bench() -> AsyncIterator[Bench]:
    """A fake YouTube and a connector that has looked once, so that what follows is new."""
    async with running(FakeYouTube(now=MORNING)) as youtube:
        made = Bench(youtube)
        await made.look()
        made.passes(seconds=1)
        yield made
        await made.stop()


@pytest.fixture
async def stand() -> AsyncIterator[Bench]:
    """Return a bench."""
    async with bench() as made:
        yield made


def texts(events: list[InboundEvent]) -> list[str]:
    """Return what was written."""
    return [event.text for event in events if isinstance(event, InboundMessage | Echo)]


async def answered(stand: Bench, event: InboundEvent, text: str) -> SendOperation:
    """Return the call that answers a comment."""
    assert isinstance(event, InboundMessage)
    message = OutboundMessage(author=Author.BOT, text=text, reply_context=event.reply_context)
    planned = stand.connector.plan(message, event.address)
    assert isinstance(planned, tuple)
    (operation,) = planned
    return operation


# ------------------------------------------------------------------------------------------------------------ reading


async def test_what_stood_there_before_is_left_alone() -> None:
    """Connecting a channel does not answer the comments of years."""
    async with running(FakeYouTube(now=MORNING - timedelta(days=300))) as youtube:
        youtube.writes("UCold", "First!")
        youtube.now = MORNING
        made = Bench(youtube)
        assert await made.look() == []
        made.passes(minutes=1)
        youtube.writes("UCjane", "Is it vegan?")
        assert texts(await made.look()) == ["Is it vegan?"]
        await made.stop()


async def test_each_comment_comes_once(stand: Bench) -> None:
    """What was read is not read again, and new replies below old comments are found."""
    first = stand.youtube.writes("UCjane", "Is it vegan?")
    assert texts(await stand.look()) == ["Is it vegan?"]
    assert await stand.look() == []
    stand.passes(hours=3)
    stand.youtube.writes("UCbob", "@jane I think so", first.id)
    (reply,) = await stand.look()
    assert isinstance(reply, InboundMessage)
    assert (reply.text, reply.is_to_us) == ("@jane I think so", False)


async def test_more_replies_than_come_along(stand: Bench) -> None:
    """A page holds some replies of a thread; the others are fetched, once."""
    first = stand.youtube.writes("UCjane", "Giveaway?")
    for number in range(12):
        stand.passes(seconds=1)
        stand.youtube.writes(f"UC{number}", f"me {number}", first.id)
    assert sorted(set(texts(await stand.look()))) == sorted(["Giveaway?", *(f"me {number}" for number in range(12))])
    calls = len(stand.youtube.calls)
    assert await stand.look() == []
    assert stand.youtube.calls[calls:] == ["GET commentThreads"]


async def test_changed_comments_are_edits(stand: Bench) -> None:
    """A comment that was changed comes as an edit of the first, and once."""
    comment = stand.youtube.writes("UCjane", "Is it vegan")
    await stand.look()
    comment.text, comment.changed_at = "Is it vegan, and nut free?", stand.youtube.now + timedelta(minutes=2)
    (edit,) = await stand.look()
    assert isinstance(edit, InboundMessage)
    assert (edit.edits, edit.text) == (comment.id, "Is it vegan, and nut free?")
    assert await stand.look() == []


async def test_after_a_night_away(stand: Bench) -> None:
    """What was written while nothing ran is read page by page, and nothing twice that the inbox does not know."""
    stand.youtube.page_size = 10
    await stand.restart()
    for number in range(35):
        stand.passes(minutes=1)
        stand.youtube.writes(f"UC{number}", f"night {number}")
    assert sorted(texts(await stand.look())) == sorted(f"night {number}" for number in range(35))
    ids = [event.external_id for event in stand.events]
    assert len(ids) == len(set(ids))


async def test_what_was_not_kept_is_read_again(stand: Bench) -> None:
    """When nothing can be kept the cursor stays, and the comment comes with the next look."""
    stand.youtube.writes("UCjane", "Is it vegan?")
    stand.is_full = True
    assert await stand.look() == []
    stand.is_full = False
    assert texts(await stand.look()) == ["Is it vegan?"]


async def test_answers_in_the_studio_are_echoes(stand: Bench) -> None:
    """What somebody of the brand writes on YouTube itself is told to the conversation it answers."""
    comment = stand.youtube.writes("UCjane", "Is it vegan?")
    stand.youtube.writes(OURS, "It is!", comment.id)
    asked, echo = await stand.look()
    assert isinstance(asked, InboundMessage)
    assert isinstance(echo, Echo)
    assert echo.address == asked.address


async def test_an_answer_to_a_later_one_is_no_word_to_who_began(stand: Bench) -> None:
    """What calls somebody who joined a thread is an answer to them: who began it still hears the bot."""
    first = stand.youtube.writes("UCjane", "Is it vegan?")
    stand.youtube.writes("UCbob", "@copperleaf and the other one?", first.id)
    _, also = await stand.look()
    assert isinstance(also, InboundMessage)
    assert isinstance(await stand.connector.send(await answered(stand, also, "Yes!"), "k"), Sent)
    stand.youtube.writes(OURS, "@UCnobody we knew of", first.id)
    (echo,) = [event for event in await stand.look() if isinstance(event, Echo)]
    assert (echo.text, echo.address) == ("@UCbob Yes!", also.address)


@pytest.mark.parametrize("status", [500, 503, None])
async def test_outages_are_waited_out(stand: Bench, status: int | None) -> None:
    """A look that fails costs a growing pause and no comment."""
    stand.youtube.writes("UCjane", "Is it vegan?")
    # A read on a connection that was closed meanwhile is made once more by the HTTP client itself.
    stand.youtube.faults += [Fault(status=status)] * (4 if status is None else 2)
    assert await stand.look() == []
    assert await stand.look() == []
    assert stand.pauses[-1] > stand.pauses[-2]
    assert texts(await stand.look()) == ["Is it vegan?"]


# ------------------------------------------------------------------------------------------------------------- units


async def test_looking_leaves_units_for_answers(stand: Bench) -> None:
    """A whole day of looks never takes the units that answers need."""
    waited = 0.0
    while waited < timedelta(hours=14).total_seconds():
        await stand.look()
        pause = stand.pauses[-1]
        waited += pause
        stand.passes(seconds=pause)
        if len(stand.pauses) > 600:
            break
    assert stand.youtube.units_max - stand.youtube.units >= 40 * 50
    assert min(stand.pauses) >= 30
    assert max(stand.pauses) <= 600


async def test_a_used_up_day(stand: Bench) -> None:
    """Without units an answer waits for midnight in California, to the second, and no call is made."""
    event = stand.youtube.writes("UCjane", "Is it vegan?")
    (asked,) = await stand.look()
    operation = await answered(stand, asked, "Yes!")
    stand.youtube.units_max = stand.youtube.units
    result = await stand.connector.send(operation, "k1")

    assert isinstance(result, Retry)
    assert result.after == datetime(2026, 11, 23, 8, tzinfo=UTC) - stand.youtube.now
    calls = len(stand.youtube.calls)
    assert isinstance(await stand.connector.send(operation, "k1"), Retry)
    assert len(stand.youtube.calls) == calls
    assert stand.youtube.below(event.id) == []

    stand.youtube.units, stand.youtube.units_max = 0, 10_000
    stand.passes(hours=15)
    assert isinstance(await stand.connector.send(operation, "k1"), Sent)


async def test_the_count_survives_a_restart(stand: Bench) -> None:
    """Another process goes on with the units that are left."""
    used = stand.connector.units.used
    assert used > 0
    await stand.restart()
    await stand.look()
    assert stand.connector.units.used > used


def test_a_day_ends_in_california() -> None:
    """The count starts anew at YouTube's midnight, also on the day that has an hour more."""
    moment = datetime(2026, 11, 1, 6, 30, tzinfo=UTC)
    units = Units(1000, lambda: moment)
    units.use(400)
    assert (units.left, units.until_new()) == (600, timedelta(minutes=30))
    moment = datetime(2026, 11, 1, 7, 30, tzinfo=UTC)
    assert (units.left, units.until_new()) == (1000, timedelta(hours=24, minutes=30))


# ------------------------------------------------------------------------------------------------------------ answers


async def test_an_answer_stands_below_its_comment(stand: Bench) -> None:
    """The first comment is answered as it is; one of several who talk is called by name."""
    first = stand.youtube.writes("UCjane", "Is it vegan?")
    stand.youtube.writes("UCbob", "@copperleaf and the other one?", first.id)
    asked, also = await stand.look()
    for event in asked, also:
        assert isinstance(await stand.connector.send(await answered(stand, event, "Yes!"), event.external_id), Sent)
    assert [each.text for each in stand.youtube.below(first.id) if each.author == OURS] == ["Yes!", "@UCbob Yes!"]


async def test_answers_are_changed_and_deleted(stand: Bench) -> None:
    """What we wrote can be mended and taken back; what is gone already is gone."""
    comment = stand.youtube.writes("UCjane", "Is it vegan?")
    (asked,) = await stand.look()
    operation = await answered(stand, asked, "Yes!")
    sent = await stand.connector.send(operation, "k1")
    assert isinstance(sent, Sent)
    assert isinstance(operation, SendText)
    changed = SendText(address=operation.address, text="Yes, both!")
    assert await stand.connector.edit(changed, sent.external_id, "k2") == sent
    assert [each.text for each in stand.youtube.below(comment.id)] == ["Yes, both!"]
    for key in "k3", "k4":
        assert await stand.connector.unsend(operation.address, sent.external_id, key) == sent
    assert stand.youtube.below(comment.id) == []


@pytest.mark.parametrize(
    ("fault", "outcome", "words"),
    [
        (Fault(status=403, reason="commentsDisabled"), Permanent, "switched off"),
        (Fault(status=404, reason="parentCommentNotFound"), Permanent, "no longer there"),
        (Fault(status=403, reason="insufficientPermissions"), Permanent, "anew"),
        (Fault(status=400, reason="aNewReason"), Permanent, "aNewReason"),
        (Fault(status=403, reason="rateLimitExceeded", headers={"Retry-After": "9"}), Retry, "pause"),
        (Fault(status=429), Retry, "pause"),
        (Fault(status=500, is_done=True), Ambiguous, "may be there"),
        (Fault(status=None, is_done=True), Ambiguous, "may have arrived"),
    ],
)
async def test_refusals(stand: Bench, fault: Fault, outcome: type[Any], words: str) -> None:
    """Each refusal says what is certain, in words for an agent; what breaks the account is one alarm."""
    stand.youtube.writes("UCjane", "Is it vegan?")
    (asked,) = await stand.look()
    stand.youtube.faults.append(fault)
    result = await stand.connector.send(await answered(stand, asked, "Yes!"), "k1")

    assert type(result) is outcome
    assert words in getattr(result, "reason", "")
    if isinstance(result, Permanent):
        is_account = fault.reason in REASONS and REASONS[fault.reason][0] is Verdict.ACCOUNT
        assert result.is_account is is_account
    if fault.headers:
        assert result == Retry(reason="YouTube asks for a pause", after=timedelta(seconds=9))


async def test_a_token_that_was_taken_back(stand: Bench) -> None:
    """A token that Google takes back before its time is exchanged, without doing anything twice."""
    comment = stand.youtube.writes("UCjane", "Is it vegan?")
    (asked,) = await stand.look()
    stand.youtube.tokens.clear()
    assert isinstance(await stand.connector.send(await answered(stand, asked, "Yes!"), "k1"), Sent)
    assert len(stand.youtube.below(comment.id)) == 1


async def test_a_grant_that_was_withdrawn(stand: Bench) -> None:
    """When the owner withdraws the grant nothing goes through the account, which doctor says too."""
    stand.youtube.writes("UCjane", "Is it vegan?")
    (asked,) = await stand.look()
    stand.youtube.tokens.clear()
    stand.youtube.is_granted = False
    result = await stand.connector.send(await answered(stand, asked, "Yes!"), "k1")

    assert isinstance(result, Permanent)
    assert result.is_account
    with pytest.raises(SettingsError, match="connect the account anew"):
        await stand.connector.check()


async def test_files_are_named(stand: Bench) -> None:
    """A file becomes a line of text; one that was never planned is refused before any call."""
    stand.youtube.writes("UCjane", "Is it vegan?")
    (asked,) = await stand.look()
    assert isinstance(asked, InboundMessage)
    attachment = Attachment(kind=AttachmentKind.IMAGE, name="tea.png")
    result = await stand.connector.send(SendAttachment(address=asked.address, attachment=attachment), "k1")
    assert isinstance(result, Permanent)


async def test_doctor(stand: Bench) -> None:
    """The account's line tells its units; a token of another channel says whose it is."""
    assert "units of today left" in await stand.connector.check()
    other = stand.made(channel_id="UCother")
    with pytest.raises(SettingsError, match=f"but of {OURS}"):
        await other.check()
    await other.close()


@pytest.mark.parametrize("wrong", [{"channel_id": "copperleaf"}, {"handle": "copperleaf"}, {"refresh_token": ""}])
def test_settings_that_cannot_be(wrong: dict[str, str]) -> None:
    """What is no channel's id, no handle and no token is named."""
    with pytest.raises(ValidationError):
        YouTubeSettings.model_validate(
            {"channel_id": OURS, "client_id": "1", "client_secret": "s", "refresh_token": "r"} | wrong
        )
