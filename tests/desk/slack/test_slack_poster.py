from __future__ import annotations

import inspect
from collections.abc import Iterator
from datetime import timedelta

import aiohttp
import pytest
import slack_sdk.errors
from slack_sdk.errors import SlackApiError

from bot.desk.slack.errors import FIXES, classify
from bot.domain.acts import Claim, Reply
from bot.domain.connectors import Ambiguous, Permanent, Retry, Sent
from bot.domain.desk import Blocked, DeskPost, DeskPostKind, Moved
from bot.domain.messages import Attachment, AttachmentKind, DeliveryState, MediaId, MessageId
from bot.domain.tickets import Agent, AgentId, TicketId
from bot.pipeline.desk.views import TRANSCRIPT_MAX
from tests.desk.conftest import Desk
from tests.fakes.slack_api import QUEUE
from tests.fakes.slack_rules import nodes, visible

TICKET = TicketId(f"{1:032x}")
ALICE = Agent(id=AgentId("slack:U0ALICE"), name="Alice")
SAM = Agent(id=AgentId("local:Sam"), name="Sam")
CARD = DeskPost(ticket_id=TICKET, kind=DeskPostKind.CARD)
NOTICE = DeskPost(ticket_id=TICKET, kind=DeskPostKind.NOTICE, text="The engine is back.")


@pytest.mark.parametrize("how", ["accept_then_cut", "cut"])
@pytest.mark.parametrize("post", [CARD, NOTICE])
async def test_a_post_whose_answer_was_lost_is_seen_once(desk: Desk, how: str, post: DeskPost) -> None:
    """Whether or not Slack took it, `send`, `find` and another `send` if need be leave exactly one post."""
    if post is CARD:
        desk.acts.open()
        desk.acts.forget_posts()
    else:
        await desk.post_card()
    before = len(desk.slack.messages)
    desk.slack.fail("chat.postMessage", how)
    assert isinstance(await desk.app.poster.send(post, "key-1"), Ambiguous)
    found = await desk.app.poster.find(post, "key-1")
    if how == "accept_then_cut":
        assert found == Sent(external_id=f"{QUEUE}:{desk.slack.messages[-1]['ts']}")
    else:
        assert isinstance(found, Retry)
        assert isinstance(await desk.app.poster.send(post, "key-1"), Sent)
    assert len(desk.slack.messages) == before + 1


async def test_a_card_is_updated_in_place(desk: Desk) -> None:
    """The second card of a ticket changes the first, and repeating that is harmless."""
    card = await desk.post_card()
    await desk.acts.do(TICKET, SAM, Claim(), "k")
    desk.slack.fail("chat.update", "accept_then_cut")
    results = await desk.acts.drain(desk.app.poster)
    assert [type(result) for result in results] == [Ambiguous, Retry, Sent]
    assert results[-1] == Sent(external_id=f"{QUEUE}:{card}")
    assert [m["ts"] for m in desk.slack.messages if not m.get("thread_ts")] == [card]
    assert "Sam has it" in visible(desk.slack.message(card))


async def test_who_has_a_ticket_is_called_when_its_customer_writes(desk: Desk) -> None:
    """Slack tells nobody of a thread they never wrote in; the queue's tickets, and agents' own lines, call nobody."""
    card = await desk.post_card()
    desk.acts.customer_writes(TICKET, "Is anybody there?")
    await desk.work()
    await desk.acts.do(TICKET, ALICE, Claim(), "k1")
    await desk.acts.do(TICKET, ALICE, Reply(text="Yes, I am."), "k2")
    desk.acts.customer_writes(TICKET, "Hurrah!")
    await desk.work()
    called = {
        visible(post): [n["user_id"] for n in nodes(post) if n.get("type") == "user"]
        for post in desk.slack.thread(card)
    }
    assert [users for said, users in called.items() if "Hurrah!" in said] == [["U0ALICE"]]
    assert [users for said, users in called.items() if "Hurrah!" not in said and users] == []
    again = DeskPost(ticket_id=TICKET, kind=DeskPostKind.LINE, message_id=_said(desk, "Is anybody there?"))
    await desk.app.poster.send(again, "told again")
    assert not [node for node in nodes(desk.slack.thread(card)[-1]) if node.get("type") == "user"]


def _said(desk: Desk, text: str) -> MessageId:
    return next(entry.id for entry in desk.acts.views[TICKET].transcript if entry.text == text)


async def test_a_deleted_card_is_posted_anew(desk: Desk) -> None:
    """When somebody deleted the card, the next change of the ticket brings it back."""
    card = await desk.post_card()
    desk.slack.messages.remove(desk.slack.message(card))
    await desk.acts.do(TICKET, SAM, Claim(), "k")
    await desk.acts.drain(desk.app.poster)
    reference = desk.acts.views[TICKET].ticket.desk_reference
    assert reference is not None
    assert reference != f"{QUEUE}:{card}"
    assert "Sam has it" in visible(desk.slack.message(reference.rpartition(":")[2]))


async def test_what_has_no_thread_gets_its_card_first(desk: Desk) -> None:
    """A post to a thread that does not exist makes the card, and says where it is now."""
    desk.acts.open()
    result = await desk.app.poster.send(NOTICE, "k")
    (card,) = desk.slack.messages
    assert result == Moved(desk_reference=f"{QUEUE}:{card['ts']}")
    assert await desk.app.poster.send(NOTICE, "k") == result
    assert len(desk.slack.messages) == 1


async def test_slack_decides_when_to_go_on(desk: Desk) -> None:
    """A 429 is a retry after the time Slack names, made by the outbox and not by the client."""
    await desk.post_card()
    desk.slack.fail("chat.postMessage", "429", after=17)
    assert await desk.app.poster.send(NOTICE, "k") == Retry(
        reason="Slack asks us to slow down", after=timedelta(seconds=17)
    )


@pytest.mark.parametrize("code", sorted(FIXES))
async def test_what_the_operator_can_mend_is_told_in_plain_words(desk: Desk, code: str) -> None:
    """Each of Slack's refusals becomes a sentence that says what to do, and the post waits for it."""
    await desk.post_card()
    desk.slack.fail("chat.postMessage", code)
    result = await desk.app.poster.send(NOTICE, "k")
    assert result == Blocked(reason=FIXES[code], code=code)


async def test_a_server_error_is_ambiguous(desk: Desk) -> None:
    """After a 5xx nobody knows whether the post is there."""
    await desk.post_card()
    desk.slack.fail("chat.postMessage", "500")
    assert isinstance(await desk.app.poster.send(NOTICE, "k"), Ambiguous)


async def test_an_unreachable_slack_is_a_retry(desk: Desk) -> None:
    """A connection that was never made has certainly sent nothing; what was sent before it, nobody knows."""
    await desk.post_card()
    desk.app._client.base_url = "http://127.0.0.1:1/api/"
    assert isinstance(await desk.app.poster.send(NOTICE, "k"), Retry)
    assert isinstance(await desk.app.poster.find(NOTICE, "k"), Ambiguous)


async def test_a_receipt_finds_the_message_after_a_restart(desk: Desk) -> None:
    """With nothing remembered, the thread itself tells which message a reply was: the agent's own, or our line."""
    card = await desk.post_card()
    written = await desk.slack.write("U0ALICE", card, "&gt; Hello")
    for raw in desk.inbox.take():
        await desk.app.handle(raw)
    desk.app.poster._parts.whereabouts.forget()
    await desk.acts.do(TICKET, ALICE, Reply(text="From the local desk"), "local:1")
    await desk.acts.drain(desk.app.poster)
    lines = [visible(message) for message in desk.slack.thread(card)]
    assert not any("Hello" in line for line in lines)
    assert "From the local desk" in lines[-1]
    desk.app.poster._parts.whereabouts.forget()
    for entry in desk.acts.views[TICKET].transcript[-2:]:
        desk.acts.deliver(TICKET, entry.id, DeliveryState.SENT)
        desk.acts.deliver(TICKET, entry.id, DeliveryState.SENT)
    await desk.acts.drain(desk.app.poster)
    assert desk.slack.reactions(written) == {"white_check_mark"}
    assert visible(desk.slack.thread(card)[-1]).endswith("✅ Sent")


async def test_what_came_of_a_reply_stands_under_the_post_that_we_made_for_it(desk: Desk) -> None:
    """The post is changed in place as the reply comes on, for each line of it, and keeps what we remarked."""
    card = await desk.post_card()
    lost = Attachment(kind=AttachmentKind.IMAGE, name="cup.jpg", media_id=MediaId("nothing"))
    for number, files in enumerate(((), (lost,))):
        reply = Reply(text=f"part {number}", attachments=files)
        await desk.acts.do(TICKET, SAM, reply, f"local:{number}")
    first, second = (entry.id for entry in desk.acts.views[TICKET].transcript[-2:])
    desk.acts.forget_posts()
    both = DeskPost(ticket_id=TICKET, kind=DeskPostKind.LINE, message_id=first, more=(second,))
    await desk.app.poster.send(both, "both")
    post, count = desk.slack.thread(card)[-1], len(desk.slack.messages)
    for state, shown in ((DeliveryState.DELIVERED, "✅ Delivered"), (DeliveryState.READ, "👀 Read")):
        desk.app.poster._parts.whereabouts.forget()
        desk.acts.deliver(TICKET, first, state)
        await desk.acts.drain(desk.app.poster)
        now = visible(desk.slack.message(post["ts"]))
        assert shown in now
        assert "part 0" in now
        assert "part 1" in now
        assert "cup.jpg] is not kept" in now
    assert desk.slack.reactions(post["ts"]) == set()
    desk.acts.deliver(TICKET, second, DeliveryState.FAILED, "The customer has blocked us.")
    await desk.acts.drain(desk.app.poster)
    assert "❌ Not delivered: The customer has blocked us." in visible(desk.slack.message(post["ts"]))
    assert len(desk.slack.messages) == count + 1


async def test_a_post_that_somebody_deleted_is_not_brought_back_by_a_receipt(desk: Desk) -> None:
    """The receipt is done with, and what comes after it is shown."""
    card = await desk.post_card()
    await desk.acts.do(TICKET, SAM, Reply(text="Hello"), "local:1")
    await desk.acts.drain(desk.app.poster)
    post = desk.slack.thread(card)[-1]
    desk.slack.messages.remove(post)
    count = len(desk.slack.messages)
    desk.acts.deliver(TICKET, desk.acts.views[TICKET].transcript[-1].id, DeliveryState.READ)
    (result,) = await desk.acts.drain(desk.app.poster)
    assert isinstance(result, Sent)
    assert len(desk.slack.messages) == count


async def test_a_line_that_fell_out_of_the_ticket_is_not_lost_silently(desk: Desk) -> None:
    """When the conversation moved on too far to show a line, the thread says that one is missing."""
    card = await desk.post_card()
    lost = DeskPost(ticket_id=TICKET, kind=DeskPostKind.LINE, message_id=desk.acts.customer_writes(TICKET, "x"))
    for number in range(TRANSCRIPT_MAX):
        desk.acts.customer_writes(TICKET, str(number))
    assert isinstance(await desk.app.poster.send(lost, "k"), Sent)
    assert "is not shown here" in desk.slack.thread(card)[-1]["text"]


async def test_a_ticket_that_is_gone_is_given_up_on(desk: Desk) -> None:
    """An erased ticket has nothing to show."""
    assert isinstance(await desk.app.poster.send(CARD, "k"), Permanent)
    assert isinstance(await desk.app.poster.find(CARD, "k"), Permanent)


def _exceptions(module: object, root: type[Exception]) -> Iterator[type[Exception]]:
    for _, value in inspect.getmembers(module, inspect.isclass):
        if issubclass(value, root):
            yield value


@pytest.mark.parametrize("kind", sorted(_exceptions(slack_sdk.errors, Exception), key=str))
def test_every_exception_of_the_client_is_mapped(kind: type[Exception]) -> None:
    """Whatever slack_sdk can raise becomes a result; a new one in a later release fails here."""
    answer = SlackApiError("x", {"error": "y"})  # type: ignore[no-untyped-call]
    arguments: tuple[object, ...] = {"SlackApiError": ("x", {"ok": False}), "SlackTokenRotationError": (answer,)}.get(
        kind.__name__, ("x",)
    )
    assert isinstance(classify(kind(*arguments)), Retry | Permanent | Ambiguous)


@pytest.mark.parametrize("kind", sorted(_exceptions(aiohttp, aiohttp.ClientError), key=str))
def test_every_network_exception_is_mapped(kind: type[Exception]) -> None:
    """A broken connection is ambiguous unless it certainly was never made."""
    result = classify(kind.__new__(kind)) if not issubclass(kind, OSError) else None
    assert result is None or isinstance(result, Retry | Ambiguous)


def test_errors_of_our_own_are_not_swallowed() -> None:
    """A bug is no delivery failure."""
    with pytest.raises(ZeroDivisionError):
        classify(ZeroDivisionError())
