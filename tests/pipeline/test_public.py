from __future__ import annotations

import pytest

from bot.domain.acts import Act, Claim, Release, Resolve
from bot.domain.channels import ChannelName
from bot.domain.desk import DeskPostKind
from bot.domain.errors import EngineUnavailableError, TurnFailedError
from bot.domain.handoff import Reason
from bot.domain.messages import Attachment, AttachmentKind
from bot.domain.triage import Kind, Treatment
from bot.store import triages
from tests.fakes.connector import FakeConnector
from tests.pipeline.heard import ANN, also, heard, its_rules, private, public
from tests.pipeline.rig import SAM, Rig
from tests.pipeline.square import HOURS, LINK, THANKS, meaning, says, ticket_at

__all__ = ["also", "heard", "its_rules", "private", "public"]


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
