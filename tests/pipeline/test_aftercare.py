"""What follows a ticket: how it was, thanks, and the next question."""

from __future__ import annotations

from dataclasses import replace
from datetime import time, timedelta

import pytest

from bot.domain.acts import Claim, Closing, HandBack, Reopen, Reply, Resolve
from bot.domain.clocks import ClockKind
from bot.domain.conversations import Owner
from bot.domain.desk import DeskPostKind
from bot.domain.errors import DeskError
from bot.domain.hours import ALWAYS, BusinessHours, Span
from bot.domain.rules import Assignment, Rules, Team
from bot.domain.shifts import Availability
from bot.domain.tickets import EVERYBODY, Agent, AgentId, Ticket, TicketState
from bot.pipeline import overdue, phrases
from bot.pipeline.outgoing import Writer
from bot.store import agents, clocks, tickets
from tests.pipeline.rig import KIM, SAM, Rig, command, handoff, turn

UNSURE = turn("Sorry, could you say that in other words?", is_fallback=True, ranking=(("order_status", 0.3),))
THANKS_MAYBE = turn("Sorry?", is_fallback=True, ranking=(("nlu_fallback", 0.6), ("thank", 0.4)))


@pytest.fixture
def rules() -> Rules:
    """Return the rules of those who set none."""
    return Rules()


@pytest.fixture
async def claimed(rig: Rig) -> Rig:
    """Return the pipeline with Ann's ticket claimed by Sam."""
    rig.engine.by_text |= {"person please": handoff("I'll ask a colleague."), "and now?": UNSURE, "thx!!": THANKS_MAYBE}
    rig.connector.choices_max = 5
    await rig.writes("person please")
    await rig.act(Claim(), SAM)
    await rig.settle()
    return rig


@pytest.fixture
async def resolved(claimed: Rig) -> Rig:
    """Return the pipeline with Ann's ticket resolved."""
    await claimed.act(Resolve(outcome="sent a mug", topic="a broken mug"), SAM)
    await claimed.settle()
    return claimed


async def ticket_of(rig: Rig) -> Ticket:
    """Return Ann's newest ticket."""
    ticket = await rig.database.read(tickets.last_of, (await rig.conversation()).id)
    assert ticket is not None
    return ticket


async def tap(rig: Rig, place: int) -> None:
    """Let Ann tap one of the choices she was shown last."""
    shown = next(shown for shown in reversed(rig.connector.shown) if shown.choices)
    await rig.writes("", choice=shown.choices[place])


async def come(rig: Rig, agent: Agent) -> None:
    """Let an agent say that they are there."""
    await rig.database.write(agents.set_availability, agent, Availability(is_available=True), rig.clock.now())


class TestSatisfaction:
    """How it was."""

    async def test_who_was_helped_is_asked_how_it_was(self, resolved: Rig) -> None:
        """After the end of a ticket the customer is told, and asked with five buttons; the ticket says how it ended."""
        assert resolved.seen()[-2:] == [phrases.RESOLVED, phrases.HOW_WAS_IT]
        assert len(resolved.connector.shown[-1].choices) == 5
        ticket = await ticket_of(resolved)
        assert (ticket.closing, ticket.outcome, ticket.request.topic) == ("solved", "sent a mug", "a broken mug")

    @pytest.mark.parametrize("typed", ["4", " 4/5 ", "4 stars", "Good", "4️⃣", "4 of 5!"])
    async def test_a_typed_answer_is_understood(self, resolved: Rig, typed: str) -> None:
        """The engine is not asked what a number after the question means."""
        asked = len(resolved.engine.requests)
        await resolved.writes(typed)
        assert ((await ticket_of(resolved)).rating, resolved.seen()[-1]) == (4, phrases.THANKS_FOR_RATING)
        assert len(resolved.engine.requests) == asked
        assert "4 of 5" in resolved.poster.of(DeskPostKind.NOTICE)[-1].text

    async def test_a_tap_is_understood_for_ever(self, resolved: Rig) -> None:
        """A button works after other words; the last tap counts, and the thanks are said once."""
        await resolved.writes("opening hours")
        await tap(resolved, 4)
        await tap(resolved, 2)
        assert (await ticket_of(resolved)).rating == 3
        assert resolved.seen().count(phrases.THANKS_FOR_RATING) == 1

    async def test_a_number_after_thanks_is_a_rating_too(self, resolved: Rig) -> None:
        """Who thanks first and answers the question then has answered it."""
        resolved.engine.by_text["thanks"] = turn("Any time.", intent="thank")
        resolved.clock.pass_(seconds=9)
        await resolved.writes("thanks")
        await resolved.writes("5")
        assert ((await ticket_of(resolved)).rating, resolved.seen()[-1]) == (5, phrases.THANKS_FOR_RATING)

    async def test_a_number_is_a_rating_right_after_the_question_only(self, resolved: Rig) -> None:
        """Once anything else was said, a number is what the bot makes of it."""
        await resolved.writes("opening hours")
        await resolved.writes("4")
        assert (await ticket_of(resolved)).rating is None
        assert resolved.seen()[-1] == "re: 4"

    @pytest.mark.parametrize("answer", ["tap", "yes", "Yes please!"])
    async def test_who_was_not_helped_is_offered_a_person(self, resolved: Rig, answer: str) -> None:
        """A low rating is answered with an offer; accepted, it opens the same ticket again."""
        await resolved.writes("2")
        assert resolved.seen()[-1] == phrases.SORRY_FOR_THAT
        await (tap(resolved, 0) if answer == "tap" else resolved.writes(answer))
        ticket = await ticket_of(resolved)
        assert (ticket.number, ticket.state, ticket.rating) == (1, TicketState.QUEUED, 2)
        assert resolved.seen()[-1] == f"{phrases.REOPENED} {phrases.place_in_queue(1)}"

    async def test_yes_means_something_else_elsewhere(self, resolved: Rig) -> None:
        """Without the offer a yes is the bot's to understand."""
        await resolved.writes("yes")
        assert resolved.seen()[-1] == "re: yes"

    async def test_a_rating_of_an_open_ticket_is_kept_in_silence(self, resolved: Rig) -> None:
        """Who taps an old question while people are busy again is not thanked in between."""
        await resolved.writes("person please")
        seen = resolved.seen()
        await tap(resolved, 4)
        assert (await ticket_of(resolved)).rating == 5
        assert resolved.seen() == seen

    async def test_spam_is_not_asked(self, claimed: Rig) -> None:
        """Nothing is said to a spammer, and their next wish is a ticket of its own."""
        seen = claimed.seen()
        await claimed.act(Resolve(closing=Closing.SPAM), SAM)
        await claimed.settle()
        assert claimed.seen() == seen
        await claimed.writes("person please")
        assert (await ticket_of(claimed)).number == 2


class TestComingBack:
    """The next question."""

    @pytest.mark.parametrize("text", ["thanks", "thx!!", "👍", "…", "🙏🙏"])
    async def test_thanks_open_nothing(self, resolved: Rig, text: str) -> None:
        """Thanks and signs are answered, if the bot knows how, and leave the ticket closed."""
        resolved.engine.by_text |= dict.fromkeys(("👍", "…", "🙏🙏"), UNSURE)
        await resolved.writes(text)
        assert (await ticket_of(resolved)).state is TicketState.RESOLVED
        assert "Sorry" not in resolved.seen()[-1]

    async def test_what_the_bot_is_sure_of_it_answers(self, resolved: Rig) -> None:
        """A sure answer needs nobody."""
        await resolved.writes("opening hours")
        assert resolved.seen()[-1] == "re: opening hours"
        assert (await ticket_of(resolved)).state is TicketState.RESOLVED

    async def test_what_it_is_not_sure_of_opens_the_ticket_again(self, resolved: Rig) -> None:
        """The same ticket waits again, its thread shows what was said since, and its agent is called."""
        await resolved.writes("opening hours")
        await resolved.writes("and now?")
        ticket = await ticket_of(resolved)
        assert (ticket.number, ticket.state, ticket.agent) == (1, TicketState.QUEUED, SAM)
        assert resolved.seen()[-2:] == [phrases.REOPENED, phrases.place_in_queue(1)]
        assert (await resolved.conversation()).owner is Owner.QUEUE
        by_id = {line.id: line.text for line in await resolved.transcript()}
        lines = [by_id[post.message_id] for post in resolved.poster.of(DeskPostKind.LINE) if post.message_id]
        assert {"opening hours", "re: opening hours", "and now?"} <= set(lines)
        notice = resolved.poster.of(DeskPostKind.NOTICE)[-1]
        assert (notice.mentions, "come back" in notice.text) == (("sam",), True)
        assert [event.kind for event in (await resolved.view()).events][-1] == "reopened"

    async def test_who_is_on_no_desk_that_calls_is_not_called(self, resolved: Rig) -> None:
        """Slack takes no post that calls somebody it does not know: whose ticket it was is told without a call."""
        lou = Agent(id=AgentId("local:Lou"), name="Lou")
        await resolved.act(Reopen(), lou)
        await resolved.act(Resolve(), lou)
        await resolved.settle()
        await resolved.writes("and now?")
        notice = resolved.poster.of(DeskPostKind.NOTICE)[-1]
        assert (notice.mentions, "come back" in notice.text) == ((), True)

    async def test_its_agent_has_it_again_if_they_are_there(self, resolved: Rig) -> None:
        """An agent who is available owns the ticket at once, and the customer is told who is with them."""
        await come(resolved, SAM)
        await resolved.writes("and now?")
        view = await resolved.view()
        assert (view.ticket.state, view.ticket.agent, view.conversation.owner) == (
            TicketState.CLAIMED,
            SAM,
            Owner.AGENT,
        )
        assert resolved.seen()[-1] == phrases.agent_joined("Sam")

    @pytest.mark.parametrize("why", ["closed", "full"])
    async def test_nobody_is_given_a_ticket_whom_the_team_would_not_give_one(self, resolved: Rig, why: str) -> None:
        """Who forgot to say that they have left, or has no room, does not "join" a customer: the ticket waits."""
        await come(resolved, SAM)
        hours = BusinessHours(week=(Span(weekday=0, opens=time(9), closes=time(17)),)) if why == "closed" else ALWAYS
        team = Team(name=EVERYBODY, title="Care", assign=Assignment.ROUND_ROBIN, capacity=0 if why == "full" else 5)
        rules = replace(resolved.rules, hours=hours, teams=(team,))
        object.__setattr__(resolved.converse_parts, "rules", rules)
        await resolved.writes("and now?")
        ticket = await ticket_of(resolved)
        assert (ticket.state, ticket.agent) == (TicketState.QUEUED, SAM)
        assert phrases.agent_joined("Sam") not in resolved.seen()[-1]

    async def test_anybody_may_take_it_if_not(self, resolved: Rig) -> None:
        """A ticket that is back in the queue is anybody's."""
        await resolved.writes("person please")
        assert resolved.seen()[-2:] == ["I'll ask a colleague.", phrases.place_in_queue(1)]
        await resolved.act(Claim(), KIM)
        assert (await ticket_of(resolved)).agent == KIM

    async def test_after_three_days_it_is_another_matter(self, resolved: Rig) -> None:
        """Later the bot asks as usual, and a wish for a person is a new ticket."""
        resolved.clock.pass_(hours=72)
        await resolved.writes("and now?")
        assert resolved.seen()[-1] == UNSURE.answers[0].text
        await resolved.writes("person please")
        assert (await ticket_of(resolved)).number == 2

    async def test_a_second_end_is_asked_about_again(self, resolved: Rig) -> None:
        """Each end has its own question and its own thanks."""
        await resolved.writes("5")
        await resolved.writes("person please")
        resolved.clock.pass_(minutes=5)
        await resolved.act(Reply(text="Here you are."), SAM)
        await resolved.act(Resolve(), SAM)
        await resolved.settle()
        await resolved.writes("4")
        assert resolved.seen().count(phrases.THANKS_FOR_RATING) == 2


class TestHandingBack:
    """What the bot is told, and what it may."""

    async def test_the_bot_knows_what_was_promised(self, claimed: Rig) -> None:
        """The promise and its date reach the bot; they are no question of satisfaction."""
        due = claimed.clock.now() + timedelta(days=2)
        await claimed.act(HandBack(outcome="I refunded it.", promised="a new mug", promised_at=due, may_act=False), SAM)
        await claimed.settle()
        meaning = claimed.engine.requests[-1].meaning
        assert meaning is not None
        assert meaning.entities == {
            "outcome": "I refunded it.",
            "agent": "Sam",
            "may_act": "no",
            "promised": "a new mug",
            "promised_by": "Friday 06 March, 12:00",
        }
        assert phrases.HOW_WAS_IT not in claimed.seen()

    async def test_an_unkept_promise_opens_the_ticket_again(self, claimed: Rig) -> None:
        """When the date comes the ticket is its agent's again."""
        due = claimed.clock.now() + timedelta(days=2)
        await claimed.act(HandBack(outcome="I refunded it.", promised="a new mug", promised_at=due), SAM)
        await claimed.settle()
        running = await claimed.database.read(clocks.of, (await ticket_of(claimed)).id)
        assert [clock.detail for clock in running if clock.kind is ClockKind.PROMISE] == ["a new mug"]
        await come(claimed, SAM)
        claimed.clock.pass_(days=2, seconds=1)
        writer = Writer(now=claimed.clock.now(), desk=claimed.converse_parts.desk, rules=claimed.rules)
        await overdue.sweep(claimed.database, writer)
        assert ((await ticket_of(claimed)).state, (await ticket_of(claimed)).agent) == (TicketState.CLAIMED, SAM)

    @pytest.mark.parametrize(
        ("promised", "hours", "told"),
        [("a mug", None, "by when"), ("", 5, "by when"), ("a mug", -1, "in the future")],
    )
    async def test_a_promise_is_whole(self, claimed: Rig, promised: str, hours: int | None, told: str) -> None:
        """What is promised has a date, and that date is ahead."""
        at = claimed.clock.now() + timedelta(hours=hours) if hours is not None else None
        with pytest.raises(DeskError, match=told):
            await claimed.act(HandBack(outcome="done", promised=promised, promised_at=at), SAM)

    async def test_what_people_keep_for_themselves_the_bot_leaves_to_them(self, claimed: Rig) -> None:
        """After a hand back without leave to act, a command is not done but opens the ticket again."""
        await claimed.act(HandBack(outcome="Do not cancel it.", may_act=False), SAM)
        await claimed.settle()
        member = claimed.member()
        claimed.engine.by_text["cancel it"] = turn("Cancelling it.", commands=(command(member.order_number),))
        await claimed.writes("cancel it")
        ticket = await ticket_of(claimed)
        assert (ticket.number, ticket.state) == (1, TicketState.QUEUED)
        assert claimed.seen()[-2:] == [phrases.PEOPLE_DECIDE, phrases.place_in_queue(1)]
        assert "Cancelling it." not in claimed.seen()

    async def test_a_later_end_gives_leave_again(self, claimed: Rig) -> None:
        """Resolving takes back that the bot must not act."""
        await claimed.act(HandBack(outcome="Do not cancel it.", may_act=False), SAM)
        await claimed.settle()
        await claimed.writes("person please")
        await claimed.act(Claim(), KIM)
        await claimed.act(Resolve(), KIM)
        assert (await ticket_of(claimed)).bot_may_act
