from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from bot.domain.connectors import (
    Ambiguous,
    Permanent,
    RepliesPrivately,
    SendAttachment,
    SendText,
    Sent,
)
from bot.domain.messages import (
    Attachment,
    AttachmentKind,
    Echo,
    InboundMessage,
    Reaction,
    Receipt,
    ReceiptKind,
    Unsupported,
    Withdrawal,
)
from tests.connectors.bluesky.bench import MORNING, Bench, bench
from tests.connectors.looker import words
from tests.fakes.bluesky import HANDLE, JANE, JOE, OURS, FakeBluesky, Fault, running

SEND, MESSAGES = "chat.bsky.convo.sendMessage", "chat.bsky.convo.getMessages"
PUT = "com.atproto.repo.putRecord"


@pytest.fixture
async def stand() -> AsyncIterator[Bench]:
    """Return a bench whose connector has looked once."""
    async with bench() as made:
        yield made


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


async def test_an_answer_shows_what_it_answers(stand: Bench) -> None:
    """Bluesky is told which message of the conversation is answered."""
    said = stand.bluesky.says("convo0", JANE, "Where is it?")
    (event,) = await stand.look()
    assert isinstance(event, InboundMessage)
    answer = SendText(address=event.address, text="Here.", quotes=said["id"], reply_context=event.reply_context)
    assert isinstance(await stand.private.send(answer, "k1"), Sent)
    assert stand.bluesky.logs[-1]["message"]["replyTo"] == {"messageId": said["id"]}


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
    stand.bluesky.faults.extend([Fault(status=None, is_done=True, method=SEND), Fault(status=502, method=MESSAGES)])
    assert isinstance(await stand.answer(event, "On its way.", "row:0"), Ambiguous)
    stand.bluesky.says("convo0", OURS, "I called you.")
    receipt, echo = await stand.look()

    assert isinstance(receipt, Receipt)
    assert (receipt.kind, receipt.of_key) == (ReceiptKind.SENT, "row:0")
    assert isinstance(echo, Echo)
    assert isinstance(event, InboundMessage)
    assert (echo.text, echo.address) == ("I called you.", event.address)


async def test_what_has_arrived_is_found_at_once(stand: Bench) -> None:
    """When an answer was lost it is looked whether the message is there; the same words from before are not it."""
    stand.bluesky.says("convo0", JANE, "Where is it?")
    (event,) = await stand.look()
    first = await stand.answer(event, "On its way.")
    stand.bluesky.faults.append(Fault(status=None, method=SEND))
    assert isinstance(await stand.answer(event, "On its way."), Ambiguous)
    stand.bluesky.faults.append(Fault(status=502, is_done=True, method=SEND))
    found = await stand.answer(event, "On its way.")

    assert isinstance(found, Sent)
    assert found != first
    assert stand.bluesky.shown("convo0") == ["On its way."] * 2


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
