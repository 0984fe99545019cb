from __future__ import annotations

from datetime import timedelta

import pytest

from bot.domain.connectors import Sent
from bot.domain.messages import Echo, InboundEvent, InboundMessage
from tests.connectors.youtube.bench import MORNING, Bench, answered
from tests.fakes.youtube import OURS, FakeYouTube, Fault, running


def texts(events: list[InboundEvent]) -> list[str]:
    """Return what was written."""
    return [event.text for event in events if isinstance(event, InboundMessage | Echo)]


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
