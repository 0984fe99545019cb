"""A browser without scripts before the local desk."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

import aiohttp

from bot.desk.local.hub import DeskHub
from bot.desk.local.sessions import desk_link
from bot.domain.messages import Attachment, AttachmentKind
from bot.domain.rules import Team
from bot.domain.tickets import EVERYBODY, Agent, AgentId, TeamName, TicketId
from tests.desk.floor import Floor
from tests.fakes.media import MemoryMedia

SECRET = "a secret that only tests know"

TICKET = TicketId(f"{1:032x}")

ALEX = Agent(id=AgentId("slack:U1"), name="Alex")


@dataclass
class Visit:
    """A browser without scripts."""

    url: str
    session: aiohttp.ClientSession
    acts: Floor
    media: MemoryMedia
    hub: DeskHub

    async def get(self, path: str) -> tuple[int, str]:
        """Return the status and the page."""
        async with self.session.get(self.url + path) as answer:
            return answer.status, await answer.text()

    async def post(self, path: str, fields: dict[str, str], headers: dict[str, str] | None = None) -> tuple[int, str]:
        """Send a form; redirects are followed."""
        async with self.session.post(self.url + path, data=fields, headers=headers) as answer:
            return answer.status, await answer.text()

    async def sign_in(self, name: str = "Sam") -> None:
        """Come in by a link and give a name."""
        _, page = await self.get(path_of(desk_link(SECRET, self.url)))
        status, _ = await self.post("/desk/name", {"token": fields_of(page)["token"], "name": name})
        assert status == 200

    async def form(self) -> dict[str, str]:
        """Return what the forms of the ticket's page carry."""
        return fields_of((await self.get(f"/desk/tickets/{TICKET}"))[1])

    async def act(self, act: str, text: str = "", **changed: str) -> tuple[int, str]:
        """Send one of the ticket's forms."""
        return await self.post(f"/desk/tickets/{TICKET}/{act}", {**await self.form(), "text": text, **changed})


def path_of(link: str) -> str:
    """Return a link without its host."""
    parts = urlsplit(link)
    return f"{parts.path}?{parts.query}"


def fields_of(page: str) -> dict[str, str]:
    """Return the hidden fields of a page's forms."""
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page))


TEAMS = (Team(name=EVERYBODY, title="Everybody"), Team(name=TeamName("returns"), title="Returns"))


def file(name: str, media_type: str) -> Attachment:
    """Return a file of the customer's, or of an agent's."""
    kind = AttachmentKind.IMAGE if media_type.startswith("image/") else AttachmentKind.FILE
    return Attachment(kind=kind, name=name, media_type=media_type)
