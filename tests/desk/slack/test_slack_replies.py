from __future__ import annotations

import pytest

from bot.desk.slack import listeners, prompts
from bot.desk.slack.buttons import DeskAction
from bot.domain.macros import Macro
from bot.domain.messages import DeliveryState
from bot.domain.tickets import Agent, AgentId
from tests.desk.conftest import Desk
from tests.desk.slack.ticket import ALICE, BOB, TICKET, ask
from tests.fakes.slack_api import QUEUE
from tests.fakes.slack_rules import visible


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
