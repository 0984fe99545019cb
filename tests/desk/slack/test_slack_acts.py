from __future__ import annotations

from datetime import timedelta

import pytest

from bot.desk.slack import listeners, prompts
from bot.desk.slack.buttons import DeskAction
from bot.desk.slack.doing import NO_MATCH
from bot.domain.customers import CustomerId
from bot.domain.macros import Macro
from bot.domain.messages import DeliveryState
from bot.domain.tickets import Agent, AgentId, Priority, TicketId, TicketState
from bot.pipeline.desk.shifts import Shifts
from tests.desk.conftest import Desk
from tests.desk.floor import START
from tests.desk.records import dana
from tests.fakes.slack_api import QUEUE
from tests.fakes.slack_rules import nodes, tokens, visible

ALICE, BOB = "U0ALICE", "U0BOB"
TICKET = TicketId(f"{1:032x}")


def state_of(desk: Desk) -> TicketState:
    """Return where the first ticket stands."""
    return desk.acts.views[TICKET].ticket.state


def in_hours(hours: int) -> int:
    """Return a moment as Slack's pickers give it."""
    return int((START + timedelta(hours=hours)).timestamp())


async def ask(desk: Desk, card: str, action: DeskAction, user: str = ALICE) -> None:
    """Open a modal, by way of More where the card has no button for it."""
    offered = [found for block in desk.slack.message(card)["blocks"] for found in str(block).split("'")]
    if any(entry.split(" ")[0] == action for entry in offered):
        await desk.slack.click(user, card, action)
        return
    await desk.slack.click(user, card, DeskAction.MORE)
    await desk.slack.press(user, desk.slack.views[-1], action)


# ---- what goes to the customer


async def test_an_envelope_sends_exactly_that_message_once(desk: Desk) -> None:
    """Put on a note by its author it reaches the customer as it stands, however often it is put there."""
    card = await desk.post_card()
    note = await desk.slack.write(ALICE, card, "We refund *everything* &amp; more")
    await desk.slack.write(ALICE, card, "secret")
    await desk.work()
    for name in ("envelope", "incoming_envelope", "thumbsup", "email"):
        await desk.slack.react(ALICE, note, name)
    await desk.slack.choose(ALICE, note, DeskAction.SEND_THIS)
    await desk.work()
    assert [text for _, text, _ in desk.acts.sent] == ["We refund *everything* & more"]
    line = desk.acts.views[TICKET].transcript[-1]
    desk.acts.deliver(TICKET, line.id, DeliveryState.DELIVERED)
    await desk.work()
    assert desk.slack.reactions(note) == {"white_check_mark"}
    assert sum("We refund" in visible(post) for post in desk.slack.thread(card)) == 0


async def test_only_its_author_or_who_has_the_ticket_sends_a_message(desk: Desk) -> None:
    """A colleague's envelope on somebody else's note does nothing but tell them why."""
    card = await desk.post_card()
    note = await desk.slack.write(ALICE, card, "Sorry!")
    await desk.slack.react(BOB, note, "envelope")
    await desk.work()
    assert desk.acts.sent == []
    assert desk.told == [(BOB, listeners.NOT_YOURS)]
    await desk.slack.click(BOB, card, "tandem_claim")
    await desk.slack.react(BOB, note, "incoming_envelope")
    await desk.work()
    assert [text for _, text, _ in desk.acts.sent] == ["Sorry!"]


async def test_an_envelope_on_what_was_sent_already_sends_nothing_more(desk: Desk) -> None:
    """A message that starts with > went out when it was written."""
    card = await desk.post_card()
    sent = await desk.slack.write(ALICE, card, "&gt; Hello")
    await desk.slack.react(ALICE, sent, "envelope")
    await desk.slack.react(ALICE, card, "envelope")
    await desk.slack.choose(ALICE, card, DeskAction.SEND_THIS)
    await desk.work()
    assert [text for _, text, _ in desk.acts.sent] == ["Hello"]
    assert desk.told == [(ALICE, listeners.NO_MESSAGE)]


async def test_a_preview_shows_what_came_in_meanwhile_and_a_change_is_shown_again(desk: Desk) -> None:
    """Nothing is sent but what was just shown; the customer's newer line stands beside it."""
    card = await desk.post_card()
    await desk.slack.click(ALICE, card, "tandem_reply")
    desk.acts.customer_writes(TICKET, "it was the blue one")
    await desk.slack.submit(ALICE, desk.slack.views[-1], "Which one?")
    assert "While you wrote: Dana Fox: it was the blue one" in visible(desk.slack.views[-1])
    await desk.slack.submit(ALICE, desk.slack.views[-1], "The blue one, I see")
    await desk.work()
    assert desk.acts.sent == []
    await desk.slack.submit(ALICE, desk.slack.views[-1])
    await desk.work()
    assert [text for _, text, _ in desk.acts.sent] == ["The blue one, I see"]


async def test_what_comes_in_after_the_preview_is_told_before_anything_is_sent(desk: Desk) -> None:
    """A customer who wrote after the agent looked is not answered past; the text is given back."""
    card = await desk.post_card()
    await desk.slack.click(ALICE, card, "tandem_reply")
    await desk.slack.submit(ALICE, desk.slack.views[-1], "Which one?")
    desk.acts.customer_writes(TICKET, "never mind, I found it")
    await desk.slack.submit(ALICE, desk.slack.views[-1])
    await desk.work()
    assert desk.acts.sent == []
    ((_, told),) = desk.told
    assert "Which one?" in told


async def test_edits_and_deletions_of_what_was_sent_are_passed_on(desk: Desk) -> None:
    """An edit becomes an amendment, a deletion takes it back; an edit of a note stays where it is."""
    card = await desk.post_card()
    sent = await desk.slack.write(ALICE, card, "&gt; Hello")
    note = await desk.slack.write(ALICE, card, "hm")
    await desk.work()
    await desk.slack.edit(sent, "&gt; Hello Dana")
    await desk.slack.edit(note, "&gt; hm")
    await desk.slack.edit(sent, "Hello Dana!")
    await desk.slack.delete(sent)
    await desk.work()
    assert [kind for kind, *_ in desk.acts.log] == ["reply", "note", "amend", "amend"]
    assert [text for _, text in desk.told] == [listeners.NEVER_SENT, listeners.NO_LONGER]


async def test_what_was_changed_into_a_note_again_stays_where_it_is(desk: Desk) -> None:
    """A note that became a reply and was sent by an envelope is one: without its `>` it is no new version of it."""
    card = await desk.post_card()
    written = await desk.slack.write(ALICE, card, "about Dana")
    await desk.work()
    await desk.slack.edit(written, "&gt; Hello Dana")
    await desk.work()
    await desk.slack.react(ALICE, written, "envelope")
    await desk.work()
    for text in ("Hello Dana", "she always complains"):
        await desk.slack.edit(written, text)
        await desk.work()
    assert [kind for kind, *_ in desk.acts.log] == ["note", "reply"]
    assert [text for _, text in desk.told] == [listeners.NEVER_SENT, listeners.NO_LONGER, listeners.NO_LONGER]


async def test_whoever_asks_for_a_message_to_be_sent_waits_for_who_asked_before(desk: Desk) -> None:
    """An envelope and the entry of its menu go by the message, so that one sees what the other has done."""
    card = await desk.post_card()
    note = await desk.slack.write(ALICE, card, "Hello")
    await desk.work()
    await desk.slack.react(ALICE, note, "envelope")
    await desk.slack.choose(ALICE, note, DeskAction.SEND_THIS)
    assert {address.external_id for address, _ in desk.inbox.rows.values()} == {f"{QUEUE}:{note}"}


async def test_a_failed_reply_is_tried_again_from_its_post(desk: Desk) -> None:
    """The button under the failure sends the same line once more."""
    card = await desk.post_card()
    await desk.slack.write(ALICE, card, "&gt; Hello")
    await desk.work()
    desk.acts.deliver(TICKET, desk.acts.views[TICKET].transcript[-1].id, DeliveryState.FAILED, "The phone is off.")
    await desk.work()
    failure = desk.slack.thread(card)[-1]
    await desk.slack.click(ALICE, failure["ts"], DeskAction.RESEND)
    await desk.work()
    assert [text for _, text, _ in desk.acts.sent] == ["Hello", "Hello"]


# ---- drafts of the bot


@pytest.mark.parametrize("action", [DeskAction.SEND_SUGGESTION, DeskAction.SUGGESTED, DeskAction.REJECT_SUGGESTION])
async def test_a_draft_is_sent_changed_or_marked_as_wrong(desk: Desk, action: DeskAction) -> None:
    """Each button does its thing once, and what became of the draft stands on its post."""
    card = await desk.post_card()
    desk.acts.offers(TICKET, "It takes three to five days.")
    await desk.work()
    assert "Suggested answer" in visible(desk.slack.message(card))
    post = desk.slack.thread(card)[-1]
    assert "It takes three to five days." in visible(post)
    click = desk.slack.click_body(ALICE, post["ts"], action)
    await desk.slack.deliver(click)
    if action is DeskAction.SUGGESTED:
        await desk.slack.submit(ALICE, desk.slack.views[-1], "It takes five days.")
        await desk.slack.submit(ALICE, desk.slack.views[-1])
    await desk.work()
    await desk.slack.deliver(click)
    await desk.work()
    sent = {DeskAction.SEND_SUGGESTION: ["It takes three to five days."], DeskAction.SUGGESTED: ["It takes five days."]}
    assert [text for _, text, _ in desk.acts.sent] == sent.get(action, [])
    states = {DeskAction.SEND_SUGGESTION: "sent", DeskAction.SUGGESTED: "edited", DeskAction.REJECT_SUGGESTION: "wrong"}
    assert [draft.state for draft in desk.acts.views[TICKET].suggestions] == [states[action]]
    assert "Suggested answer" not in visible(desk.slack.message(card))


async def test_no_thread_is_read_for_a_new_draft(desk: Desk) -> None:
    """However long a thread has grown, a draft costs one call; Slack lets us read fifty threads a minute."""
    await desk.post_card()
    for number in range(3):
        desk.acts.offers(TICKET, f"Draft {number}")
        await desk.work()
    assert "conversations.replies" not in [method for method, _ in desk.slack.calls]


async def test_the_cards_button_begins_with_the_newest_draft(desk: Desk) -> None:
    """It can be changed before it is sent, like any reply."""
    card = await desk.post_card()
    desk.acts.offers(TICKET, "It takes three to five days.")
    await desk.work()
    await desk.slack.click(ALICE, card, DeskAction.SUGGESTED)
    assert "It takes three to five days." in str(desk.slack.views[-1]["blocks"])
    await desk.slack.submit(ALICE, desk.slack.views[-1])
    await desk.slack.submit(ALICE, desk.slack.views[-1])
    await desk.work()
    assert [text for _, text, _ in desk.acts.sent] == ["It takes three to five days."]


# ---- modals


async def test_a_canned_reply_asks_for_what_the_ticket_does_not_tell(desk: Desk) -> None:
    """It is picked, its gaps are filled, what is missing is asked, and it can be changed before it is sent."""
    await desk.macros.add(
        Macro(title="Replacement", text="Hello {customer.first_name}, it is with you by {promise.date}. {agent.name}"),
        Agent(id=AgentId("slack:U1"), name="Sam"),
    )
    card = await desk.post_card()
    await ask(desk, card, DeskAction.MACRO)
    answer = await desk.slack.submit(ALICE, desk.slack.views[-1])
    assert answer["errors"] == {"macro": "Choose one."}
    await desk.slack.submit(ALICE, desk.slack.views[-1], macro="Replacement")
    answer = await desk.slack.submit(ALICE, desk.slack.views[-1], gap_0=" ")
    assert answer["errors"] == {"gap_0": "The text needs this."}
    await desk.slack.submit(ALICE, desk.slack.views[-1], gap_0="Friday")
    await desk.slack.submit(ALICE, desk.slack.views[-1])
    await desk.slack.submit(ALICE, desk.slack.views[-1])
    await desk.work()
    assert [text for _, text, _ in desk.acts.sent] == ["Hello Dana, it is with you by Friday. Alice"]


async def test_a_canned_reply_is_made_from_a_message(desk: Desk) -> None:
    """Its menu opens a modal with the text in it; a gap that nothing fills is refused where it stands."""
    card = await desk.post_card()
    message = await desk.slack.write(ALICE, card, "&gt; Thank you, Dana!")
    await desk.slack.choose(ALICE, message, DeskAction.MAKE_MACRO)
    view = desk.slack.views[-1]
    answer = await desk.slack.submit(ALICE, view, "Thanks, {customer.shoes}!", title="Thanks")
    assert "{customer.shoes}, which nothing fills" in answer["errors"]["text"]
    await desk.slack.submit(ALICE, view, "Thank you, {customer.first_name}!", title="Thanks")
    await desk.work()
    assert [macro.text for macro in await desk.macros.all()] == ["Thank you, {customer.first_name}!"]


async def test_one_message_of_the_customers_is_answered(desk: Desk) -> None:
    """The modal shows what is answered, the thread what was."""
    card = await desk.post_card()
    asked = desk.acts.customer_writes(TICKET, "Does it fit a 12 cm cup?")
    await desk.work()
    post = desk.slack.thread(card)[-1]["ts"]
    desk.acts.customer_writes(TICKET, "And is it blue?")
    await desk.work()
    await desk.slack.choose(ALICE, post, DeskAction.ANSWER_THIS)
    view = desk.slack.views[-1]
    assert "Does it fit a 12 cm cup?" in visible(view)
    assert "And is it blue?" not in visible(view)
    await desk.slack.submit(ALICE, view, "It does.")
    await desk.slack.submit(ALICE, desk.slack.views[-1])
    await desk.work()
    said = desk.acts.views[TICKET].transcript[-1]
    assert said.quotes is not None
    assert (said.text, said.quotes.id, said.quotes.text) == ("It does.", asked, "Does it fit a 12 cm cup?")
    assert "Answers “Does it fit a 12 cm cup?”" in visible(desk.slack.thread(card)[-1])


async def test_only_customers_are_answered_so(desk: Desk) -> None:
    """Chosen on a card, a note or what an agent wrote, it says what to choose instead."""
    card = await desk.post_card()
    note = await desk.slack.write(ALICE, card, "she called")
    for post in (card, note):
        await desk.slack.choose(ALICE, post, DeskAction.ANSWER_THIS)
        assert prompts.NOT_THEIRS in visible(desk.slack.views[-1])


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


# ---- commands


async def answer(desk: Desk, user: str, text: str) -> str:
    """Write a command and return what was answered, with no mark-up but our own."""
    number = await desk.slack.command(user, text)
    await desk.work()
    shown = desk.slack.answers[number]
    assert shown["response_type"] == "ephemeral"
    assert all(token.startswith("<!date^") for token in tokens(shown))
    return visible(shown)


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


# ---- App Home


async def test_home_shows_what_is_mine_and_what_waits(desk: Desk) -> None:
    """Opening it publishes it; Next gives a ticket and shows it there, with the way to its card."""
    await desk.post_card()
    await desk.slack.open_home(ALICE)
    await desk.work()
    assert "Yours (0)" in visible(desk.slack.homes[ALICE])
    assert "In the queue (1)" in visible(desk.slack.homes[ALICE])
    await desk.slack.press(ALICE, desk.slack.homes[ALICE], DeskAction.NEXT)
    await desk.work()
    shown = visible(desk.slack.homes[ALICE])
    assert "Ticket 1 is yours: refund." in shown
    assert "Yours (1)" in shown
    (link,) = [node["url"] for node in nodes(desk.slack.homes[ALICE]["blocks"]) if "url" in node]
    assert link.startswith(f"https://copperleaf.slack.com/archives/{QUEUE}/p18")


async def test_home_claims_a_ticket_and_turns_pages(desk: Desk) -> None:
    """A ticket of the queue is claimed right there; more than a page is paged."""
    for _ in range(20):
        desk.acts.open()
    await desk.work()
    await desk.slack.open_home(ALICE)
    await desk.work()
    home = desk.slack.homes[ALICE]
    assert "#20" not in visible(home)
    await desk.slack.press(ALICE, home, f"{DeskAction.PAGE}:on")
    await desk.work()
    assert "#20" in visible(desk.slack.homes[ALICE])
    await desk.slack.press(ALICE, home, f"{DeskAction.CLAIM}:1")
    await desk.work()
    assert "Yours (1)" in visible(desk.slack.homes[ALICE])


async def test_home_says_who_is_there_and_shows_leads_the_load(desk: Desk) -> None:
    """Away and back are kept and shown; a lead, named by group, sees every team's tickets and people."""
    parts = desk.app._events._parts
    object.__setattr__(parts.resources, "shifts", Shifts(desk.acts._parts, desk.acts))
    object.__setattr__(parts.people, "_leads", ("S0LEADS",))
    desk.slack.groups["S0LEADS"] = [BOB]
    await desk.post_card()
    for user in (ALICE, BOB):
        await desk.slack.open_home(user)
    await desk.work()
    await desk.slack.press(ALICE, desk.slack.homes[ALICE], DeskAction.AVAILABLE)
    await desk.work()
    assert "You are available." in visible(desk.slack.homes[ALICE])
    assert "I am away" in visible(desk.slack.homes[ALICE])
    assert "Today: 0 closed" in visible(desk.slack.homes[ALICE])
    assert "All teams" not in visible(desk.slack.homes[ALICE])
    assert "Everybody · 1 waiting" in visible(desk.slack.homes[BOB])
    assert "You are away" in await answer(desk, ALICE, "away")
    await desk.slack.press(BOB, desk.slack.homes[BOB], DeskAction.NEXT)
    await desk.work()
    assert "Bob: 1 ticket" in visible(desk.slack.homes[BOB])
    assert visible(desk.slack.homes[BOB]).count("Today: 0 closed") == 2


async def test_home_tells_strangers_that_it_is_not_theirs(desk: Desk) -> None:
    """A guest sees no customer's name, and presses nothing."""
    await desk.post_card()
    desk.slack.add_user("U0GUEST", "Gil", is_restricted=True)
    await desk.slack.open_home("U0GUEST")
    await desk.work()
    home = desk.slack.homes["U0GUEST"]
    assert "Guests cannot answer customers." in visible(home)
    assert "Dana" not in visible(home)
    await desk.slack.press("U0GUEST", home, DeskAction.NEXT)
    await desk.work()
    assert state_of(desk) is TicketState.QUEUED


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
