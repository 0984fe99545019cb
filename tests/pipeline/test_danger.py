"""Somebody who may harm themselves: before all others, and people are called at once."""

from __future__ import annotations

from bot.domain.desk import DeskPostKind
from bot.domain.handoff import HandoffRequest, Reason
from bot.domain.tickets import Priority
from bot.pipeline import notices
from tests.pipeline.rig import Rig, turn

REQUEST = HandoffRequest(
    reason=Reason.IN_DANGER, topic="somebody in danger", summary="May be about to harm themselves."
)
WISH = HandoffRequest(reason=Reason.EXPLICIT_WISH, topic="a person", summary="Asked for a person.")


def alarms(rig: Rig) -> int:
    """Return how often people were called."""
    return sum(post.text == notices.IN_DANGER for post in rig.poster.of(DeskPostKind.NOTICE))


async def test_somebody_in_danger_comes_before_all_who_wait(rig: Rig) -> None:
    """Whoever waited before, the ticket is the next one, is urgent, and people are called."""
    rig.engine.by_text["a person"] = turn("I'll ask.", handoff=WISH)
    rig.engine.by_text["i want to die"] = turn("Please call 116 123.", handoff=REQUEST)
    await rig.writes("a person")
    await rig.writes("i want to die", "bob")
    view = await rig.view("bob")
    assert (view.place_in_queue, view.ticket.priority, view.ticket.is_in_danger) == (1, Priority.URGENT, True)
    assert (await rig.view()).place_in_queue == 2
    assert rig.seen("bob")[0] == "Please call 116 123."
    assert alarms(rig) == 1


async def test_who_waits_already_and_comes_into_danger_goes_before_all(rig: Rig) -> None:
    """The ticket that is open is raised, the customer is told where to call, and people are called once."""
    rig.engine.by_text["a person"] = turn("I'll ask.", handoff=WISH)
    rig.engine.by_text["i want to die"] = turn("Please call 116 123.", handoff=REQUEST)
    await rig.writes("a person")
    await rig.writes("a person", "bob")
    await rig.writes("i want to die", "bob")
    await rig.writes("i want to die", "bob")
    view = await rig.view("bob")
    assert (view.place_in_queue, view.ticket.request.reason) == (1, Reason.IN_DANGER)
    assert rig.seen("bob").count("Please call 116 123.") == 2
    assert alarms(rig) == 1
