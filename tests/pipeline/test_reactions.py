from __future__ import annotations

from bot.domain.acts import Claim
from bot.domain.desk import DeskPostKind
from bot.domain.messages import Reaction
from tests.pipeline.rig import Rig, handoff


def reaction(rig: Rig, emoji: str, number: int, of: str = "ann-1") -> Reaction:
    """Return Ann's sign at a message of ours."""
    address = rig.connector.address("ann")
    return Reaction(address=address, external_id=f"reaction-{number}", of_external_id=of, emoji=emoji)


def notices(rig: Rig) -> list[str]:
    """Return what agents were told in the ticket's thread."""
    return [post.text for post in rig.poster.of(DeskPostKind.NOTICE)]


async def test_agents_see_signs(rig: Rig) -> None:
    """Agents who have the customer's ticket see each sign once, with the words it is put to; the bot says nothing."""
    rig.engine.by_text["help"] = handoff("A colleague will answer you.")
    await rig.writes("help")
    await rig.act(Claim())
    await rig.settle()
    seen = rig.seen()
    for _ in range(2):
        await rig.bring(reaction(rig, "👍🏽", 1), reaction(rig, "❤️\x00 x" * 40, 2, of="unknown"))
        await rig.settle()

    told = [text for text in notices(rig) if "reacted" in text]
    assert told[0] == "👍🏽 The customer reacted to “A colleague will answer you.”."
    assert len(told) == 2
    assert len(told[1]) < 60
    assert rig.seen() == seen


async def test_nobody_to_tell(rig: Rig) -> None:
    """A sign without a ticket, from a stranger, or one taken away, changes nothing."""
    await rig.bring(reaction(rig, "👍", 1))
    await rig.settle()
    await rig.writes("hello")
    await rig.bring(reaction(rig, "👍", 2), reaction(rig, "", 3))
    await rig.settle()

    assert notices(rig) == []
    assert rig.seen() == ["re: hello"]
    assert await rig.open_ticket() is None
