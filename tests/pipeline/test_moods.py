"""How the customer seems to feel, as agents see it."""

from __future__ import annotations

from bot.domain.acts import Claim
from bot.domain.moods import LOOKED_BACK_FOR, Mood
from tests.pipeline.rig import SAM, Rig, handoff, turn


async def test_agents_see_how_the_customer_seems_to_feel(rig: Rig) -> None:
    """What was said to the bot counts, and what the bot reads along while an agent answers."""
    rig.engine.by_text["I want to talk to a person"] = handoff("I'll ask a colleague.")
    rig.engine.by_text["this is a disgrace"] = turn("Sorry!", intent="express_anger")
    rig.engine.by_text["oh, that was quick. thanks!"] = turn("You're welcome.", intent="thank")
    await rig.writes("I want to talk to a person")
    assert (await rig.view()).mood is None
    await rig.writes("this is a disgrace")
    assert (await rig.view()).mood is Mood.ANGRY
    await rig.act(Claim(), SAM)
    await rig.writes("oh, that was quick. thanks!")
    await rig.background.idle()
    await rig.settle()
    assert (await rig.view()).mood is Mood.THANKFUL


async def test_what_the_bot_was_not_sure_of_and_yesterdays_anger_tell_nothing(rig: Rig) -> None:
    """A guess is no feeling, and people calm down."""
    rig.engine.by_text["hm"] = turn("Sorry?", intent="express_anger", is_fallback=True)
    rig.engine.by_text["grr"] = turn("Sorry!", intent="express_anger")
    rig.engine.by_text["person"] = handoff("I'll ask a colleague.")
    await rig.writes("person")
    await rig.writes("hm")
    assert (await rig.view()).mood is None
    await rig.writes("grr")
    assert (await rig.view()).mood is Mood.ANGRY
    rig.clock.pass_(seconds=LOOKED_BACK_FOR.total_seconds() + 1)
    await rig.writes("hello?")
    assert (await rig.view()).mood is None
