"""Answering a customer on another channel of theirs, when a reply did not arrive."""

from __future__ import annotations

import pytest

from bot.domain.acts import Claim, LinkCustomer, ReplyElsewhere, UnlinkCustomer
from bot.domain.customers import CustomerId
from bot.domain.errors import DeskError
from bot.domain.tickets import Agent, AgentId, TicketId, TicketState
from tests.desk.floor import Floor
from tests.desk.records import dana

SAM = Agent(id=AgentId("test:sam"), name="Sam")
KIM = Agent(id=AgentId("test:kim"), name="Kim")


def elsewhere(floor: Floor, there: TicketId, text: str = "Hello") -> ReplyElsewhere:
    """Return the act that answers in the conversation of another ticket."""
    return ReplyElsewhere(conversation_id=floor.views[there].conversation.id, text=text)


async def test_both_ways_lead_to_each_other_and_to_nobody_else(floor: Floor) -> None:
    """Conversations that proved to be the same customer are each other's; a stranger's and their own are not."""
    one, two, stranger = floor.open(record=dana()), floor.open(record=dana()), floor.open()
    for mine, other in ((one, two), (two, one)):
        (way,) = floor.views[mine].other_ways
        assert way.conversation_id == floor.views[other].conversation.id
        assert way.is_proved
    assert floor.views[stranger].other_ways == ()


async def test_a_link_is_a_way_while_it_lasts(floor: Floor) -> None:
    """What agents think leads there too, is told apart from what was proved, and ends when it is taken back."""
    here, there = floor.open(), floor.open(record=dana())
    link = LinkCustomer(customer_id=CustomerId("c1"), evidence="she named her order")
    await floor.do(here, SAM, link, "l")
    for mine in (here, there):
        (way,) = floor.views[mine].other_ways
        assert not way.is_proved
    await floor.do(here, SAM, UnlinkCustomer(), "u")
    assert floor.views[here].other_ways == floor.views[there].other_ways == ()


async def test_the_reply_goes_there_once_under_a_ticket_of_the_agents(floor: Floor) -> None:
    """A repeat sends nothing more; a ticket that waits there is the agent's now."""
    here, there = floor.open(record=dana()), floor.open(record=dana())
    await floor.do(here, SAM, Claim(), "c")
    for _ in range(2):
        await floor.do(here, SAM, elsewhere(floor, there), "r")
    assert floor.sent == [(there, "Hello", ())]
    ticket = floor.views[there].ticket
    assert (ticket.state, ticket.agent) == (TicketState.CLAIMED, SAM)
    assert [kind for kind, of, *_ in floor.log if of == there] == ["reply"]


async def test_nobody_is_answered_who_is_not_the_same_customer(floor: Floor) -> None:
    """A conversation of a stranger is refused, and so is one in which a colleague answers."""
    here, stranger, there = floor.open(record=dana()), floor.open(), floor.open(record=dana())
    with pytest.raises(DeskError, match="not known to be a channel of this customer"):
        await floor.do(here, SAM, elsewhere(floor, stranger), "a")
    await floor.do(there, KIM, Claim(), "k")
    with pytest.raises(DeskError, match="Kim has claimed ticket 3"):
        await floor.do(here, SAM, elsewhere(floor, there), "b")
    assert floor.sent == []
