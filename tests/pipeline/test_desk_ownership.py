"""Who has a ticket: release, assign, transfer, reopen, and the bot's silence in between."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.domain.acts import Assign, Claim, Note, Release, Reopen, Reply, Resolve, Transfer
from bot.domain.conversations import Owner
from bot.domain.desk import DeskPostKind
from bot.domain.errors import DeskError
from bot.domain.rules import Team
from bot.domain.shifts import Availability
from bot.domain.tickets import EVERYBODY, TeamName, TicketState
from bot.pipeline import phrases
from bot.store import agents
from tests.pipeline.rig import KIM, PLAIN, SAM, Rig, handoff

RETURNS = TeamName("returns")
RULES = replace(
    PLAIN,
    teams=(
        Team(name=EVERYBODY, title="Everybody", slack_channel="C0QUEUE"),
        Team(name=RETURNS, title="Returns", slack_channel="C0RETURNS", topics=frozenset({"a return"})),
        Team(name=TeamName("night"), title="Night shift", slack_channel="C0QUEUE", topics=frozenset({"night"})),
    ),
)


@pytest.fixture
async def queued(rig: Rig) -> Rig:
    """Return the pipeline with Ann in the queue of a brand that has teams."""
    object.__setattr__(rig.desk._parts, "rules", RULES)
    rig.engine.by_text["person please"] = handoff("I'll ask a colleague.")
    await rig.writes("person please")
    return rig


@pytest.fixture
async def claimed(queued: Rig) -> Rig:
    """Return the pipeline with Ann's ticket claimed by Sam."""
    await queued.act(Claim(), SAM)
    await queued.settle()
    return queued


def notices(rig: Rig) -> list[str]:
    """Return the remarks in the ticket's thread."""
    return [post.text for post in rig.poster.of(DeskPostKind.NOTICE)]


async def test_a_released_ticket_waits_again_and_the_bot_answers(claimed: Rig) -> None:
    """The customer is told that they wait again, the bot answers what it is sure of, and anybody can claim."""
    epoch = (await claimed.conversation()).epoch
    done = await claimed.act(Release(), SAM)
    await claimed.settle()
    assert (done.ticket.state, done.ticket.agent, done.ticket.claimed_at) == (TicketState.QUEUED, None, None)
    conversation = await claimed.conversation()
    assert (conversation.owner, conversation.epoch) == (Owner.QUEUE, epoch + 1)
    assert claimed.seen()[-1] == phrases.released("Sam", 1)
    await claimed.writes("opening hours?")
    assert claimed.seen()[-1] == "re: opening hours?"
    await claimed.act(Claim(), KIM)
    await claimed.settle()
    assert claimed.seen()[-1] == phrases.agent_joined("Kim")


async def test_only_what_somebody_has_can_be_released(queued: Rig) -> None:
    """A ticket in the queue, somebody else's and a closed one stay as they are."""
    with pytest.raises(DeskError, match="in the queue already"):
        await queued.act(Release(), SAM)
    await queued.act(Claim(), SAM)
    with pytest.raises(DeskError, match="Sam has claimed"):
        await queued.act(Release(), KIM)
    await queued.act(Resolve(), SAM)
    with pytest.raises(DeskError, match="closed"):
        await queued.act(Release(), SAM)


async def test_a_lead_takes_over_and_the_former_owner_reads_it(claimed: Rig) -> None:
    """Claiming another's ticket is refused with who has it; assigning it to oneself is not, and the thread says so."""
    with pytest.raises(DeskError, match="Sam has claimed"):
        await claimed.act(Claim(), KIM)
    done = await claimed.act(Assign(agent=KIM, remark="Sam is ill."), KIM)
    await claimed.settle()
    assert (done.ticket.agent, (await claimed.conversation()).owner) == (KIM, Owner.AGENT)
    assert notices(claimed)[-1] == "Kim has taken this ticket over from Sam. Sam is ill."
    assert claimed.poster.of(DeskPostKind.NOTICE)[-1].mentions == ()
    assert claimed.seen()[-1] == phrases.agent_joined("Kim")
    with pytest.raises(DeskError, match="Kim has claimed"):
        await claimed.act(Reply(text="me again"), SAM)
    event = (await claimed.view()).events[-1]
    assert (event.kind, event.agent, event.detail) == ("assign", KIM, "to Kim: Sam is ill.")


async def test_who_gives_a_ticket_to_somebody_away_is_told(queued: Rig) -> None:
    """It is theirs all the same; of somebody who never said whether they are there nothing is said."""
    assert (await queued.act(Assign(agent=KIM), SAM)).remark == ""
    await queued.act(Release(), KIM)
    away = Availability(is_available=False)
    await queued.database.write(agents.set_availability, KIM, away, queued.clock.now())
    done = await queued.act(Assign(agent=KIM), SAM)
    assert (done.ticket.agent, done.remark) == (KIM, phrases.is_away(KIM))


async def test_a_ticket_is_given_to_somebody(queued: Rig) -> None:
    """A waiting ticket becomes that person's, and the bot is silent; giving it to them again is refused."""
    await queued.act(Assign(agent=KIM), SAM)
    await queued.writes("hello?")
    assert queued.seen()[-1] == phrases.agent_joined("Kim")
    assert notices(queued)[-1] == "Sam has given this ticket to Kim."
    assert queued.poster.of(DeskPostKind.NOTICE)[-1].mentions == ("kim",)
    with pytest.raises(DeskError, match="Kim has ticket 1 already"):
        await queued.act(Assign(agent=KIM), SAM)


async def test_a_transferred_ticket_waits_for_the_other_team(claimed: Rig) -> None:
    """It is in the other team's queue, its old card says where it went, and its notes go along."""
    await claimed.act(Note(text="has the receipt"), SAM)
    reference = (await claimed.view()).ticket.desk_reference
    done = await claimed.act(Transfer(team=RETURNS, remark="It is a return."), SAM)
    await claimed.settle()
    assert (done.ticket.team, done.ticket.state, done.ticket.agent) == (RETURNS, TicketState.QUEUED, None)
    assert (await claimed.conversation()).owner is Owner.QUEUE
    assert claimed.seen()[-1] == phrases.transferred("Returns", 1)
    (moved,) = claimed.poster.of(DeskPostKind.MOVED)
    assert moved.text == reference
    said = "Sam has passed this ticket on from Everybody to Returns. It is a return.\nNote by Sam: has the receipt"
    assert notices(claimed)[-1] == said
    assert [view.ticket.id for view in await claimed.desk.queue(RETURNS)] == [done.ticket.id]
    assert await claimed.desk.queue(EVERYBODY) == []


async def test_a_transfer_within_one_channel_moves_no_card(queued: Rig) -> None:
    """Teams that share a channel share its cards; a customer who only waited is told nothing."""
    before = queued.seen()
    await queued.act(Transfer(team=TeamName("night")), SAM)
    await queued.settle()
    assert queued.poster.of(DeskPostKind.MOVED) == []
    assert notices(queued) == ["Sam has passed this ticket on from Everybody to Night shift."]
    assert queued.seen() == before


async def test_a_transfer_needs_a_team_that_there_is(claimed: Rig) -> None:
    """An unknown team is answered with the known ones, and the team it waits for already is no transfer."""
    with pytest.raises(DeskError, match=r"no team sales\. The teams are: everybody, returns, night\."):
        await claimed.act(Transfer(team=TeamName("sales")), SAM)
    with pytest.raises(DeskError, match="Sam has claimed"):
        await claimed.act(Transfer(team=RETURNS), KIM)
    await claimed.act(Transfer(team=RETURNS), SAM)
    with pytest.raises(DeskError, match="waits for Returns already"):
        await claimed.act(Transfer(team=RETURNS), SAM)


async def test_a_closed_ticket_is_taken_up_again(claimed: Rig) -> None:
    """Reopening makes whoever does it the owner, and the bot is silent again."""
    await claimed.act(Resolve(outcome="sent a mug"), SAM)
    done = await claimed.act(Reopen(), KIM)
    await claimed.settle()
    ticket = done.ticket
    assert (ticket.state, ticket.agent, ticket.closed_at, ticket.outcome) == (TicketState.CLAIMED, KIM, None, "")
    await claimed.writes("thanks")
    assert claimed.seen()[-1] == phrases.agent_joined("Kim")
    with pytest.raises(DeskError, match="is open"):
        await claimed.act(Reopen(), KIM)


async def test_a_ticket_is_not_reopened_beside_another(claimed: Rig) -> None:
    """A conversation has one open ticket: the newer one is named."""
    first = (await claimed.view()).ticket
    await claimed.act(Resolve(), SAM)
    await claimed.settle()
    claimed.clock.pass_(days=7)
    await claimed.writes("person please")
    with pytest.raises(DeskError, match="newer ticket, 2"):
        await claimed.desk.do(first.id, SAM, Reopen(), "again")


async def test_tickets_are_found_by_who_has_them(claimed: Rig) -> None:
    """An agent's own tickets stand by what is due."""
    await claimed.writes("person please", "bob")
    await claimed.act(Assign(agent=KIM), SAM, customer="bob")
    assert [view.ticket.number for view in await claimed.desk.mine(SAM)] == [1]
    assert [view.ticket.number for view in await claimed.desk.mine(KIM)] == [2]
