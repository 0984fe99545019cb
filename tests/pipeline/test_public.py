from __future__ import annotations

import random
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection, select

from bot.dialogue.wire import Answer, Turn
from bot.domain.acts import (
    Act,
    Amend,
    AskToVerify,
    Claim,
    HandBack,
    InviteToPrivate,
    Release,
    Reopen,
    Reply,
    ReplyElsewhere,
    Resolve,
)
from bot.domain.channels import ChannelName
from bot.domain.connectors import Permanent
from bot.domain.desk import DeskPostKind
from bot.domain.errors import DeskError, EngineUnavailableError, PublicReplyError, TurnFailedError
from bot.domain.handoff import HandoffRequest, Reason
from bot.domain.messages import Attachment, AttachmentKind, Author, Echo, Meaning, MessageId, OutboundMessage
from bot.domain.rules import Rules
from bot.domain.triage import Kind, Treatment
from bot.pipeline.outgoing import Writer
from bot.store import conversations, outbox, transcript, triages
from bot.store.codec import OUTBOUND, to_json
from bot.store.outbox import OutboxKind, Outgoing
from bot.store.schema import outbox as outbox_table
from tests.fakes.connector import FakeConnector, refused
from tests.pipeline.rig import SAM, Rig, command, handoff, offer, proof, reminder, turn
from tests.pipeline.square import CLOSING, HOURS, LINK, THANKS, meaning, rules, says, square, ticket_at

ANN = "post:ann"
NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)


@pytest.fixture
def public() -> FakeConnector:
    """Return the public channel."""
    return square()


@pytest.fixture
def also(public: FakeConnector) -> tuple[FakeConnector, ...]:
    """Return what is connected beside the private channel."""
    return (public,)


@pytest.fixture
def private() -> FakeConnector:
    """Return the private channel of the same network."""
    return FakeConnector(invites_at=LINK)


@pytest.fixture(name="rules")
def _rules(public: FakeConnector, private: FakeConnector) -> Rules:
    """Return the rules of a brand that has both channels."""
    return rules(public, private)


@pytest.fixture
def heard(rig: Rig) -> Rig:
    """Return the pipeline, with a bot that would tell everybody about orders."""
    rig.engine.by_text |= {
        "when are you open?": meaning("opening_hours"),
        "where is my order?": meaning("order_status"),
        "love it": meaning("praise"),
        "you are a disgrace": meaning("express_anger"),
        "look": meaning("nlu_fallback", is_fallback=True),
        "get me a person": handoff("A colleague will look at CL-104233."),
    }
    return rig


async def test_an_approved_question_is_answered_with_the_approved_text(heard: Rig, public: FakeConnector) -> None:
    """A question to us that an approved text answers gets that text, once in a thread, and no ticket."""
    await says(heard, public, "@copperleaf when are you open?")
    assert public.seen_by(ANN) == [HOURS]
    assert await ticket_at(heard, public) is None

    await says(heard, public, "@copperleaf when are you open?")
    assert public.seen_by(ANN)[0] == HOURS
    assert HOURS not in public.seen_by(ANN)[1:]


async def test_all_else_is_asked_into_private_once(heard: Rig, public: FakeConnector) -> None:
    """A question that nothing answers in public gets one invitation in its thread, and people get a ticket."""
    for _ in range(3):
        await says(heard, public, "where is my order?")
    assert len(public.shown) == 1
    assert public.shown[0].text.startswith(f"Please write to us in private: {LINK}join-")
    ticket = await ticket_at(heard, public)
    assert ticket is not None
    assert (ticket.request.reason, ticket.request.topic) == (Reason.IN_PUBLIC, "order status")
    assert len(heard.poster.of(DeskPostKind.LINE)) == 2
    assert await heard.ticket_count() == 1


@pytest.mark.parametrize("more", ["my order is CL-104233", "ann@example.com", "call 07700 900123"])
async def test_a_question_with_something_personal_is_not_answered(heard: Rig, public: FakeConnector, more: str) -> None:
    """What an approved text would answer is asked into private when it holds what is somebody's alone."""
    text = f"when are you open? {more}"
    heard.engine.by_text[text] = meaning("opening_hours")
    await says(heard, public, text)
    assert HOURS not in public.seen_by(ANN)
    assert len(public.shown) == 1


async def test_unsure_and_double_questions_are_not_answered(heard: Rig, public: FakeConnector) -> None:
    """An answer for everybody is given only by a bot that is sure, to a message that asks one thing."""
    two = [{"event": "user"}, {"event": "user"}]
    heard.engine.by_text["open now"] = meaning("opening_hours", confidence=0.6)
    heard.engine.by_text["when are you open? and where is it?"] = meaning("opening_hours", events=two)
    await says(heard, public, "open now")
    await says(heard, public, "when are you open? and where is it?", "post:bob")
    assert HOURS not in [shown.text for shown in public.shown]
    assert await heard.ticket_count() == 2


async def test_what_is_not_for_us_is_kept_and_counted(heard: Rig, public: FakeConnector) -> None:
    """Spam, chatter and what people say about us among themselves get neither answer nor ticket."""
    await says(heard, public, "Earn $500 a day with bitcoin, DM me now!", "post:spam")
    await says(heard, public, "@lucy look", "post:lucy")
    await says(heard, public, "where is my order?", "post:bob", is_to_us=False)
    assert public.shown == []
    assert await heard.ticket_count() == 0
    counts = await heard.database.read(triages.counts, heard.clock.now())
    assert counts == {
        (Kind.SPAM, Treatment.LEAVE): 1,
        (Kind.CHATTER, Treatment.LEAVE): 1,
        (Kind.QUESTION, Treatment.LEAVE): 1,
    }
    assert [request.text for request in heard.engine.requests if "bitcoin" in request.text] == []


async def test_praise_is_thanked_for_once(heard: Rig, public: FakeConnector) -> None:
    """Praise that speaks to us gets the approved thanks, once; praise among others gets none."""
    await says(heard, public, "love it")
    await says(heard, public, "love it")
    await says(heard, public, "love it", "post:bob", is_to_us=False)
    assert [shown.text for shown in public.shown] == [THANKS]
    assert await heard.ticket_count() == 0


async def test_a_complaint_is_for_people(heard: Rig, public: FakeConnector) -> None:
    """Anger gets an invitation and an urgent reason; a complaint that only names us gets a ticket and no word."""
    await says(heard, public, "you are a disgrace")
    await says(heard, public, "you are a disgrace", "post:bob", is_to_us=False)
    assert [shown.customer for shown in public.shown] == [ANN]
    first, second = await ticket_at(heard, public), await ticket_at(heard, public, "post:bob")
    assert first is not None
    assert second is not None
    assert (first.request.reason, second.request.tried) == (Reason.ANGER, ())


async def test_a_picture_without_words_is_for_people(heard: Rig, public: FakeConnector) -> None:
    """A picture that is sent to us is looked at by people, as nothing can be understood of it."""
    await says(heard, public, "", attachments=(Attachment(kind=AttachmentKind.IMAGE, name="mug.jpg"),))
    assert await ticket_at(heard, public) is not None


@pytest.mark.parametrize("private", [FakeConnector(channel=ChannelName("other"))])
async def test_without_a_way_nobody_is_asked(heard: Rig, public: FakeConnector) -> None:
    """Where no private channel can be reached, questions become tickets and nobody is asked anywhere."""
    await says(heard, public, "where is my order?")
    assert public.shown == []
    assert await ticket_at(heard, public) is not None


async def test_the_queue_is_nobodys_business(heard: Rig, public: FakeConnector) -> None:
    """Who waits in public is told neither their place nor who takes over, nor asked how it was."""
    await says(heard, public, "where is my order?")
    ticket = await ticket_at(heard, public)
    assert ticket is not None
    acts: tuple[Act, ...] = (Claim(), Release(), Claim(), Resolve(outcome="done"))
    for n, act in enumerate(acts):
        await heard.desk.do(ticket.id, SAM, act, f"a{n}")
        await heard.settle()
    assert len(public.shown) == 1


async def test_when_the_bot_fails_people_look(heard: Rig, public: FakeConnector) -> None:
    """A public message that the bot cannot read goes to people, and nobody is told of it."""
    heard.engine.by_text["where is my order?"] = TurnFailedError("no records")
    await says(heard, public, "where is my order?")
    await heard.wait_out(minutes=2)
    assert public.shown == []
    assert await ticket_at(heard, public) is not None


async def test_it_waits_for_an_engine(heard: Rig, public: FakeConnector) -> None:
    """While no engine answers a public message waits, in silence, and is answered then."""
    heard.engine.broken = EngineUnavailableError()
    await says(heard, public, "when are you open?")
    await heard.wait_out(minutes=1)
    assert public.shown == []
    heard.engine.broken = None
    await heard.wait_out(minutes=1)
    assert public.seen_by(ANN) == [HOURS]


SECRET = "Ann, your order CL-104233 is with Evri"
ACTS: tuple[Act, ...] = (
    Claim(),
    Release(),
    AskToVerify(),
    HandBack(outcome=SECRET),
    Resolve(outcome=SECRET, tells_public=True),
    Reopen(),
    InviteToPrivate(),
    Reply(text=SECRET),
    Reply(text=SECRET, is_known_public=True),
)
_COMMANDS = select(outbox_table.c.id).where(outbox_table.c.kind == "command")


def any_turn(dice: random.Random) -> Turn:
    """Return something that the bot might make of a message, with all that it must not do in public."""
    asked = offer(SECRET, ("Yes", Meaning(intent="affirm", entities={})))
    said: tuple[str | Answer, ...] = (SECRET, asked)
    wish = HandoffRequest(reason=Reason.EXPLICIT_WISH, topic="CL-104233", summary=SECRET)
    return turn(
        *said[: dice.randint(0, 2)],
        intent=dice.choice(["opening_hours", "praise", "complaint", "express_anger", "order_status", "greet"]),
        confidence=dice.random(),
        is_fallback=dice.random() < 0.2,
        handoff=wish if dice.random() < 0.3 else None,
        commands=(command("CL-104233"),) if dice.random() < 0.3 else (),
        proofs=(proof("CL-104233", "LS6 2AB"),) if dice.random() < 0.3 else (),
        reminders=(reminder("later", NOON + timedelta(hours=dice.randint(1, 50)), "handed_back"),),
    )


class TestAgents:
    """What people do in public."""

    @pytest.fixture
    async def claimed(self, heard: Rig, public: FakeConnector) -> Rig:
        """Return the pipeline with a public ticket of Sam's."""
        await says(heard, public, "where is my order?")
        await self.do(heard, public, Claim(), "claim")
        return heard

    async def do(self, rig: Rig, public: FakeConnector, act: Act, key: str) -> None:
        """Let Sam do something with the ticket, and see it through."""
        ticket = await ticket_at(rig, public)
        assert ticket is not None
        await rig.desk.do(ticket.id, SAM, act, key)
        await rig.settle()

    async def test_a_reply_needs_to_know_that_it_is_public(self, claimed: Rig, public: FakeConnector) -> None:
        """A reply whose writer was not shown that everybody reads it is not sent; once they were, it is."""
        with pytest.raises(PublicReplyError, match="everybody will read it"):
            await self.do(claimed, public, Reply(text="We are looking."), "r1")
        await self.do(claimed, public, Reply(text="We are looking.", is_known_public=True), "r2")
        assert public.seen_by(ANN)[1:] == ["We are looking."]

    @pytest.mark.parametrize("leak", ["CL-104233", "#104233", "ann@example.com", "07700 900123", "+44 20 7946 0958"])
    async def test_what_is_somebodys_alone_is_asked_about(self, claimed: Rig, public: FakeConnector, leak: str) -> None:
        """A public reply with an order number, an e-mail address or a telephone number is sent only when confirmed."""
        text = f"Your parcel {leak} is late."
        with pytest.raises(PublicReplyError) as caught:
            await self.do(claimed, public, Reply(text=text, is_known_public=True), "r1")
        assert caught.value.exposed
        assert len(public.shown) == 1
        await self.do(claimed, public, Reply(text=text, is_known_public=True, exposes=caught.value.exposed), "r2")
        assert public.seen_by(ANN)[-1] == text

    async def test_changing_a_reply_asks_too(self, claimed: Rig, public: FakeConnector) -> None:
        """A change of what everybody reads is asked about like the reply itself; taking it back is not."""
        await self.do(claimed, public, Reply(text="Hello", is_known_public=True), "r")
        line = (await claimed.database.read(_lines, public))[-1]
        with pytest.raises(PublicReplyError):
            await self.do(claimed, public, Amend(message_id=line, text="Hello, CL-104233"), "a1")
        await self.do(claimed, public, Amend(message_id=line, text="Hello there", is_known_public=True), "a2")
        assert public.seen_by(ANN)[-1] == "Hello there"
        await self.do(claimed, public, Amend(message_id=line, text=None), "a3")
        assert "Hello there" not in public.seen_by(ANN)

    async def test_nobody_proves_anything_in_public(self, claimed: Rig, public: FakeConnector) -> None:
        """In public nobody is asked for a proof, and nothing is handed back to a bot that does not go on there."""
        with pytest.raises(DeskError, match="invite them"):
            await self.do(claimed, public, AskToVerify(), "v")
        with pytest.raises(DeskError, match="resolve the ticket"):
            await self.do(claimed, public, HandBack(outcome="done"), "h")

    async def test_an_agent_invites(self, claimed: Rig, public: FakeConnector) -> None:
        """The button posts an approved text with a new link, however often people were asked before."""
        await self.do(claimed, public, InviteToPrivate(), "i")
        await self.do(claimed, public, InviteToPrivate(), "i")
        first, second = public.seen_by(ANN)
        assert first != second
        assert second.startswith(f"Please write to us in private: {LINK}join-")

    async def test_a_private_ticket_has_nobody_to_invite(self, heard: Rig) -> None:
        """Where it is private already there is nothing to ask for."""
        await heard.writes("get me a person")
        with pytest.raises(DeskError, match="private already"):
            await heard.act(InviteToPrivate())

    async def test_resolving_may_say_so(self, claimed: Rig, public: FakeConnector) -> None:
        """A closing line is posted when the agent wants it, and nothing else is."""
        await self.do(claimed, public, Resolve(outcome="refunded CL-104233", tells_public=True), "done")
        assert public.seen_by(ANN)[1:] == [CLOSING]

    async def test_no_private_reply_lands_in_public(self, claimed: Rig, public: FakeConnector) -> None:
        """A reply cannot be sent from another ticket into a public thread."""
        await claimed.writes("get me a person")
        there = await claimed.database.read(conversations.find_by_address, public.address(ANN))
        assert there is not None
        with pytest.raises(DeskError):
            await claimed.act(ReplyElsewhere(conversation_id=there.id, text="Hello"))

    async def test_the_desk_says_that_it_is_public(self, claimed: Rig, public: FakeConnector) -> None:
        """What agents see of a ticket says that it is public, what closes it, and that people can be invited."""
        ticket = await ticket_at(claimed, public)
        assert ticket is not None
        view = await claimed.desk.view(ticket.id)
        assert view is not None
        assert (view.is_public, view.public_closing, view.can_invite) == (True, CLOSING, True)

    async def test_who_answers_on_the_channel_itself_has_the_ticket(self, heard: Rig, public: FakeConnector) -> None:
        """An answer that a person of the brand wrote on the network itself keeps the bot silent there."""
        echo = Echo(address=public.address(ANN), external_id="e1", text="Hi Ann, we are on it", author_name="Kim")
        await heard.receiver.receive(public, public.request([echo]))
        await heard.settle()
        await says(heard, public, "when are you open?")
        assert public.shown == []


class TestTheDoor:
    """What would be said by mistake is stopped twice."""

    @pytest.mark.no_cover
    @pytest.mark.parametrize("seed", range(4))
    async def test_no_turn_and_no_act_says_anything_else(self, rig: Rig, public: FakeConnector, seed: int) -> None:
        """Whatever turns come of public messages, and whatever agents press, only approved texts are ever shown."""
        dice = random.Random(seed)
        approved = rig.rules.public.texts
        for n in range(40):
            customer, text = f"post:{dice.choice('ab')}", f"message {n}"
            rig.engine.by_text[text] = any_turn(dice)
            await says(rig, public, text, customer, is_to_us=dice.random() < 0.8)
            ticket = await ticket_at(rig, public, customer)
            if ticket is not None and dice.random() < 0.5:
                with suppress(DeskError):
                    await rig.desk.do(ticket.id, SAM, dice.choice(ACTS), f"act-{n}")
                await rig.settle()
            rig.clock.pass_(hours=dice.randint(0, 9))
            await rig.sweep()
            await rig.settle()
        assert public.shown
        assert [shown.text for shown in public.shown if not approved.allows(shown.text)] == []
        assert not any(shown.choices for shown in public.shown)
        assert await rig.database.read(lambda connection: connection.scalars(_COMMANDS).all()) == []

    async def test_the_writer_lets_nothing_else_through(self, heard: Rig, public: FakeConnector) -> None:
        """Whatever is not approved never reaches the outbox of a public address."""
        await says(heard, public, "love it")
        conversation = await heard.database.read(conversations.find_by_address, public.address(ANN))
        assert conversation is not None
        writer = Writer(now=heard.clock.now(), desk=None, rules=heard.rules)
        for author in Author.BOT, Author.SYSTEM, Author.AGENT:
            said = OutboundMessage(author=author, text="Your order CL-104233 is late")
            await heard.database.write(writer.say, conversation, said, f"k:{author}")
        await heard.settle()
        assert [shown.text for shown in public.shown] == [THANKS]

    async def test_the_sender_looks_again(self, heard: Rig, public: FakeConnector) -> None:
        """What stands in the outbox all the same is not sent, and people are told why."""
        await says(heard, public, "where is my order?")
        conversation = await heard.database.read(conversations.find_by_address, public.address(ANN))
        assert conversation is not None
        said = OutboundMessage(author=Author.BOT, text="Your order CL-104233 is late")
        smuggled = Outgoing(
            key="smuggled",
            address=str(conversation.address),
            kind=OutboxKind.MESSAGE,
            body=to_json(OUTBOUND, said),
            conversation_id=conversation.id,
        )
        await heard.database.write(outbox.add, smuggled, heard.clock.now())
        await heard.settle()
        assert len(public.shown) == 1
        assert (await heard.outbox_states())["dead"] == 1

    async def test_a_refused_answer_is_shown_to_people(self, heard: Rig, public: FakeConnector) -> None:
        """An approved answer that the network refuses becomes a ticket, as every answer that does not arrive."""
        public.script.append(refused(Permanent(reason="the comment is gone")))
        await says(heard, public, "when are you open?")
        assert public.shown == []
        ticket = await ticket_at(heard, public)
        assert ticket is not None
        assert "the comment is gone" in ticket.request.summary


def _lines(connection: Connection, public: FakeConnector) -> list[MessageId]:
    conversation = conversations.find_by_address(connection, public.address(ANN))
    assert conversation is not None
    said = transcript.last(connection, conversation.id, 50)
    return [line.id for line in said if line.author is Author.AGENT]
