from __future__ import annotations

import asyncio
import io

import aiohttp
import pytest

from bot.desk import words
from bot.desk.slack import listeners, prompts
from bot.desk.slack.app import SlackAccount, SlackDesk
from bot.domain.errors import SettingsError
from bot.domain.messages import Attachment, AttachmentKind, DeliveryState
from bot.domain.rules import Team
from bot.domain.tickets import EVERYBODY, TeamName, TicketId, TicketState
from tests.desk.conftest import Desk
from tests.desk.records import dana
from tests.desk.serving import serve
from tests.fakes.slack import APP_TOKEN, BOT_TOKEN, FakeSlack
from tests.fakes.slack_api import QUEUE
from tests.fakes.slack_rules import tokens, visible

ALICE, BOB = "U0ALICE", "U0BOB"
TICKET = TicketId(f"{1:032x}")


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


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        ({"is_bot": True}, "Bots"),
        ({"is_restricted": True}, "Guests"),
        ({"is_ultra_restricted": True, "is_restricted": True}, "Guests"),
        ({"is_stranger": True}, "members of this workspace"),
        ({"team_id": "T0OTHER"}, "members of this workspace"),
        ({"deleted": True}, "deactivated"),
        (None, "does not know you"),
    ],
)
async def test_only_members_of_the_workspace_act(desk: Desk, flags: dict[str, object] | None, reason: str) -> None:
    """Bots, guests, strangers and people who left can neither claim nor reply by any way, and are told why."""
    card = await desk.post_card()
    if flags is not None:
        desk.slack.add_user("U0EVE", "Eve", **flags)
    await desk.slack.click("U0EVE", card, "tandem_claim")
    await desk.slack.click("U0EVE", card, "tandem_reply")
    await desk.slack.write("U0EVE", card, "&gt; send me your password")
    await desk.slack.click(ALICE, card, "tandem_reply")
    answer = await desk.slack.submit("U0EVE", desk.slack.views[-1], "send me your password")
    await desk.slack.click(ALICE, card, "tandem_note")
    note = desk.slack.submit_body("U0EVE", desk.slack.views[-1], "send me your password")
    await desk.work()
    await desk.app.handle(note)
    assert desk.acts.log == []
    assert len(desk.slack.views) == 2
    assert reason in answer["errors"]["text"]
    assert [user for user, text in desk.told if reason in text] == ["U0EVE"] * 4


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


async def test_everything_may_be_handed_in_again(desk: Desk) -> None:
    """Slack's repeats, and a worker that died after acting, change nothing."""
    card = await desk.post_card()
    await desk.slack.click(ALICE, card, "tandem_reply")
    await desk.slack.submit(ALICE, desk.slack.views[-1], "from the modal")
    view = desk.slack.views[-1]
    desk.inbox.take()
    bodies = [
        desk.slack.click_body(ALICE, card, "tandem_claim"),
        desk.slack.submit_body(ALICE, view, "from the modal"),
        desk.slack.event(
            {"type": "message", "user": ALICE, "text": "&gt; one", "ts": "1.0", "thread_ts": card, "channel": QUEUE}
        ),
    ]
    for _ in range(2):
        for body in bodies:
            await desk.slack.deliver(body)
    # The same message once more, as an event of its own: from the other transport, or found in history.
    await desk.slack.deliver(desk.slack.event(bodies[2]["event"]))
    raws = desk.inbox.take()
    assert len(raws) == 3
    for raw in [*raws, *raws]:
        await desk.app.handle(raw)
    assert [kind for kind, *_ in desk.acts.log] == ["claimed", "reply", "reply"]
    assert [text for _, text, _ in desk.acts.sent] == ["from the modal", "one"]


async def test_nothing_is_acknowledged_before_it_is_durable(desk: Desk) -> None:
    """While the database is down Slack gets a 5xx, and takes the hint: it repeats."""
    card = await desk.post_card()
    desk.inbox.failing = 2
    await desk.slack.write(ALICE, card, "&gt; Hello")
    assert desk.slack.deliveries[-3:] == [503, 503, 200]
    await desk.work()
    assert [text for _, text, _ in desk.acts.sent] == ["Hello"]


async def test_events_of_no_use_are_acknowledged_and_counted(desk: Desk) -> None:
    """Unknown events, our own posts and messages outside of threads get a 200 and are not kept."""
    await desk.post_card()
    await desk.slack.deliver(desk.slack.event({"type": "team_join", "user": {}}))
    await desk.slack.write(ALICE, None, "&gt; hello everybody")
    own = next(m for m in desk.slack.messages if m.get("thread_ts"))
    await desk.slack.deliver(desk.slack.event({**own, "text": "&gt; echo"}))
    assert set(desk.slack.deliveries) == {200}
    assert desk.inbox.rows == {}
    assert desk.app.ignored == {"event/team_join": 1, "event/message": 2}


async def test_a_thread_that_is_no_ticket_is_left_alone(desk: Desk) -> None:
    """Talk in other threads of the channel, or in other channels, is nobody's reply."""
    card = await desk.post_card()
    await desk.slack.write(ALICE, "1.0", "&gt; Hello")
    other = {"type": "message", "user": ALICE, "text": "&gt; Hi", "ts": "2.0", "thread_ts": card, "channel": "C0OTHER"}
    await desk.slack.deliver(desk.slack.event(other))
    await desk.work()
    assert desk.acts.log == []
    assert desk.slack.ephemerals == []


@pytest.mark.parametrize("what", ["body", "signature", "old", "none"])
async def test_requests_that_are_not_slacks_are_refused(desk: Desk, what: str) -> None:
    """A changed body, a wrong signature, a replay after five minutes and an unsigned request get a 401."""
    body = desk.slack.event({"type": "message", "user": ALICE, "text": "&gt; x", "ts": "1.0", "thread_ts": "2.0"})
    raw, headers = desk.slack.signed(body, at=0.0 if what == "old" else None)
    if what == "body":
        raw += b" "
    if what == "signature":
        headers["x-slack-signature"] = "v0=" + "0" * 64
    if what == "none":
        headers = {"content-type": "application/json"}
    assert await _post(desk, raw, headers) == 401
    assert desk.inbox.count == 0


@pytest.mark.parametrize("raw", [b"{", b"\xff\xfe", b'{"a":' * 100_000, b"payload=%7B", b""])
async def test_malformed_bodies_are_refused(desk: Desk, raw: bytes) -> None:
    """Bytes that are neither JSON nor a form never crash the route."""
    assert await _post(desk, raw, {"content-type": "application/json"}) in {400, 401}


async def test_slacks_own_check_of_the_address_is_answered(desk: Desk) -> None:
    """The handshake gets its challenge back."""
    body = {"type": "url_verification", "token": "legacy", "challenge": "abc"}
    raw, headers = desk.slack.signed(body)
    async with (
        aiohttp.ClientSession() as session,
        session.post(str(desk.slack.events_url), data=raw, headers=headers) as answer,
    ):
        assert (await answer.json())["challenge"] == "abc"


async def test_a_blank_hand_back_keeps_the_modal_open(desk: Desk) -> None:
    """The outcome is required, and spaces are no outcome."""
    card = await desk.post_card()
    await desk.slack.click(ALICE, card, "tandem_hand_back")
    answer = await desk.slack.submit(ALICE, desk.slack.views[-1], "   ")
    assert answer["response_action"] == "errors"
    assert desk.inbox.take()[1:] == []


async def test_files_with_a_reply_are_taken_over(desk: Desk) -> None:
    """A file that an agent puts with a > message is kept and goes out with it; with a note it stays."""
    card = await desk.post_card()
    label = desk.slack.upload("label.png", "image/png", b"png")
    await desk.slack.write(ALICE, card, "&gt; Your label", subtype="file_share", files=[label])
    await desk.slack.write(ALICE, card, "", subtype="file_share", files=[label])
    await desk.work()
    ((_, text, (attachment,)),) = desk.acts.sent
    assert (text, attachment.name, attachment.kind) == ("Your label", "label.png", AttachmentKind.IMAGE)
    assert attachment.media_id is not None
    assert desk.media.files[attachment.media_id][1] == b"png"
    assert ("note", TICKET, "Alice", "[file: label.png]") in desk.acts.log


async def test_a_file_that_cannot_go_out_is_refused_with_its_message(desk: Desk) -> None:
    """A file from elsewhere, too large or gone stops the whole message: ❌ and a reason, and no token leaves."""
    card = await desk.post_card()
    elsewhere = {"name": "a.png", "mimetype": "image/png", "size": 3, "url_private": "https://evil.example/a.png"}
    large = {**desk.slack.upload("b.png", "image/png", b"x"), "size": 10**9}
    gone = {**desk.slack.upload("c.png", "image/png", b"x"), "url_private_download": f"{desk.slack.url}/files/none"}
    for file in (elsewhere, large, gone):
        ts = await desk.slack.write(ALICE, card, "&gt; here", subtype="file_share", files=[file])
        await desk.work()
        assert desk.slack.reactions(ts) == {"x"}
    assert desk.acts.sent == []
    assert len(desk.slack.ephemerals) == 3


async def test_customers_files_are_shown_in_the_thread(desk: Desk) -> None:
    """A stored file of the customer's is uploaded into the thread once, beside its line; a lost one is named."""
    card = await desk.post_card()
    kept = await desk.media.put(b"jpeg", _photo("mug.jpg"))
    desk.acts.customer_writes(TICKET, "look", (kept, _photo("lost.jpg")))
    desk.slack.fail("chat.postMessage", "429")
    await desk.work()
    files = [m for m in desk.slack.thread(card) if m.get("files")]
    assert [file["files"][0]["name"] for file in files] == ["mug.jpg"]
    line = visible(desk.slack.thread(card)[-1])
    assert "[image: mug.jpg]" in line
    assert "[image: lost.jpg] is not kept" in line


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


async def test_a_person_who_left_is_refused_within_a_minute(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Slack's word on somebody is believed for sixty seconds and no longer."""
    people = desk.app._events._parts.people
    now = 0.0
    monkeypatch.setattr(people, "_clock", lambda: now)
    assert (await people.verdict(ALICE)).agent is not None
    desk.slack.users[ALICE]["deleted"] = True
    now = 59.0
    assert (await people.verdict(ALICE)).agent is not None
    now = 61.0
    assert (await people.verdict(ALICE)).agent is None
    assert [method for method, _ in desk.slack.calls].count("users.info") == 2


async def test_a_user_group_narrows_agents_down(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a group configured, other members of the workspace only look on."""
    people = desk.app._events._parts.people
    monkeypatch.setattr(people, "_user_groups", ("S0AGENTS",))
    desk.slack.groups["S0AGENTS"] = [BOB]
    assert (await people.verdict(ALICE)).agent is None
    assert (await people.verdict(BOB)).agent is not None


async def test_agents_are_of_the_teams_whose_groups_they_are_in(desk: Desk) -> None:
    """A team with a user group is of its members, one without is everybody's; without any group all teams are."""
    people = desk.app._events._parts.people
    desk.slack.groups["S0RETURNS"] = [BOB]
    teams = [Team(name=TeamName("returns"), title="Returns", user_group="S0RETURNS"), Team(name=EVERYBODY, title="All")]
    assert await people.teams_of(ALICE, teams) == (EVERYBODY,)
    assert await people.teams_of(BOB, teams) == ("returns", EVERYBODY)
    assert await people.teams_of(ALICE, teams[1:]) is None


async def test_an_event_is_tried_again_when_slack_cannot_be_asked(desk: Desk) -> None:
    """While Slack does not say who somebody is, nothing is done and the worker keeps the event."""
    card = await desk.post_card()
    await desk.slack.write(ALICE, card, "&gt; Hello")
    desk.slack.fail("users.info", "500")
    (raw,) = desk.inbox.take()
    with pytest.raises(Exception, match="status: 500"):
        await desk.app.handle(raw)
    assert desk.acts.sent == []
    await desk.app.handle(raw)
    assert [text for _, text, _ in desk.acts.sent] == ["Hello"]


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


async def test_a_file_that_slack_does_not_take_is_named_in_the_line(desk: Desk) -> None:
    """Without the scope for files, or with an empty file, the customer's words are shown all the same."""
    card = await desk.post_card()
    desk.slack.fail("files.getUploadURLExternal", "missing_scope")
    kept = await desk.media.put(b"jpeg", _photo("mug.jpg"))
    desk.acts.customer_writes(TICKET, "look", (kept,))
    await desk.work()
    line = visible(desk.slack.thread(card)[-1])
    assert "look" in line
    assert "[image: mug.jpg] cannot be shown here: the app lacks a permission" in line


async def test_a_body_beyond_measure_is_refused(desk: Desk) -> None:
    """Slack sends no megabytes."""
    assert await _post(desk, b"x" * (2 * 1024 * 1024 + 1), {"content-type": "application/json"}) == 413


async def test_http_is_closed_while_socket_mode_is_used(desk: Desk, slack: FakeSlack) -> None:
    """Without a signing secret nothing that comes over HTTP can be Slack's."""
    account = SlackAccount(bot_token=BOT_TOKEN, channel=QUEUE, app_token=APP_TOKEN, base_url=slack.base_url)
    app = SlackDesk(account, desk.acts, desk.media, desk.inbox.persist)
    async with serve(app.blueprint()) as url:
        slack.events_url = f"{url}/slack/events"
        await slack.click(ALICE, await desk.post_card(), "tandem_claim")
    assert slack.deliveries[-1] == 404
    assert desk.inbox.count == 0


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


async def test_socket_mode_acknowledges_what_is_durable_and_connects_again(desk: Desk) -> None:
    """Events and modals come over the socket; without the commit there is no acknowledgement, so they are repeated."""
    card = await desk.post_card()
    running = asyncio.create_task(desk.app.run_socket_mode())
    try:
        first = await desk.slack.connections.get()
        desk.inbox.failing, desk.slack.patience = 1, [0.2]
        await desk.slack.write(ALICE, card, "&gt; over the socket")
        assert [ack.cancelled() for ack in first.acks.values()] == [True, False]
        await desk.slack.click(ALICE, card, "tandem_note")
        answer = await desk.slack.submit(ALICE, desk.slack.views[-1], " ")
        assert answer["response_action"] == "errors"
        await desk.work()
        assert [text for _, text, _ in desk.acts.sent] == ["over the socket"]

        await first.ws.send_json({"type": "disconnect", "reason": "refresh_requested"})
        await desk.slack.connections.get()
        await desk.slack.write(ALICE, card, "&gt; after the refresh")
        await desk.work()
        assert [text for _, text, _ in desk.acts.sent][1:] == ["after the refresh"]
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert running.cancelled()


async def test_the_check_says_where_we_are(desk: Desk) -> None:
    """A sound account is told in one line."""
    assert await desk.app.check() == "Slack: @tandem in Copperleaf, #care, over Socket Mode"


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("revoked", "install the app again"),
        ("scopes", "reactions:write"),
        ("archived", "unarchive"),
        ("not a member", "/invite @tandem"),
        ("no channel", "invite the bot"),
        ("a name", "set its id"),
        ("no group", "no user group"),
        ("down", "slack-status"),
    ],
)
async def test_the_check_says_what_to_fix(desk: Desk, how: str, words: str) -> None:
    """Each fault of the account is named with the way to mend it."""
    channel = desk.slack.channels[QUEUE]
    if how == "revoked":
        desk.slack.is_revoked = True
    if how == "scopes":
        desk.slack.scopes = desk.slack.scopes.replace("reactions:write,", "")
    channel["is_archived"] = how == "archived"
    channel["is_member"] = how != "not a member"
    if how == "no channel":
        desk.slack.channels.clear()
    if how == "down":
        desk.slack.fail("auth.test", "500")
    account = SlackAccount(
        bot_token=BOT_TOKEN,
        channel="#care" if how == "a name" else QUEUE,
        app_token=APP_TOKEN,
        user_groups=("S0NONE",) if how == "no group" else (),
        base_url=desk.slack.base_url,
    )
    with pytest.raises(SettingsError, match=words):
        await SlackDesk(account, desk.acts, desk.media, desk.inbox.persist).check()


def _photo(name: str) -> Attachment:
    return Attachment(kind=AttachmentKind.IMAGE, name=name, media_type="image/jpeg")


async def _post(desk: Desk, raw: bytes, headers: dict[str, str]) -> int:
    async with (
        aiohttp.ClientSession() as session,
        session.post(str(desk.slack.events_url), data=io.BytesIO(raw), headers=headers) as answer,
    ):
        return answer.status
