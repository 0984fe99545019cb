"""Being there and being away, on the local desk."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import aiohttp
import pytest

from bot.desk.local.hub import DeskHub
from bot.desk.local.routes import LocalDeskParts, local_desk_blueprint
from bot.domain.acts import Assign
from bot.domain.shifts import Availability
from bot.domain.tickets import Agent, AgentId, TicketId
from bot.pipeline.desk.shifts import Shifts
from tests.desk.floor import Floor
from tests.desk.local.visit import SECRET, Visit, fields_of
from tests.desk.serving import serve
from tests.fakes.media import MemoryMedia

SAM = Agent(id=AgentId("local:Sam"), name="Sam")
KIM = Agent(id=AgentId("slack:U0KIM"), name="Kim")
TICKET = TicketId(f"{1:032x}")


@pytest.fixture
async def visit(floor: Floor) -> AsyncIterator[Visit]:
    """Return a browser before a desk that keeps count of who is there."""
    media, hub = MemoryMedia(), DeskHub()
    parts = LocalDeskParts(acts=floor, media=media, hub=hub, secret=SECRET, shifts=Shifts(floor._parts, floor))
    jar = aiohttp.CookieJar(unsafe=True)
    async with serve(local_desk_blueprint(parts)) as url, aiohttp.ClientSession(cookie_jar=jar) as session:
        yield Visit(url, session, floor, media, hub)


def switch(page: str) -> tuple[str, str, str]:
    """Return what the switch says of who is signed in, what it would set, and what its button says."""
    said = re.search(r'<span class="there[^"]*">([^<]*)</span>', page)
    button = re.search(r'<button name="there" value="(\w+)"[^>]*>([^<]*)</button>', page)
    assert said is not None
    assert button is not None
    return said[1], button[1], button[2]


async def test_the_switch_says_and_sets_whether_somebody_is_there(visit: Visit) -> None:
    """Who comes in is away until they say that they are here; both ways are kept, and shown on every page."""
    await visit.sign_in("Sam")
    shifts = Shifts(visit.acts._parts, visit.acts)
    _, page = await visit.get("/desk/")
    for is_there, shown in ((False, ("You are away", "yes", "I am here")), (True, ("You are here", "no", "Go away"))):
        assert switch(page) == shown
        assert (await shifts.availability(SAM)).is_available is is_there
        status, page = await visit.post("/desk/availability", {**fields_of(page), "there": shown[1]})
        assert status == 200
    assert switch(page)[0] == "You are away"
    visit.acts.open()
    assert switch((await visit.get(f"/desk/tickets/{TICKET}"))[1])[0] == "You are away"


async def test_the_switch_needs_a_form_of_ours(visit: Visit) -> None:
    """Another site cannot send somebody away."""
    await visit.sign_in("Sam")
    status, _ = await visit.post("/desk/availability", {"there": "yes", "token": "forged"})
    assert status == 403
    assert not (await Shifts(visit.acts._parts, visit.acts).availability(SAM)).is_available


async def test_a_ticket_can_be_given_to_everybody_the_desk_knows(visit: Visit) -> None:
    """Who said that they are there can be chosen, with a ticket or without; who answers on the channel itself not."""
    await visit.sign_in("Sam")
    ticket_id, other = visit.acts.open(), visit.acts.open()
    lou = Agent.elsewhere("whatsapp", "1", "Lou")
    await visit.acts.do(other, SAM, Assign(agent=lou), "a")
    shifts = Shifts(visit.acts._parts, visit.acts)
    await shifts.set_availability(KIM, Availability(is_available=False))
    _, page = await visit.get(f"/desk/tickets/{ticket_id}")
    assert f'<option value="{KIM.id}">Kim</option>' in page
    assert "Lou</option>" not in page
    await visit.post(f"/desk/tickets/{ticket_id}/assign", {**fields_of(page), "agent": KIM.id})
    assert visit.acts.views[ticket_id].ticket.agent == KIM


async def test_the_next_ticket_is_ones_own(visit: Visit) -> None:
    """It is claimed and shown; where nothing waits the button cannot be pressed."""
    await visit.sign_in("Sam")
    _, page = await visit.get("/desk/")
    assert re.search(r'<button class="primary" disabled>Next ticket', page)
    ticket_id = visit.acts.open()
    _, page = await visit.post("/desk/next", fields_of((await visit.get("/desk/"))[1]))
    assert "Dana Fox" in page
    assert visit.acts.views[ticket_id].ticket.is_of(SAM)
