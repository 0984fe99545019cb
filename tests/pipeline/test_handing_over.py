from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from bot.dialogue.wire import TurnRequest
from bot.domain.acts import Claim, HandBack, Note, Reply, Resolve
from bot.domain.connectors import SendResult
from bot.domain.conversations import Owner
from bot.domain.desk import DeskPost, DeskPostKind
from bot.domain.errors import DeskError
from bot.domain.handoff import Reason
from bot.domain.messages import Author, DeliveryState, MessageId, message_id_of
from bot.domain.tickets import TicketId, TicketState
from bot.pipeline import phrases
from bot.store import inbox
from bot.store.inbox import Arrival, InboxKind
from tests.fakes.connector import LOST_CALL, message, refused
from tests.pipeline.rig import BUSY, KIM, SAM, Rig, handoff, turn


@pytest.fixture
async def queued(rig: Rig) -> Rig:
    """Return the pipeline with Ann in the queue."""
    rig.engine.by_text["person please"] = handoff("I'll ask a colleague.")
    await rig.writes("hello")
    await rig.writes("person please")
    return rig


@pytest.fixture
async def claimed(queued: Rig) -> Rig:
    """Return the pipeline with Ann's ticket claimed by Sam."""
    await queued.desk.do(await _ticket(queued), SAM, Claim(), "claim-1")
    await queued.settle()
    return queued


async def _ticket(rig: Rig, customer: str = "ann") -> TicketId:
    ticket = await rig.open_ticket(customer)
    assert ticket is not None
    return ticket.id


async def test_a_handoff_opens_one_ticket(queued: Rig) -> None:
    """A handoff tells the customer and their place, and opens a ticket that says why, with all that was said."""
    assert queued.seen() == ["re: hello", "I'll ask a colleague.", phrases.place_in_queue(1)]
    view = await queued.view()
    assert view.ticket.request.reason is Reason.EXPLICIT_WISH
    assert view.ticket.request.tried == ("looked",)
    assert [line.text for line in view.transcript] == ["hello", "re: hello", "person please", *queued.seen()[1:]]
    assert (view.conversation.owner, view.ticket.state, view.place_in_queue) == (Owner.QUEUE, TicketState.QUEUED, 1)
    assert [post.kind for post, _ in queued.poster.posts] == [DeskPostKind.CARD, DeskPostKind.TRANSCRIPT]
    assert view.ticket.desk_reference == f"ref-{view.ticket.id}"
    assert await queued.desk.by_reference(f"ref-{view.ticket.id}") == view.ticket.id


async def test_a_second_wish_opens_no_second_ticket(queued: Rig) -> None:
    """Who asks again for a person while waiting is told their place again."""
    await queued.writes("person please")
    assert await queued.ticket_count() == 1
    assert queued.seen()[3:] == [phrases.place_in_queue(1)]


async def test_later_customers_are_told_their_place(queued: Rig) -> None:
    """The second to wait is told so, and moves up when the first is taken."""
    await queued.writes("person please", "bob")
    assert queued.seen("bob")[-1] == phrases.place_in_queue(2)
    await queued.desk.do(await _ticket(queued), SAM, Claim(), "c")
    assert (await queued.view("bob")).place_in_queue == 1


async def test_in_the_queue_the_bot_answers_what_it_is_sure_of(queued: Rig) -> None:
    """While waiting a customer still gets sure answers, agents see all of it, and what is unsure is left to them."""
    before = len(queued.seen())
    queued.engine.by_text["gibberish"] = turn("Sorry?", is_fallback=True)
    await queued.writes("opening hours")
    await queued.writes("gibberish")
    assert queued.seen()[before:] == ["re: opening hours"]
    lines = [post.message_id for post in queued.poster.of(DeskPostKind.LINE)]
    by_id = {line.id: line.text for line in await queued.transcript()}
    assert [by_id[line] for line in lines if line] == ["opening hours", "re: opening hours", "gibberish"]
    assert queued.engine.requests[-1].metadata["owner"] == "queue"
    assert queued.engine.requests[-1].metadata["place_in_queue"] == 1


async def test_an_unsure_turn_leaves_no_trace_in_the_dialogue(queued: Rig) -> None:
    """What the bot did not answer did not happen for it either."""
    queued.engine.by_text["gibberish"] = turn("Sorry?", is_fallback=True, events=[{"event": "lost"}])
    await queued.writes("gibberish")
    await queued.writes("opening hours")
    assert {"event": "lost"} not in queued.engine.requests[-1].events


async def test_after_a_claim_the_bot_is_silent(claimed: Rig) -> None:
    """An agent's customer is relayed to the agent; what the bot would have said is not kept as a turn."""
    seen = claimed.seen()
    assert seen[-1] == phrases.agent_joined("Sam")
    await claimed.writes("are you there?")
    await claimed.background.idle()
    await claimed.settle()
    assert claimed.seen() == seen
    line = (await claimed.transcript())[-1]
    assert (line.author, line.text) == (Author.CUSTOMER, "are you there?")
    assert claimed.poster.of(DeskPostKind.LINE)[-1].message_id == line.id


async def test_an_agents_reply_reaches_the_customer(claimed: Rig) -> None:
    """A reply arrives under the agent's name, its fate is shown to the agent, and a repeat of the act sends nothing."""
    ticket = await _ticket(claimed)
    done = [await claimed.desk.do(ticket, SAM, Reply(text=" It is on its way. "), "reply-1") for _ in range(3)]
    await claimed.settle()
    replies = [each.message_id for each in done]
    assert set(replies) == {message_id_of("reply-1")}
    assert claimed.seen()[-2:] == [phrases.agent_joined("Sam"), "It is on its way."]
    line = (await claimed.transcript())[-1]
    assert (line.author, line.author_name, line.delivery) == (Author.AGENT, "Sam", DeliveryState.SENT)
    assert [post.message_id for post in claimed.poster.of(DeskPostKind.RECEIPT)] == [replies[0]]


async def test_a_reply_claims_the_ticket(queued: Rig) -> None:
    """Replying to a waiting customer is claiming them."""
    await queued.desk.do(await _ticket(queued), KIM, Reply(text="Hello"), "r")
    await queued.settle()
    view = await queued.view()
    assert (view.ticket.agent, view.conversation.owner) == (KIM, Owner.AGENT)
    assert queued.seen()[-2:] == [phrases.agent_joined("Kim"), "Hello"]


async def test_only_one_agent_gets_a_ticket(queued: Rig) -> None:
    """When many claim at once, one has it, and the others are told who."""
    ticket = await _ticket(queued)
    results = await asyncio.gather(
        *(queued.desk.do(ticket, agent, Claim(), f"{agent.id}") for agent in (SAM, KIM)), return_exceptions=True
    )
    (refusal,) = [str(result) for result in results if isinstance(result, DeskError)]
    owner = (await queued.view()).ticket.agent
    assert owner is not None
    assert refusal.startswith(owner.name)
    await queued.settle()
    assert queued.seen().count(phrases.agent_joined(owner.name)) == 1
    other = KIM if owner == SAM else SAM
    for act in (Resolve(), HandBack(outcome="done"), Reply(text="me too")):
        with pytest.raises(DeskError, match=owner.name):
            await queued.desk.do(ticket, other, act, "x")


async def test_every_act_is_done_once_however_often_it_comes(queued: Rig) -> None:
    """A click that is delivered again and again, even at the same moment, has one effect."""
    ticket = await _ticket(queued)
    epoch = (await queued.conversation()).epoch
    await asyncio.gather(*(queued.desk.do(ticket, SAM, Claim(), "claim") for _ in range(5)))
    await queued.settle()
    await asyncio.gather(*(queued.desk.do(ticket, SAM, Note(text="careful"), "note") for _ in range(5)))
    await asyncio.gather(
        *(queued.desk.do(ticket, SAM, HandBack(outcome="I sent a new one."), "back") for _ in range(5))
    )
    await queued.settle()
    conversation = await queued.conversation()
    assert (conversation.owner, conversation.epoch) == (Owner.BOT, epoch + 2)
    assert queued.seen()[3:] == [phrases.agent_joined("Sam"), "re: /handed_back"]
    closed = await queued.desk.view(ticket)
    assert closed is not None
    assert [event.kind for event in closed.events] == ["opened", "claimed", "note", "handed_back"]


async def test_a_hand_back_tells_the_bot_what_was_done(claimed: Rig) -> None:
    """After a hand back the bot is told the outcome and the agent's name, and answers again."""
    done = await claimed.desk.do(await _ticket(claimed), SAM, HandBack(outcome=" I sent a new mug. "), "back")
    await claimed.settle()
    ticket = done.ticket
    assert (ticket.state, ticket.outcome) == (TicketState.HANDED_BACK, "I sent a new mug.")
    meaning = claimed.engine.requests[-1].meaning
    assert meaning is not None
    assert meaning.entities == {"outcome": "I sent a new mug.", "agent": "Sam", "may_act": "yes"}
    await claimed.writes("thanks")
    assert claimed.seen()[-2:] == ["re: /handed_back", "re: thanks"]


async def test_a_resolved_conversation_is_the_bots_again(claimed: Rig) -> None:
    """Resolving tells the customer, and the next message is the bot's; a later handoff is a new ticket."""
    first = (await claimed.desk.do(await _ticket(claimed), SAM, Resolve(), "done")).ticket
    await claimed.settle()
    assert (first.state, claimed.seen()[-1]) == (TicketState.RESOLVED, phrases.RESOLVED)
    await claimed.writes("one more thing")
    assert claimed.seen()[-1] == "re: one more thing"
    await claimed.writes("person please")
    second = await claimed.open_ticket()
    assert second is not None
    assert second.number == first.number + 1


async def test_impossible_acts_are_refused_with_a_reason(claimed: Rig) -> None:
    """Acts on unknown or closed tickets, and empty ones, change nothing and say why."""
    ticket = await _ticket(claimed)
    with pytest.raises(DeskError, match="no such ticket"):
        await claimed.desk.do(TicketId("0" * 32), SAM, Claim(), "1")
    with pytest.raises(DeskError, match="nothing to send"):
        await claimed.desk.do(ticket, SAM, Reply(text="  "), "2")
    with pytest.raises(DeskError, match="empty"):
        await claimed.desk.do(ticket, SAM, Note(text=""), "3")
    with pytest.raises(DeskError, match="what was done"):
        await claimed.desk.do(ticket, SAM, HandBack(outcome=" "), "4")
    await claimed.desk.do(ticket, SAM, Resolve(outcome="done"), "5")
    with pytest.raises(DeskError, match="closed"):
        await claimed.desk.do(ticket, SAM, Claim(), "6")
    with pytest.raises(DeskError, match="closed"):
        await claimed.desk.do(ticket, SAM, Resolve(outcome="again"), "6b")
    with pytest.raises(DeskError, match="closed"):
        await claimed.desk.do(ticket, SAM, Reply(text="late"), "7")
    assert await claimed.desk.open_tickets() == []


async def test_a_note_is_never_shown_to_the_customer(claimed: Rig) -> None:
    """Notes stay on the ticket."""
    seen = claimed.seen()
    await claimed.desk.do(await _ticket(claimed), SAM, Note(text="rude but right"), "n")
    await claimed.settle()
    assert claimed.seen() == seen
    assert "rude" not in " ".join(line.text for line in await claimed.transcript())
    assert (await claimed.view()).events[-1].detail == "rude but right"


async def test_a_claim_during_a_turn_silences_it(queued: Rig) -> None:
    """A turn that was in work when an agent claimed writes nothing; the message goes to the agent."""
    seen = len(queued.seen())

    async def claim(request: TurnRequest) -> None:
        if request.text == "slow":
            await queued.desk.do(await _ticket(queued), SAM, Claim(), "claim")

    queued.engine.during_step = claim
    await queued.writes("slow")
    assert queued.seen()[seen:] == [phrases.agent_joined("Sam")]
    lines = await queued.transcript()
    assert "re: slow" not in [line.text for line in lines]
    (asked,) = [line for line in lines if line.text == "slow"]
    assert asked.id in [post.message_id for post in queued.poster.of(DeskPostKind.LINE)]


async def test_what_the_bot_said_before_a_claim_is_withheld_after_it(queued: Rig) -> None:
    """An answer that had not left when an agent claimed is not sent, and the transcript says so."""
    await queued.bring(message(queued.connector, "ann", "late", "opening hours"))
    await queued.converse_once()
    await queued.desk.do(await _ticket(queued), SAM, Claim(), "claim")
    await queued.settle()
    assert queued.seen()[-1] == phrases.agent_joined("Sam")
    assert "re: opening hours" not in queued.seen()
    (line,) = [line for line in await queued.transcript() if line.text == "re: opening hours"]
    assert (line.delivery, line.delivery_detail) == (DeliveryState.WITHHELD, "the conversation changed hands first")


async def test_an_answer_given_before_a_handoff_still_arrives(rig: Rig) -> None:
    """Going into the queue takes back nothing the bot has said: a slow channel gets it first."""
    rig.engine.by_text["person please"] = handoff("I'll ask a colleague.")
    rig.connector.script.append(refused(BUSY))
    await rig.bring(message(rig.connector, "ann", "1", "hello"), message(rig.connector, "ann", "2", "person please"))
    await rig.settle()
    assert rig.seen() == []
    await rig.wait_out(minutes=0.5)
    assert rig.seen() == ["re: hello", "I'll ask a colleague.", phrases.place_in_queue(1)]


async def test_an_old_answer_is_withheld_after_a_whole_ticket(claimed: Rig) -> None:
    """What the bot said before people took over stays unsaid when the conversation is the bot's again."""
    await claimed.desk.do(await _ticket(claimed), SAM, Resolve(), "resolve-1")
    await claimed.settle()
    claimed.connector.script.append(refused(BUSY))
    await claimed.bring(message(claimed.connector, "ann", "a", "old question"))
    await claimed.settle()
    claimed.engine.by_text["person please"] = handoff("I'll ask a colleague.")
    await claimed.bring(message(claimed.connector, "ann", "b", "person please"))
    await claimed.converse_once()
    ticket = await _ticket(claimed)
    await claimed.desk.do(ticket, SAM, Claim(), "claim-2")
    await claimed.desk.do(ticket, SAM, Resolve(), "resolve-2")
    await claimed.wait_out(minutes=1)
    assert "re: old question" not in claimed.seen()
    assert claimed.seen()[-1] == phrases.RESOLVED


async def test_an_answer_in_doubt_is_settled_whoever_owns_the_conversation(queued: Rig) -> None:
    """An answer that may have left before a claim comes before the agent's first word, or not at all."""
    queued.connector.is_idempotent = True
    queued.connector.script.append(LOST_CALL)
    await queued.writes("opening hours")
    await queued.desk.do(await _ticket(queued), SAM, Reply(text="I'm Sam"), "r")
    await queued.wait_out(minutes=1)
    assert queued.seen()[-3:] == ["re: opening hours", phrases.agent_joined("Sam"), "I'm Sam"]


async def test_a_hand_back_waits_for_what_came_before(claimed: Rig) -> None:
    """The bot speaks only after the agent's last words have arrived."""
    ticket = await _ticket(claimed)
    claimed.connector.script.append(refused(BUSY))
    await claimed.desk.do(ticket, SAM, Reply(text="Done for you."), "r")
    await claimed.desk.do(ticket, SAM, HandBack(outcome="I did it."), "b")
    await claimed.settle()
    await claimed.wait_out(minutes=1)
    assert claimed.seen()[-2:] == ["Done for you.", "re: /handed_back"]


async def test_posts_of_a_ticket_keep_their_order(claimed: Rig) -> None:
    """A desk that is busy gets everything later, in order, and a card only once for all changes meanwhile."""
    claimed.poster.posts.clear()
    claimed.poster.results.append(replace(BUSY))
    for text in ("one", "two", "three"):
        await claimed.writes(text)
    assert claimed.poster.posts == []
    await claimed.wait_out(minutes=1)
    texts = {line.id: line.text for line in await claimed.transcript()}
    lines = [texts[MessageId(str(post.message_id))] for post in claimed.poster.of(DeskPostKind.LINE)]
    assert lines == ["one", "two", "three"]
    assert len(claimed.poster.of(DeskPostKind.CARD)) == 1


async def test_a_desk_post_in_doubt_is_looked_for_first(claimed: Rig) -> None:
    """A post that may be there is not posted twice."""
    claimed.poster.posts.clear()
    await claimed.bring(message(claimed.connector, "ann", "x", "hello?"))
    await claimed.converse_once()
    send = claimed.poster.send

    async def post_and_break(post: DeskPost, key: str) -> SendResult:
        await send(post, key)
        raise ConnectionError("cut")

    claimed.poster.send = post_and_break  # type: ignore[method-assign]
    await claimed.settle()
    claimed.poster.send = send  # type: ignore[method-assign]
    await claimed.wait_out(minutes=1)
    assert len(claimed.poster.of(DeskPostKind.LINE)) == 1


async def test_desk_events_reach_the_desk_once(rig: Rig) -> None:
    """What an agent did in Slack is handed to the desk from the inbox."""
    arrival = Arrival(
        account="desk/slack",
        external_id="Ev1",
        address="desk/slack/C1",
        kind=InboxKind.DESK,
        body={"type": "message"},
        message_id=MessageId("m" * 32),
    )
    for _ in range(2):
        await rig.database.write(inbox.add, arrival, rig.clock.now())
    await rig.settle()
    assert rig.desk_events == [{"type": "message"}]
