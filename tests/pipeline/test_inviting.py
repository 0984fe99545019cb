from __future__ import annotations

import pytest
from sqlalchemy import select

from bot.domain.acts import Claim, ReplyElsewhere
from bot.domain.assurance import Level
from bot.domain.conversations import Owner
from bot.domain.desk import DeskPostKind
from bot.domain.errors import EngineUnavailableError
from bot.domain.invitations import GUESSES_MAX, shown
from bot.domain.rules import Rules
from bot.domain.tickets import TicketState
from bot.pipeline import phrases
from bot.store import conversations, tickets
from bot.store.schema import token_guesses
from tests.fakes.connector import FakeConnector
from tests.pipeline.rig import SAM, Rig, handoff
from tests.pipeline.square import LINK, meaning, rules, says, square, ticket_at, token_in


@pytest.fixture
def public() -> FakeConnector:
    """Return the public channel."""
    return square()


@pytest.fixture
def also(public: FakeConnector) -> tuple[FakeConnector, ...]:
    """Return what is connected beside the private channel."""
    return (public,)


@pytest.fixture
def links() -> str | None:
    """Return what the links into the private channel begin with."""
    return LINK


@pytest.fixture(name="rules")
def _rules(public: FakeConnector, links: str | None) -> Rules:
    """Return the rules of a brand that has both channels."""
    return rules(public, FakeConnector(invites_at=links))


@pytest.fixture
def invited(rig: Rig) -> Rig:
    """Return the pipeline, in which public questions are asked into private."""
    rig.engine.by_text |= {
        "where is my order?": meaning("order_status", "Which order?"),
        "you are a disgrace": meaning("express_anger"),
        "get me a person": handoff(),
    }
    return rig


def link_of(public: FakeConnector) -> str:
    """Return the referral that the newest invitation's link carries."""
    return public.shown[-1].text.partition("?")[2]


async def test_a_link_joins_and_the_question_goes_on(invited: Rig, public: FakeConnector) -> None:
    """Who follows the link is welcomed, and the bot takes up in private what was asked in public."""
    await says(invited, public, "where is my order?")
    await invited.writes("/start", referral=link_of(public))
    assert invited.seen() == [phrases.JOINED.format(quoted="where is my order?"), "Which order?"]

    ticket = await ticket_at(invited, public)
    assert ticket is not None
    view = await invited.desk.view(ticket.id)
    assert view is not None
    (joined,) = view.joined
    assert joined.address == invited.connector.address("ann")
    assert not joined.is_public
    assert [line.text for line in joined.transcript][-1] == "Which order?"
    notices = [post.text for post in invited.poster.of(DeskPostKind.NOTICE)]
    assert any("followed the invitation" in text and "not proved" in text for text in notices)


async def test_it_proves_nothing(invited: Rig, public: FakeConnector) -> None:
    """A token says nothing about who somebody is: they are as unknown as before."""
    await says(invited, public, "where is my order?")
    await invited.writes("hi", referral=link_of(public))
    assurance = await invited.database.read(conversations.read_assurance, (await invited.conversation()).id)
    assert (assurance.level, assurance.customer_id) == (Level.L0, None)


@pytest.mark.parametrize("said", ["{code}", "Hello, my code is {code}", "code: {code}!", "  {code}  "])
async def test_a_typed_code_joins(invited: Rig, public: FakeConnector, said: str) -> None:
    """A code typed into a direct message, in any case, does what a link does."""
    await says(invited, public, "where is my order?")
    code = shown(token_in(public.shown[0].text))
    await invited.writes(said.format(code=code))
    assert invited.seen()[-1] == "Which order?"


async def test_what_else_was_written_is_answered(invited: Rig, public: FakeConnector) -> None:
    """Of a message with a code and a question of its own, that question goes on."""
    await says(invited, public, "where is my order?")
    code = shown(token_in(public.shown[0].text))
    await invited.writes(f"{code} what about CL-104233")
    assert invited.seen()[-1] == "re: what about CL-104233"


async def test_a_complaint_goes_on_with_people(invited: Rig, public: FakeConnector) -> None:
    """What people have to look at stays theirs: the private conversation gets a ticket too; each shows the other."""
    await says(invited, public, "you are a disgrace")
    await invited.writes("/start", referral=link_of(public))
    private = await invited.open_ticket()
    there = await ticket_at(invited, public)
    assert private is not None
    assert there is not None
    assert f"public ticket {there.number}" in private.request.summary
    assert phrases.place_in_queue(2).split(".")[0] in invited.seen()[0]
    views = [await invited.desk.view(each.id) for each in (private, there)]
    numbers = [view.joined[0].ticket_number for view in views if view]
    assert numbers == [there.number, private.number]


async def test_whoever_has_the_public_ticket_gets_the_private_one(invited: Rig, public: FakeConnector) -> None:
    """An agent who has the public ticket has the customer in private at once."""
    await says(invited, public, "where is my order?")
    there = await ticket_at(invited, public)
    assert there is not None
    await invited.desk.do(there.id, SAM, Claim(), "claim")
    await invited.settle()
    await invited.writes("/start", referral=link_of(public))
    private = await invited.open_ticket()
    assert private is not None
    assert (private.state, private.agent) == (TicketState.CLAIMED, SAM)
    assert (await invited.conversation()).owner is Owner.AGENT
    assert phrases.JOINED_PEOPLE in invited.seen()[-1]


async def test_an_agent_answers_where_the_customer_went(invited: Rig, public: FakeConnector) -> None:
    """From the public ticket a reply can be sent into the private conversation."""
    await says(invited, public, "where is my order?")
    await invited.writes("/start", referral=link_of(public))
    there = await ticket_at(invited, public)
    assert there is not None
    act = ReplyElsewhere(conversation_id=(await invited.conversation()).id, text="Hello Ann, CL-104233 is late.")
    await invited.desk.do(there.id, SAM, act, "reply")
    await invited.settle()
    assert invited.seen()[-1] == "Hello Ann, CL-104233 is late."
    assert len(public.shown) == 1


async def test_a_token_is_used_once(invited: Rig, public: FakeConnector) -> None:
    """Who brings a used token is told so politely and learns nothing; whose it was may bring it again."""
    await says(invited, public, "where is my order?")
    link = link_of(public)
    await invited.writes("/start", referral=link)
    await invited.writes("/start", "bob", referral=link)
    assert invited.seen("bob") == [phrases.INVITATION_USED]
    await invited.writes("/start", referral=link)
    assert invited.seen()[-2:] == [phrases.JOINED.format(quoted="where is my order?"), "Which order?"]


async def test_a_token_ends(invited: Rig, public: FakeConnector) -> None:
    """An invitation that is too old says so."""
    await says(invited, public, "where is my order?")
    invited.clock.pass_(days=15)
    await invited.writes("/start", referral=link_of(public))
    assert invited.seen() == [phrases.INVITATION_EXPIRED]


async def test_guessing_is_not_listened_to(invited: Rig, public: FakeConnector) -> None:
    """After some unknown codes even a right one is refused for an hour, from that address alone."""
    await says(invited, public, "where is my order?")
    code = shown(token_in(public.shown[0].text))
    for n in range(GUESSES_MAX):
        await invited.writes(f"bcdfg-bcdf{n + 2}")
    await invited.writes(code)
    assert invited.seen() == [*[phrases.INVITATION_UNKNOWN] * GUESSES_MAX, phrases.INVITATION_BARRED]
    invited.clock.pass_(hours=1, seconds=1)
    await invited.writes(code)
    assert invited.seen()[-1] == "Which order?"
    # What counts no more is not kept.
    await invited.writes("bcdfg-bcdf9", "bob")
    kept = await invited.database.read(lambda connection: list(connection.scalars(select(token_guesses.c.address))))
    assert kept == [str(invited.connector.address("bob"))]


async def test_with_an_agent_it_only_joins(invited: Rig, public: FakeConnector) -> None:
    """To a customer whom an agent has nothing is said by itself; the agent is told where they come from."""
    await says(invited, public, "where is my order?")
    await invited.writes("get me a person")
    await invited.act(Claim())
    await invited.settle()
    seen = invited.seen()
    await invited.writes("/start", referral=link_of(public))
    assert invited.seen() == seen
    assert any("where is my order?" in post.text for post in invited.poster.of(DeskPostKind.NOTICE))
    assert len((await invited.view()).joined) == 1


async def test_an_unfinished_join_is_taken_up_again(invited: Rig, public: FakeConnector) -> None:
    """When the engine is away after somebody joined, they are welcomed once and answered later."""
    await says(invited, public, "where is my order?")
    invited.engine.broken = EngineUnavailableError()
    await invited.writes("/start", referral=link_of(public))
    await invited.settle()
    invited.engine.broken = None
    await invited.wait_out(minutes=1)
    assert [text for text in invited.seen() if text != phrases.STILL_WORKING] == [
        phrases.JOINED.format(quoted="where is my order?"),
        "Which order?",
    ]


async def test_other_referrals_are_none_of_this(invited: Rig) -> None:
    """The name of an ad is no token: the message is answered as any other."""
    await invited.writes("hello", referral="spring-sale")
    assert invited.seen() == ["re: hello"]


async def test_a_second_invitation_waits_for_the_first_to_end(invited: Rig, public: FakeConnector) -> None:
    """In one thread somebody is asked again only after their invitation has ended unused."""
    await says(invited, public, "where is my order?")
    invited.clock.pass_(days=15)
    await says(invited, public, "where is my order?")
    assert len(public.shown) == 2


@pytest.mark.parametrize("links", [None])
async def test_by_code_where_no_link_leads(invited: Rig, public: FakeConnector) -> None:
    """On a network whose direct messages have no links, the public text names the code to type."""
    await says(invited, public, "where is my order?")
    assert public.shown[0].text.startswith("Please send us a direct message with the code ")
    await invited.writes(public.shown[0].text.rpartition(" ")[2])
    assert invited.seen()[-1] == "Which order?"


async def test_the_number_of_tickets_is_right(invited: Rig, public: FakeConnector) -> None:
    """Joining opens no ticket where the bot goes on."""
    await says(invited, public, "where is my order?")
    await invited.writes("/start", referral=link_of(public))
    assert await invited.ticket_count() == 1
    found = await invited.database.read(tickets.all_open)
    assert len(found) == 1
