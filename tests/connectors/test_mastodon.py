from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

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
    Unsupported,
    Withdrawal,
)
from connectors.mastodon import MastodonConnector, MastodonMentionsConnector, MastodonSettings, Office, weight
from tests.connectors.looker import Looker, words
from tests.fakes.cursors import MemoryCursors
from tests.fakes.mastodon import TOKEN, FakeMastodon, Fault, running
from tests.fakes.media import MemoryMedia


class Bench:
    """A server, an account on it, and what it made durable."""

    def __init__(self, mastodon: FakeMastodon, **settings: Any) -> None:
        self.mastodon = mastodon
        self.media = MemoryMedia()
        self.cursors = MemoryCursors()
        self.now = datetime(2026, 11, 22, 9, 31, tzinfo=UTC)
        self.slept: list[float] = []
        self.settings = {"name": "@care@mastodon.example", "token": TOKEN, "base_url": mastodon.url} | settings
        self.office = self._office(self._sleep)
        self.private = MastodonConnector(self.office)
        self.public = MastodonMentionsConnector(self.office)
        self._made = [self.office]
        self.looker = Looker(self._looking)

    def _office(self, sleep: Callable[[float], Awaitable[None]]) -> Office:
        account = MastodonSettings.model_validate(self.settings)
        return Office(account, self.media, self.cursors, sleep, lambda: self.now)

    def _looking(self, sleep: Callable[[float], Awaitable[None]]) -> MastodonConnector:
        self._made.append(self._office(sleep))
        return MastodonConnector(self._made[-1])

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    async def look(self) -> list[InboundEvent]:
        """Let the connector look once; return what came new."""
        return await self.looker.look()

    def planned(self, event: InboundEvent, text: str, *files: Attachment) -> tuple[SendOperation, ...]:
        """Return the calls that answer a message."""
        assert isinstance(event, InboundMessage)
        message = OutboundMessage(author=Author.BOT, text=text, attachments=files, reply_context=event.reply_context)
        planned = self._speaker(event).plan(message, event.address)
        assert isinstance(planned, tuple)
        return planned

    def _speaker(self, event: InboundMessage) -> MastodonConnector | MastodonMentionsConnector:
        return self.private if event.address.channel == "mastodon" else self.public

    async def answer(self, event: InboundEvent, text: str, key: str = "k1") -> SendResult:
        """Answer a message once."""
        assert isinstance(event, InboundMessage)
        (operation,) = self.planned(event, text)
        return await self._speaker(event).send(operation, key)

    async def stop(self) -> None:
        """End everything."""
        await self.looker.stop()
        for each in self._made:
            await each.close()


@pytest.fixture
async def stand() -> AsyncIterator[Bench]:
    """Return a bench whose connector has looked once, so that what follows is new."""
    async with running(FakeMastodon()) as mastodon:
        mastodon.writes("jane", "@care from before")
        made = Bench(mastodon)
        assert await made.look() == []
        yield made
        await made.stop()


# ---------------------------------------------------------------------------------------------------------- looking


async def test_a_private_message_is_answered_in_private(stand: Bench) -> None:
    """What only we may read is answered so that only its author may, below it, by name."""
    asked = stand.mastodon.writes("joe@elsewhere.example", "@care Where is it?")
    (event,) = await stand.look()

    assert words([event]) == ["Where is it?"]
    sent = await stand.answer(event, "On its way.")
    shown = list(stand.mastodon.statuses.values())[-1]
    assert sent == Sent(external_id=shown.id)
    assert (shown.text, shown.visibility) == ("@joe@elsewhere.example On its way.", "direct")
    assert shown.parent == asked.id
    assert await stand.look() == []


async def test_a_thread_has_one_name(stand: Bench) -> None:
    """Whatever somebody says in a public thread is one conversation, and is answered as openly as it was said."""
    first = stand.mastodon.writes("jane", "@care Open today?", "public")
    (one,) = await stand.look()
    await stand.answer(one, "Until six.")
    ours = list(stand.mastodon.statuses.values())[-1]
    second = stand.mastodon.writes("jane", "@care Thanks", "unlisted", parent=ours.id, warning="Tea")
    stand.mastodon.notifies("favourite", "jane", ours)
    two, liked = await stand.look()
    await stand.answer(two, "Welcome.", "k2")

    assert isinstance(one, InboundMessage)
    assert isinstance(two, InboundMessage)
    assert isinstance(liked, Reaction)
    assert {each.address.external_id for each in (one, two, liked)} == {f"{first.id}:44"}
    assert two.text == "Tea\n\nThanks"
    shown = list(stand.mastodon.statuses.values())[-1]
    assert (shown.visibility, shown.warning, shown.parent) == ("unlisted", "Tea", second.id)


async def test_nothing_is_lost_after_a_time_away(stand: Bench) -> None:
    """Everything that was written while nobody looked is found, page by page, in order."""
    stand.mastodon.page_max = 7
    for number in range(100):
        stand.mastodon.writes("jane", f"@care {number}")
    stand.looker.is_full = True
    assert await stand.look() == []
    stand.looker.is_full = False
    found = await stand.look()
    await stand.looker.restart()
    again = await stand.look()

    assert words(found) == [str(number) for number in range(100)]
    assert {each.external_id for each in again} <= {each.external_id for each in found}


async def test_a_notification_that_appears_late_is_found(stand: Bench) -> None:
    """A number that becomes visible after a higher one was read is not skipped."""
    late = stand.mastodon.writes("jane", "@care one")
    held = stand.mastodon.notifications.pop()
    stand.mastodon.writes("jane", "@care two")
    assert words(await stand.look()) == ["two"]
    stand.mastodon.notifications.insert(-1, held)

    assert [each.external_id for each in await stand.look()] == [late.id]
    assert await stand.look() == []


async def test_changes_and_deletions_are_noticed(stand: Bench) -> None:
    """A customer's change is an edit, once; what is gone at two looks was taken back."""
    asked = stand.mastodon.writes("jane", "@care Where is it?")
    await stand.look()
    stand.mastodon.changes(asked, "@care Where is CL-104233?")
    (edit,) = await stand.look()
    nothing = await stand.look()
    del stand.mastodon.statuses[asked.id]
    stand.mastodon.notifications.pop()
    unsure = await stand.look()
    (gone,) = await stand.look()

    assert isinstance(edit, InboundMessage)
    assert (edit.edits, edit.text) == (asked.id, "Where is CL-104233?")
    assert (nothing, unsure) == ([], [])
    assert isinstance(gone, Withdrawal)
    assert (gone.of_external_id, gone.address) == (asked.id, edit.address)
    assert await stand.look() == []


async def test_an_old_server_tells_of_no_changes(stand: Bench) -> None:
    """A server that gives no statuses by number is asked once, and its messages still come."""
    stand.mastodon.gives_several = False
    stand.mastodon.writes("jane", "@care one")
    await stand.look()
    stand.mastodon.writes("jane", "@care two")

    assert words(await stand.look()) == ["two"]
    assert stand.mastodon.calls.count("GET /api/v1/statuses") == 1


async def test_people_of_the_brand_are_told_from_us(stand: Bench) -> None:
    """What a person writes under the brand's name is an echo; what Tandem wrote, and the brand's news, are not."""
    asked = stand.mastodon.writes("jane", "@care Where is it?")
    (event,) = await stand.look()
    await stand.answer(event, "On its way.")
    stand.mastodon.writes("care", "New teas!", "public")
    stand.mastodon.writes("care", "@jane I called you.", parent=asked.id)
    (echo,) = await stand.look()

    assert isinstance(echo, Echo)
    assert isinstance(event, InboundMessage)
    assert (echo.text, echo.address) == ("I called you.", event.address)


async def test_what_is_no_message_is_counted_once(stand: Bench) -> None:
    """A kind that is new, a star for the brand's news: known of, and no more."""
    stand.mastodon.notifies("hologram", "jane")
    stand.mastodon.notifies("favourite", "jane", stand.mastodon.writes("care", "New teas!", "public"))
    found = await stand.look()

    assert [each.kind for each in found if isinstance(each, Unsupported)] == ["hologram", "favourite"]
    assert len(found) == 2
    assert await stand.look() == []


async def test_the_pause_of_the_server_is_kept(stand: Bench) -> None:
    """A server that is asked too often says until when; an outage costs a growing pause."""
    reset = (stand.now + timedelta(seconds=90)).isoformat()
    stand.mastodon.faults.extend([Fault(status=429, headers={"X-RateLimit-Reset": reset}), Fault(status=503)])
    await stand.look()
    await stand.look()
    await stand.look()

    assert stand.looker.pauses[1:] == [90, 8, 15]


async def test_only_private_messages_where_it_is_said() -> None:
    """Without mentions, what is said in public is none of our business."""
    async with running(FakeMastodon()) as mastodon:
        stand = Bench(mastodon, has_mentions=False)
        await stand.look()
        mastodon.writes("jane", "@care In public", "public")
        mastodon.writes("jane", "@care In private")
        assert words(await stand.look()) == ["In private"]
        await stand.stop()


# ---------------------------------------------------------------------------------------------------------- sending


async def test_a_repeat_is_shown_once(stand: Bench) -> None:
    """An answer whose receipt was lost is there once, however often it is sent."""
    stand.mastodon.writes("jane", "@care Where is it?")
    (event,) = await stand.look()
    stand.mastodon.faults.append(Fault(status=None, is_done=True, method="POST"))
    first = await stand.answer(event, "On its way.")
    second = await stand.answer(event, "On its way.")

    assert isinstance(first, Ambiguous)
    assert isinstance(second, Sent)
    assert [each.text for each in stand.mastodon.statuses.values()][2:] == ["@jane On its way."]


@pytest.mark.parametrize("is_done", [True, False])
async def test_a_repeat_after_the_key_is_forgotten(stand: Bench, is_done: bool) -> None:
    """After an hour the server knows no key any more: what is there already is found, and not written again."""
    stand.mastodon.writes("jane", "@care Where is it?")
    (event,) = await stand.look()
    stand.mastodon.faults.append(Fault(status=502, is_done=is_done, method="POST"))
    assert isinstance(await stand.answer(event, "On its way."), Ambiguous)
    stand.mastodon.keys.clear()
    stand.now += timedelta(hours=2)

    assert isinstance(await stand.answer(event, "On its way."), Sent)
    assert [each.text for each in stand.mastodon.statuses.values()][2:] == ["@jane On its way."]


async def test_files_are_shown_when_they_are_ready(stand: Bench) -> None:
    """A file is uploaded, waited for, and shown to whom it is for."""
    film = await stand.media.put(b"film", Attachment(kind=AttachmentKind.VIDEO, name="f.mp4", media_type="video/mp4"))
    stand.mastodon.writes("jane", "@care How?")
    (event,) = await stand.look()
    stand.mastodon.busy_count = 3
    (operation,) = stand.planned(event, "", film)
    assert isinstance(operation, SendAttachment)

    assert isinstance(await stand.private.send(operation, "k1"), Sent)
    shown = list(stand.mastodon.statuses.values())[-1]
    assert (shown.text, [stand.mastodon.files[each] for each in shown.media]) == ("@jane", [b"film"])
    assert stand.slept == [2, 2, 2]


async def test_names_and_warnings_count(stand: Bench) -> None:
    """With the customer's name, the warning and addresses counted, every piece is taken."""
    stand.mastodon.writes("joe@elsewhere.example", "@care Which?", warning="Tea")
    (event,) = await stand.look()
    pieces = stand.planned(event, "word http://a.io " * 60)
    results = [await stand.private.send(each, f"k{n}") for n, each in enumerate(pieces)]

    assert all(isinstance(each, Sent) for each in results)
    assert all(weight(each.text) <= 473 for each in pieces if isinstance(each, SendText))
    assert "".join(each.text for each in pieces if isinstance(each, SendText)).split() == ["word", "http://a.io"] * 60


async def test_an_answer_without_a_message(stand: Bench) -> None:
    """Where only the customer is known, or the thread, they are called by the name that the server knows."""
    stand.mastodon.writes("jane", "@care Open?", "public")
    (event,) = await stand.look()
    assert isinstance(event, InboundMessage)
    assert isinstance(await stand.public.send(SendText(address=event.address, text="Yes."), "k1"), Sent)

    shown = list(stand.mastodon.statuses.values())[-1]
    assert (shown.text, shown.visibility, shown.parent) == ("@jane Yes.", "unlisted", event.external_id)


async def test_a_private_answer_to_a_public_message(stand: Bench) -> None:
    """Who spoke in public can be answered so that nobody else reads it, and what they say then is private."""
    stand.mastodon.writes("jane", "@care Where is it?", "public")
    (event,) = await stand.look()
    assert isinstance(event, InboundMessage)
    operation = SendText(address=event.address, text="Which?", reply_context=event.reply_context)
    assert isinstance(stand.public, RepliesPrivately)
    assert isinstance(await stand.public.reply_privately(operation, "k1"), Sent)
    ours = list(stand.mastodon.statuses.values())[-1]
    stand.mastodon.writes("jane", "@care CL-104233", parent=ours.id)
    (private,) = await stand.look()

    assert (ours.text, ours.visibility, ours.parent) == ("@jane Which?", "direct", event.external_id)
    assert isinstance(private, InboundMessage)
    assert (private.address.channel, private.address.external_id) == ("mastodon", "44")


async def test_own_words_are_changed_and_taken_back(stand: Bench) -> None:
    """A change keeps the name that is called and the warning; what is gone already is taken back."""
    stand.mastodon.writes("jane", "@care Where is it?", warning="Tea")
    (event,) = await stand.look()
    sent = await stand.answer(event, "Monday.")
    assert isinstance(event, InboundMessage)
    assert isinstance(sent, Sent)
    edit = SendText(address=event.address, text="Tuesday.")

    assert await stand.private.edit(edit, sent.external_id, "k2") == sent
    shown = stand.mastodon.statuses[sent.external_id]
    assert (shown.text, shown.warning) == ("@jane Tuesday.", "Tea")
    assert [await stand.private.unsend(event.address, sent.external_id, "k3") for _ in range(2)] == [sent, sent]
    assert isinstance(await stand.private.edit(edit, sent.external_id, "k4"), Permanent)


@pytest.mark.parametrize(
    ("fault", "outcome", "said"),
    [
        (Fault(status=401, error="The access token is invalid"), Permanent, "make a new one"),
        (Fault(status=403, error="This action is not allowed"), Permanent, "not allow"),
        (Fault(status=403, error="Your login is currently disabled"), Permanent, "disabled"),
        (Fault(status=404, error="Record not found"), Permanent, "no longer there"),
        (Fault(status=422, error="Validation failed: Text character limit exceeded"), Permanent, "limit"),
        (Fault(status=418), Permanent, "418"),
        (Fault(status=429, headers={"Retry-After": "7"}), Retry, "pause"),
        (Fault(status=302, headers={"Location": "https://elsewhere.example"}), Ambiguous, "may be there"),
        (Fault(status=500), Ambiguous, "may be there"),
        (Fault(status=None), Ambiguous, "may have arrived"),
    ],
)
async def test_refusals(stand: Bench, fault: Fault, outcome: type[Any], said: str) -> None:
    """Each refusal says what is certain, in words for an agent; those of the whole account are told apart."""
    stand.mastodon.writes("jane", "@care Where is it?")
    (event,) = await stand.look()
    stand.mastodon.faults.append(fault)
    result = await stand.answer(event, "On its way.")

    assert type(result) is outcome
    assert said in getattr(result, "reason", "")
    if isinstance(result, Permanent):
        assert result.is_account is (fault.status == 401 or "login" in fault.error)
    if isinstance(result, Retry):
        assert result.after == timedelta(seconds=7)


# ---------------------------------------------------------------------------------------------------------- settings


async def test_check(stand: Bench) -> None:
    """The line says who we are; a wrong token, another's, a longer text and ignored mentions say what to do."""
    assert "Mastodon 4.5.0, 500 characters" in await stand.private.check()
    stand.mastodon.policy = "drop"
    with pytest.raises(SettingsError, match="ignores private mentions"):
        await stand.private.check()
    for wrong, said in (
        ({"token": SecretStr("x")}, "make a new one"),
        ({"name": "shop@mastodon.example"}, "but of care"),
        ({"text_max": 5000}, "500 at most"),
        ({"base_url": "http://127.0.0.1:1"}, "no connection"),
    ):
        made = Bench(stand.mastodon, **wrong)
        with pytest.raises(SettingsError, match=said):
            await made.private.check()
        await made.stop()


@pytest.mark.parametrize(
    "wrong", [{"name": "care"}, {"base_url": "http://a.example"}, {"token": ""}, {"looks_every": 1}]
)
def test_settings_that_cannot_be(wrong: dict[str, object]) -> None:
    """A name without a server, an address without https, no token, and a pause that no server forgives are named."""
    with pytest.raises(ValidationError):
        MastodonSettings.model_validate({"name": "care@mastodon.example", "token": "x"} | wrong)
