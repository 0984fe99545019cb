from __future__ import annotations

import pytest

from bot.desk import words
from bot.desk.slack import prompts
from bot.domain.messages import DeliveryState
from bot.domain.tickets import TicketState
from tests.desk.conftest import Desk
from tests.desk.records import dana
from tests.desk.slack.ticket import ALICE, BOB, TICKET
from tests.fakes.slack_rules import visible


async def test_a_ticket_is_worked_from_card_to_hand_back_without_leaving_slack(desk: Desk) -> None:
    """Claim, answer from the thread, note, see the delivery, hand back: all in Slack, each act once."""
    card = await desk.post_card()
    await desk.slack.click(ALICE, card, "tandem_claim")
    await desk.work()
    assert "Alice has it" in visible(desk.slack.message(card))

    answer = await desk.slack.write(ALICE, card, "&gt; Hello Dana, the money is on its way &amp; sorry!")
    await desk.slack.write(ALICE, card, "she seems nice")
    await desk.work()
    assert desk.acts.sent == [(TICKET, "Hello Dana, the money is on its way & sorry!", ())]
    assert ("note", TICKET, "Alice", "she seems nice") in desk.acts.log

    reply = desk.acts.views[TICKET].transcript[-1].id
    desk.acts.deliver(TICKET, reply, DeliveryState.DELIVERED)
    await desk.work()
    assert desk.slack.reactions(answer) == {"white_check_mark"}

    await desk.slack.click(ALICE, card, "tandem_hand_back")
    await desk.slack.submit(ALICE, desk.slack.views[-1], "Refunded £12.50")
    await desk.work()
    assert desk.acts.views[TICKET].ticket.state is TicketState.HANDED_BACK
    assert [kind for kind, *_ in desk.acts.log] == ["claimed", "reply", "note", "handed_back"]
    shown = visible(desk.slack.message(card))
    assert "Handed back to the bot by Alice" in shown
    assert "Refunded £12.50" in shown
    assert shown.endswith("Reopen")


async def test_what_did_not_arrive_can_be_said_on_another_channel_of_the_same_customer(desk: Desk) -> None:
    """The button opens the reply for the other conversation; its ticket is the agent's, and the thread says where."""
    record = dana()
    other = desk.acts.open(record=record)
    here = desk.acts.open(record=record)
    desk.acts.open()
    await desk.work()
    card = str(desk.acts.views[here].ticket.desk_reference).rpartition(":")[2]
    await desk.slack.write(ALICE, card, "&gt; Hello")
    await desk.work()
    failed = desk.acts.views[here].transcript[-1].id
    desk.acts.deliver(here, failed, DeliveryState.FAILED, "The customer has blocked us.")
    await desk.work()
    told = desk.slack.thread(card)[-1]
    assert "Answer on Telegram" in visible(told)
    assert words.NO_OTHER_WAY not in visible(told)
    assert words.WAY_NOT_PROVED not in visible(told)
    await desk.slack.click(ALICE, told["ts"], "tandem_elsewhere:0")
    await desk.slack.submit(ALICE, desk.slack.views[-1], "Hello again")
    assert desk.acts.sent[-1][1] == "Hello"
    await desk.slack.submit(ALICE, desk.slack.views[-1])
    await desk.work()
    assert desk.acts.sent[-1] == (other, "Hello again", ())
    assert desk.acts.views[other].ticket.agent == desk.acts.views[here].ticket.agent
    assert "on another channel of theirs, in ticket 1." in visible(desk.slack.thread(card)[-1])


async def test_that_there_is_no_other_channel_is_said_plainly(desk: Desk) -> None:
    """A customer whom nobody knows anywhere else cannot be reached another way from here."""
    card = await desk.post_card()
    desk.acts.open()
    await desk.slack.write(ALICE, card, "&gt; Hello")
    await desk.work()
    desk.acts.deliver(TICKET, desk.acts.views[TICKET].transcript[-1].id, DeliveryState.FAILED, "Blocked.")
    await desk.work()
    told = desk.slack.thread(card)[-1]
    assert words.NO_OTHER_WAY in visible(told)
    assert "Answer on" not in visible(told)


async def test_two_agents_cannot_both_claim(desk: Desk) -> None:
    """The second to press Claim is told who has it."""
    card = await desk.post_card()
    click = desk.slack.click_body(BOB, card, "tandem_claim")
    await desk.slack.click(ALICE, card, "tandem_claim")
    await desk.work()
    await desk.slack.deliver(click)
    await desk.work()
    ((user, told),) = desk.told
    assert user == BOB
    assert "Alice has claimed ticket 1." in told


async def test_a_blank_hand_back_keeps_the_modal_open(desk: Desk) -> None:
    """The outcome is required, and spaces are no outcome."""
    card = await desk.post_card()
    await desk.slack.click(ALICE, card, "tandem_hand_back")
    answer = await desk.slack.submit(ALICE, desk.slack.views[-1], "   ")
    assert answer["response_action"] == "errors"
    assert desk.inbox.take()[1:] == []


async def test_a_note_and_a_resolution_from_their_modals_are_kept(desk: Desk) -> None:
    """The other two modals do what they say."""
    card = await desk.post_card()
    await desk.slack.click(ALICE, card, "tandem_note")
    await desk.slack.submit(ALICE, desk.slack.views[-1], "call back on Monday")
    await desk.slack.click(ALICE, card, "tandem_resolve")
    await desk.slack.submit(ALICE, desk.slack.views[-1], topic="broken mug", text="sent a new mug")
    await desk.work()
    assert [(kind, text) for kind, _, _, text in desk.acts.log] == [
        ("note", "call back on Monday"),
        ("resolved", "sent a new mug"),
    ]


async def test_a_button_of_a_closed_ticket_says_so(desk: Desk) -> None:
    """An old card in somebody's scrollback opens no modal."""
    card = await desk.post_card()
    reply = desk.slack.click_body(ALICE, card, "tandem_reply")
    await desk.slack.click(BOB, card, "tandem_resolve")
    await desk.slack.submit(BOB, desk.slack.views[-1], None)
    await desk.work()
    await desk.slack.deliver(reply)
    assert len(desk.slack.views) == 1
    assert desk.told == [(ALICE, prompts.CLOSED)]


async def test_buttons_in_other_channels_do_nothing(desk: Desk) -> None:
    """A card that was forwarded elsewhere is no card."""
    card = await desk.post_card()
    for action in ("tandem_claim", "tandem_reply"):
        body = desk.slack.click_body(ALICE, card, action)
        body["container"]["channel_id"] = "C0OTHER"
        await desk.slack.deliver(body)
    await desk.work()
    assert desk.acts.log == []
    assert desk.slack.views == []


async def test_a_modal_that_cannot_open_is_no_reason_for_a_repeat(desk: Desk) -> None:
    """Slack's trigger lives three seconds: after an error the click is acknowledged and the person presses again."""
    card = await desk.post_card()
    desk.slack.fail("views.open", "expired_trigger_id")
    await desk.slack.click(ALICE, card, "tandem_reply")
    assert desk.slack.deliveries[-1] == 200
    assert desk.slack.views == []


@pytest.mark.parametrize("code", ["channel_not_found", "not_in_channel", "thread_not_found"])
async def test_a_shortcut_where_we_are_not_is_over_at_once(desk: Desk, code: str) -> None:
    """Slack offers an app's shortcuts in every channel: one of a message that we do not see is not tried for ever."""
    card = await desk.post_card()
    note = await desk.slack.write(ALICE, card, "just a note")
    await desk.work()
    desk.slack.fail("conversations.replies", code)
    await desk.slack.choose(ALICE, note, "tandem_send_this")
    await desk.work()
    assert desk.acts.sent == []
    assert "Only what a person wrote in a ticket's thread" in desk.told[-1][1]
