from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from bot.domain.connectors import (
    Sent,
)
from bot.domain.messages import (
    Echo,
    InboundMessage,
    Reaction,
    Unsupported,
    Withdrawal,
)
from tests.connectors.looker import words
from tests.connectors.mastodon.bench import Bench, bench
from tests.fakes.mastodon import FakeMastodon, Fault, running


@pytest.fixture
async def stand() -> AsyncIterator[Bench]:
    """Return a bench whose connector has looked once."""
    async with bench() as made:
        yield made


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
