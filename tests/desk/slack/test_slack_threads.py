from __future__ import annotations

import pytest

from bot.desk.slack import listeners
from bot.domain.messages import DeliveryState
from tests.desk.conftest import Desk
from tests.desk.slack.ticket import ALICE, BOB, TICKET
from tests.fakes.slack_rules import tokens, visible


async def test_the_thread_shows_what_was_said_before_and_what_comes_after(desk: Desk) -> None:
    """The transcript before the ticket is one post; each later message of the customer is a line of its own."""
    card = await desk.post_card()
    desk.acts.customer_writes(TICKET, "Hello? <!channel> is anybody there")
    await desk.work()
    before, line = desk.slack.thread(card)
    assert "My mug arrived broken" in visible(before)
    assert "Hello? <!channel> is anybody there" in visible(line)
    assert tokens(line) == []
    for post in (before, line):
        assert (post["link_names"], post["unfurl_links"], post["unfurl_media"], post["mrkdwn"]) == (False,) * 4
        assert post["metadata"]["event_payload"]["ticket_id"] == TICKET


async def test_a_reply_from_the_modal_is_shown_in_the_thread_with_its_delivery(desk: Desk) -> None:
    """What was typed into the modal goes out unchanged and stands in the thread, where ✅ appears."""
    card = await desk.post_card()
    await desk.slack.click(ALICE, card, "tandem_reply")
    assert "My mug arrived broken" in str(desk.slack.views[-1])
    await desk.slack.submit(ALICE, desk.slack.views[-1], "  Hello *Dana* <b> & :wave: ")
    assert desk.inbox.take()[1:] == []
    assert visible(desk.slack.views[-1]).count("Hello *Dana* <b> & :wave:") == 1
    await desk.slack.submit(ALICE, desk.slack.views[-1])
    await desk.work()
    assert desk.acts.sent == [(TICKET, "Hello *Dana* <b> & :wave:", ())]
    line = desk.slack.thread(card)[-1]
    assert "Hello *Dana* <b> & :wave:" in visible(line)
    desk.acts.deliver(TICKET, desk.acts.views[TICKET].transcript[-1].id, DeliveryState.DELIVERED)
    await desk.work()
    assert visible(desk.slack.message(line["ts"])).endswith("✅ Delivered")
    assert desk.slack.reactions(line["ts"]) == set()


async def test_a_failed_delivery_says_why_and_what_to_do(desk: Desk) -> None:
    """❌ stands at the agent's own message, and the thread says in plain words what happened."""
    card = await desk.post_card()
    answer = await desk.slack.write(ALICE, card, "&gt; Hello")
    await desk.work()
    message = desk.acts.views[TICKET].transcript[-1].id
    desk.acts.deliver(TICKET, message, DeliveryState.FAILED, "The customer has blocked us on Telegram.")
    await desk.work()
    assert desk.slack.reactions(answer) == {"x"}
    said = visible(desk.slack.thread(card)[-1])
    assert "The customer has blocked us on Telegram." in said
    assert "Reply again" in said
    desk.acts.deliver(TICKET, message, DeliveryState.SENT)
    await desk.work()
    assert desk.slack.reactions(answer) == {"white_check_mark"}


@pytest.mark.parametrize(
    "text",
    [
        "Is that the one from last week?",
        "the customer said:\n&gt; I want a refund",
        "&gt; I want a refund\nwhat do we do with this?",
        " //&gt; no",
        "&amp;gt; not a quote",
    ],
)
async def test_what_does_not_clearly_go_out_stays_internal(desk: Desk, text: str) -> None:
    """Only a message of which every line starts with > reaches the customer; everything else is a note."""
    card = await desk.post_card()
    await desk.slack.write(ALICE, card, text)
    await desk.work()
    assert desk.acts.sent == []
    assert [kind for kind, *_ in desk.acts.log] == ["note"]


async def test_a_message_that_could_be_either_is_explained(desk: Desk) -> None:
    """Quoting the customer and commenting below it sends nothing, and the author is told so, alone."""
    card = await desk.post_card()
    await desk.slack.write(ALICE, card, "&gt; I want a refund\nwhat do we do?")
    await desk.work()
    (told,) = desk.slack.ephemerals
    assert (told["user"], told["thread_ts"]) == (ALICE, card)
    assert visible(told) == listeners.UNCLEAR


async def test_what_also_goes_to_the_channel_is_not_sent(desk: Desk) -> None:
    """A thread message that is broadcast to the channel stays internal."""
    card = await desk.post_card()
    await desk.slack.write(ALICE, card, "&gt; Hello", subtype="thread_broadcast")
    await desk.work()
    assert desk.acts.sent == []
    assert visible(desk.slack.ephemerals[0]) == listeners.BROADCAST


async def test_an_unsent_reply_is_given_back(desk: Desk) -> None:
    """When a reply from the modal cannot be sent, its author gets the text back to copy."""
    card = await desk.post_card()
    await desk.slack.click(ALICE, card, "tandem_reply")
    await desk.slack.submit(ALICE, desk.slack.views[-1], "a long and careful answer")
    preview = desk.slack.views[-1]
    await desk.slack.click(BOB, card, "tandem_resolve")
    await desk.slack.submit(BOB, desk.slack.views[-1])
    await desk.work()
    await desk.slack.submit(ALICE, preview)
    await desk.work()
    ((user, told),) = desk.told
    assert user == ALICE
    assert "Ticket 1 is closed." in told
    assert "a long and careful answer" in told


async def test_a_thread_that_is_no_ticket_is_left_alone(desk: Desk) -> None:
    """Talk in other threads of the channel, or in other channels, is nobody's reply."""
    card = await desk.post_card()
    await desk.slack.write(ALICE, "1.0", "&gt; Hello")
    other = {"type": "message", "user": ALICE, "text": "&gt; Hi", "ts": "2.0", "thread_ts": card, "channel": "C0OTHER"}
    await desk.slack.deliver(desk.slack.event(other))
    await desk.work()
    assert desk.acts.log == []
    assert desk.slack.ephemerals == []


async def test_mentions_links_and_emoji_are_sent_as_people_read_them(desk: Desk) -> None:
    """Slack's own marks become names, addresses and characters."""
    card = await desk.post_card()
    emoji = {"type": "emoji", "name": "wave", "unicode": "1f44b-1f3fb", "skin_tone": 2}
    blocks = [{"type": "rich_text", "elements": [{"type": "rich_text_quote", "elements": [emoji]}]}]
    text = "&gt; :wave::skin-tone-2: <@U0BOB> has <https://copperleaf.example/r|the form>, <https://copperleaf.example>"
    await desk.slack.write(ALICE, card, text, blocks=blocks)
    await desk.work()
    sent = "👋🏻 Bob has the form (https://copperleaf.example/r), https://copperleaf.example"
    assert [text for _, text, _ in desk.acts.sent] == [sent]


async def test_a_sign_without_words_is_nothing_to_send(desk: Desk) -> None:
    """`>` alone sends nothing, is marked ❌, and says why; a mark that fails stops nothing."""
    card = await desk.post_card()
    first = await desk.slack.write(ALICE, card, "&gt;")
    await desk.work()
    assert desk.slack.reactions(first) == {"x"}
    desk.slack.fail("reactions.add", "no_permission")
    await desk.slack.write(ALICE, card, "&gt; ")
    await desk.work()
    assert [visible(told) for told in desk.slack.ephemerals] == [listeners.EMPTY] * 2


async def test_a_person_who_cannot_be_told_is_not_waited_for(desk: Desk) -> None:
    """Somebody who left the channel stops nothing; a Slack that is down is tried again."""
    card = await desk.post_card()
    desk.slack.add_user("U0EVE", "Eve", is_bot=True)
    await desk.slack.write("U0EVE", card, "&gt; hi")
    (raw,) = desk.inbox.take()
    desk.slack.fail("chat.postEphemeral", "user_not_in_channel")
    await desk.app.handle(raw)
    desk.slack.fail("chat.postEphemeral", "500")
    with pytest.raises(Exception, match="status: 500"):
        await desk.app.handle(raw)
    assert desk.acts.log == []
