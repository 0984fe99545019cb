from __future__ import annotations

import pytest

from tests.desk.conftest import Desk
from tests.desk.slack.ticket import ALICE, BOB, answer
from tests.fakes.slack_rules import visible


async def test_a_shift_can_be_worked_by_commands(desk: Desk) -> None:
    """Next, mine, find, note, reply, assign: each does its thing and answers the one who wrote it."""
    assert await answer(desk, ALICE, "next") == "Nobody is waiting for a person."
    card = await desk.post_card()
    assert "#1 · refund · Dana Fox on Telegram" in await answer(desk, ALICE, "queue")
    assert await answer(desk, ALICE, "next") == "Ticket 1 is yours: refund."
    assert "#1 · refund" in await answer(desk, ALICE, "mine")
    assert await answer(desk, BOB, "mine") == "You have no tickets."
    assert "Kept as a note." in await answer(desk, ALICE, "note she seems nice")
    assert "on its way" in await answer(desk, ALICE, "reply 1 Hello *Dana* &amp; all")
    assert [text for _, text, _ in desk.acts.sent] == ["Hello *Dana* & all"]
    for words in ("1", "#1", "CL-104233", "104233", "mug", "dana fox", "broken mug"):
        assert "#1 · refund" in await answer(desk, BOB, f"find {words}")
    assert await answer(desk, BOB, "find 100%") == "Nothing was found."
    assert "passed on" in await answer(desk, ALICE, f"assign 1 <@{BOB}|bob>")
    assert "Bob has it" in visible(desk.slack.message(card))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "/tandem next – take"),
        ("dance", "There is no /tandem dance"),
        ("note", "needs a text"),
        ("assign 1 bob", "needs a colleague"),
        ("find", "Say what to find"),
        ("note 7 hm", "There is no open ticket 7."),
        ("note hm", "Say which ticket"),
        ("away", "Nobody keeps count"),
    ],
)
async def test_a_command_that_cannot_be_done_says_why(desk: Desk, text: str, words: str) -> None:
    """One sentence, with what to write instead."""
    assert words in await answer(desk, ALICE, text)
    assert desk.acts.log == []


async def test_strangers_command_nothing_and_no_answer_goes_elsewhere(desk: Desk) -> None:
    """A guest is refused; an address that is not Slack's is never called."""
    await desk.post_card()
    desk.slack.add_user("U0GUEST", "Gil", is_restricted=True)
    assert "Guests cannot answer customers." in await answer(desk, "U0GUEST", "next")
    body = {"command": "/tandem", "text": "mine", "user_id": ALICE, "trigger_id": "t", "team_id": "T0TANDEM"}
    await desk.slack.deliver({**body, "response_url": "https://slack.com.evil.example/x"})
    await desk.work()
    assert len(desk.slack.answers) == 1
