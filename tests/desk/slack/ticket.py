"""The people of these tests and the ticket they work on."""

from __future__ import annotations

from bot.desk.slack.buttons import DeskAction
from bot.domain.tickets import TicketId, TicketState
from tests.desk.conftest import Desk
from tests.fakes.slack_rules import tokens, visible

ALICE, BOB = "U0ALICE", "U0BOB"
TICKET = TicketId(f"{1:032x}")


def state_of(desk: Desk) -> TicketState:
    """Return where the first ticket stands."""
    return desk.acts.views[TICKET].ticket.state


async def ask(desk: Desk, card: str, action: DeskAction, user: str = ALICE) -> None:
    """Open a modal, by way of More where the card has no button for it."""
    offered = [found for block in desk.slack.message(card)["blocks"] for found in str(block).split("'")]
    if any(entry.split(" ")[0] == action for entry in offered):
        await desk.slack.click(user, card, action)
        return
    await desk.slack.click(user, card, DeskAction.MORE)
    await desk.slack.press(user, desk.slack.views[-1], action)


async def answer(desk: Desk, user: str, text: str) -> str:
    """Write a command and return what was answered, with no mark-up but our own."""
    number = await desk.slack.command(user, text)
    await desk.work()
    shown = desk.slack.answers[number]
    assert shown["response_type"] == "ephemeral"
    assert all(token.startswith("<!date^") for token in tokens(shown))
    return visible(shown)
