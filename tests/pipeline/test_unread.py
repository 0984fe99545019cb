from __future__ import annotations

from bot.domain.messages import MALFORMED, InboundEvent, Unsupported
from bot.store import lanes, unread
from bot.store.schema import inbox
from tests.fakes.connector import message
from tests.pipeline.rig import Rig


def odd(kind: str, number: int = 1, **more: str) -> Unsupported:
    """Return an event of which nobody knows what it says."""
    return Unsupported(external_id=f"odd-{number}", kind=kind, is_unread=True, **more)


async def test_what_cannot_be_read_is_a_dead_letter(rig: Rig) -> None:
    """A call that holds something unreadable is kept whole, once however often it comes; the rest is answered."""
    events: list[InboundEvent] = [message(rig.connector, "ann", "1", "hello"), odd(MALFORMED)]
    for _ in range(3):
        await rig.bring(*events)
    await rig.settle()

    assert rig.seen() == ["re: hello"]
    (letter,) = await rig.database.read(lanes.dead_letters, inbox, 10)
    assert (letter.kind, letter.state, letter.error) == ("unread", "dead", "it cannot be read")
    found = await rig.database.read(unread.find, letter.id)
    assert found is not None
    assert found.raw.encode() == rig.connector.request(events).body
    assert found.account == "fake/brand"


async def test_one_of_each_new_kind_is_kept(rig: Rig) -> None:
    """Of a kind that nobody here has heard of a sample is kept, and nobody is alarmed."""
    for number in range(5):
        await rig.bring(odd("hologram", number))
    await rig.bring(odd("smell", 9))

    kept = await rig.database.read(unread.samples, 10)
    assert [row.error for row in kept] == ["nobody knows what smell is", "nobody knows what hologram is"]
    assert await rig.inbox_states() == {"pending": 0, "claimed": 0, "dead": 0, "held": 0}


async def test_what_was_fetched_is_kept_as_its_connector_tells(rig: Rig) -> None:
    """Where no call brought an event, what it is read from comes with it; without that there is nothing to keep."""
    await rig.receiver.take(rig.connector, [odd(MALFORMED, raw='{"nul": "\0"}'), odd(MALFORMED, 2)])

    (letter,) = await rig.database.read(lanes.dead_letters, inbox, 10)
    found = await rig.database.read(unread.find, letter.id)
    assert found is not None
    assert found.raw == '{"nul": "\ufffd"}'


async def test_what_nobody_has_to_answer_is_not_kept(rig: Rig) -> None:
    """A kind that is known and left alone is counted only."""
    await rig.bring(Unsupported(external_id="1", kind="typing"))

    assert await rig.database.read(unread.samples, 10) == []
    assert await rig.database.read(lanes.dead_letters, inbox, 10) == []
