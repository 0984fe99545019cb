from __future__ import annotations

from datetime import timedelta

from bot.desk.slack import listeners, prompts
from bot.desk.slack.buttons import DeskAction
from bot.desk.slack.doing import NO_MATCH
from bot.domain.customers import CustomerId
from bot.domain.tickets import Priority, TicketState
from tests.desk.conftest import Desk
from tests.desk.floor import START
from tests.desk.records import dana
from tests.desk.slack.ticket import ALICE, BOB, TICKET, ask, state_of
from tests.fakes.slack_rules import nodes, visible


def in_hours(hours: int) -> int:
    """Return a moment as Slack's pickers give it."""
    return int((START + timedelta(hours=hours)).timestamp())


async def test_a_message_is_kept_as_a_note_once(desk: Desk) -> None:
    """What stands in the thread is kept already; a reply is kept beside what was sent."""
    card = await desk.post_card()
    note = await desk.slack.write(ALICE, card, "she called")
    await desk.slack.choose(BOB, note, DeskAction.KEEP_THIS)
    await desk.slack.choose(BOB, card, DeskAction.KEEP_THIS)
    await desk.work()
    assert [(kind, text) for kind, _, _, text in desk.acts.log] == [("note", "she called")]
    assert desk.told == [(BOB, listeners.NO_MESSAGE)]


async def test_a_ticket_sleeps_until_a_moment_to_come(desk: Desk) -> None:
    """A preset or an exact moment; none, or one that has passed, is refused at its field; Wake up ends it."""
    card = await desk.post_card()
    await ask(desk, card, DeskAction.SNOOZE)
    view = desk.slack.views[-1]
    labels = [option["text"]["text"] for option in view["blocks"][1]["element"]["options"]]
    assert labels[:2] == ["in half an hour", "in an hour"]
    assert (await desk.slack.submit(ALICE, view))["errors"] == {"until": "Choose until when."}
    assert "day" in (await desk.slack.submit(ALICE, view, day=1_000_000_000))["errors"]
    await desk.slack.submit(ALICE, view, until=view["blocks"][1]["element"]["options"][1]["value"])
    await desk.work()
    assert desk.acts.views[TICKET].ticket.snoozed_until is not None
    assert "Asleep until" in str(desk.slack.message(card))
    await desk.slack.click(ALICE, card, DeskAction.WAKE)
    await desk.work()
    assert desk.acts.views[TICKET].ticket.snoozed_until is None


async def test_tags_are_not_cut_by_looking_at_them(desk: Desk) -> None:
    """As many and as long ones as a ticket may have stand in the modal in full, and are the same when it is sent."""
    card = await desk.post_card()
    tags = [f"{number:02d}{'x' * 38}" for number in range(12)]
    await ask(desk, card, DeskAction.SORT)
    await desk.slack.submit(ALICE, desk.slack.views[-1], ",".join(tags), priority="normal")
    await desk.work()
    await ask(desk, card, DeskAction.SORT)
    shown = [node["initial_value"] for node in nodes(desk.slack.views[-1]) if "initial_value" in node]
    assert (shown, desk.acts.views[TICKET].ticket.tags) == ([", ".join(tags)], tuple(tags))


async def test_priority_and_tags_are_set_together(desk: Desk) -> None:
    """One modal, two acts; tags are tidied, and shown on the card."""
    card = await desk.post_card()
    await ask(desk, card, DeskAction.SORT)
    view = desk.slack.views[-1]
    assert "tags" in (await desk.slack.submit(ALICE, view, "x" * 41))["errors"]
    await desk.slack.submit(ALICE, view, " broken, #mug ,broken,", priority="urgent")
    await desk.work()
    ticket = desk.acts.views[TICKET].ticket
    assert (ticket.priority, ticket.tags) == (Priority.URGENT, ("broken", "mug"))
    assert "🔴 Urgent" in visible(desk.slack.message(card))
    assert "#broken #mug" in visible(desk.slack.message(card))


async def test_a_ticket_is_passed_on_to_a_person_who_may_answer(desk: Desk) -> None:
    """A guest cannot be given a ticket; a colleague has it from then on."""
    card = await desk.post_card()
    desk.slack.add_user("U0GUEST", "Gil", is_restricted=True)
    await ask(desk, card, DeskAction.ASSIGN)
    view = desk.slack.views[-1]
    assert "person" in (await desk.slack.submit(ALICE, view))["errors"]
    await desk.slack.submit(ALICE, view, person="U0GUEST")
    await desk.work()
    assert "Guests cannot answer customers." in desk.told[-1][1]
    await ask(desk, card, DeskAction.ASSIGN)
    await desk.slack.submit(ALICE, desk.slack.views[-1], person=BOB, remark="you know her")
    await desk.work()
    assert "Bob has it" in visible(desk.slack.message(card))


async def test_a_promise_needs_words_and_a_moment(desk: Desk) -> None:
    """Both are asked for at their fields; the card counts down to it."""
    card = await desk.post_card()
    await desk.slack.click(ALICE, card, "tandem_claim")
    await desk.work()
    await ask(desk, card, DeskAction.PROMISE)
    view = desk.slack.views[-1]
    assert "text" in (await desk.slack.submit(ALICE, view))["errors"]
    assert "promised_at" in (await desk.slack.submit(ALICE, view, "call back"))["errors"]
    await desk.slack.submit(ALICE, view, "call back", promised_at=in_hours(24))
    await desk.work()
    assert "promise" in [kind for kind, *_ in desk.acts.log]


async def test_a_hand_back_says_what_was_promised_and_by_when(desk: Desk) -> None:
    """A promise without a day, or a day without a promise, keeps the modal open."""
    card = await desk.post_card()
    await desk.slack.click(ALICE, card, "tandem_claim")
    await desk.work()
    await desk.slack.click(ALICE, card, DeskAction.HAND_BACK)
    view = desk.slack.views[-1]
    assert "promised_at" in (await desk.slack.submit(ALICE, view, "Refunded", promised="a call"))["errors"]
    assert "promised" in (await desk.slack.submit(ALICE, view, "Refunded", promised_at=in_hours(5)))["errors"]
    await desk.slack.submit(ALICE, view, "Refunded", may_act=[])
    await desk.work()
    ticket = desk.acts.views[TICKET].ticket
    assert (ticket.state, ticket.bot_may_act) == (TicketState.HANDED_BACK, False)


async def test_a_record_is_proposed_with_its_evidence_and_taken_away_again(desk: Desk) -> None:
    """Where nothing points to a record the modal says so; a chosen one is shown as not proved, until it is unlinked."""
    card = await desk.post_card()
    await ask(desk, card, DeskAction.LINK)
    assert "submit" not in desk.slack.views[-1]
    assert "Nothing in this conversation points to a record" in visible(desk.slack.views[-1])
    desk.acts.records.known[CustomerId("c1")] = dana()
    await ask(desk, card, DeskAction.LINK)
    view = desk.slack.views[-1]
    assert "the ticket is about their order CL-104233" in str(view)
    assert "record" in (await desk.slack.submit(ALICE, view))["errors"]
    await desk.slack.submit(ALICE, view, record="c1")
    await desk.work()
    shown = visible(desk.slack.message(card))
    assert "dana.fox@example.com" in shown
    assert "Not proved: linked by Alice because" in shown
    await ask(desk, card, DeskAction.UNLINK)
    await desk.work()
    assert "dana.fox@example.com" not in visible(desk.slack.message(card))


async def test_a_record_that_nothing_points_to_is_not_linked(desk: Desk) -> None:
    """A submission that names anybody else's record changes nothing."""
    card = await desk.post_card()
    desk.acts.records.known[CustomerId("c1")] = dana()
    await ask(desk, card, DeskAction.LINK)
    body = desk.slack.submit_body(ALICE, desk.slack.views[-1], record="c1")
    body["view"]["state"]["values"]["record"]["record"]["selected_option"] = {"value": "c999"}
    await desk.slack.deliver(body)
    await desk.work()
    assert desk.acts.log == []
    assert desk.told == [(ALICE, NO_MATCH)]


async def test_a_button_in_the_modal_of_the_rest_says_that_it_is_being_done(desk: Desk) -> None:
    """Release needs no words: the modal thanks, and the ticket waits again."""
    card = await desk.post_card()
    await desk.slack.click(ALICE, card, "tandem_claim")
    await desk.work()
    await ask(desk, card, DeskAction.RELEASE)
    assert "It is being done" in visible(desk.slack.views[-1])
    await desk.work()
    assert state_of(desk) is TicketState.QUEUED


# ---- taking back, taking up again


async def test_what_was_just_done_is_taken_back(desk: Desk) -> None:
    """Undo is offered to who did it, alone; pressed twice, or by somebody else, it changes nothing more."""
    card = await desk.post_card()
    await desk.slack.click(ALICE, card, "tandem_claim")
    await desk.work()
    offer = desk.slack.ephemerals[-1]
    assert (offer["user"], offer["thread_ts"]) == (ALICE, card)
    assert visible(offer) == "You have ticket 1 now.Undo"
    await desk.slack.click(BOB, offer["ts"], DeskAction.UNDO)
    await desk.work()
    assert state_of(desk) is TicketState.CLAIMED
    await desk.slack.click(ALICE, offer["ts"], DeskAction.UNDO)
    await desk.work()
    assert state_of(desk) is TicketState.QUEUED
    assert "Waiting since" in str(desk.slack.message(card))


async def test_a_closed_ticket_is_taken_up_again_from_its_card(desk: Desk) -> None:
    """Reopen is all that a closed card offers."""
    card = await desk.post_card()
    await desk.slack.click(ALICE, card, "tandem_resolve")
    await desk.slack.submit(ALICE, desk.slack.views[-1], "done", closing="nothing_to_do")
    await desk.work()
    assert desk.acts.views[TICKET].ticket.closing == "nothing_to_do"
    await desk.slack.click(BOB, card, DeskAction.REOPEN)
    await desk.work()
    assert "Bob has it" in visible(desk.slack.message(card))


# ---- what cannot be trusted


async def test_a_button_is_good_in_its_tickets_channel_only(desk: Desk) -> None:
    """A value that names another ticket, or none, does nothing to either; an old card says where to go."""
    card = await desk.post_card()
    body = desk.slack.click_body(ALICE, card, "tandem_claim")
    body["actions"][0]["value"] = "nonsense"
    await desk.slack.deliver(body)
    moved = desk.slack.click_body(ALICE, card, DeskAction.REPLY)
    moved["container"]["channel_id"] = "C0OTHER"
    await desk.slack.deliver(moved)
    await desk.work()
    assert desk.acts.log == []
    assert sorted(text for _, text in desk.told) == sorted([prompts.MOVED, prompts.GONE])
