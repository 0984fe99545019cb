"""Who takes part in a shift: people in Slack, and customers; what each of them can do and see."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import httpx
from slack_sdk.web.async_client import AsyncWebClient

from simulator.telegram import FakeCustomer
from tests.fakes.slack_rules import nodes, visible
from tests.shift.front import Front

Json = dict[str, Any]
_numbers = itertools.count(1)


@dataclass(kw_only=True)
class Person:
    """Somebody in Slack."""

    front: Front
    #: speaks as this person
    client: AsyncWebClient
    user: str

    # ---- in a ticket's thread

    async def writes(self, card: Json, text: str, **more: object) -> str:
        """Write below a card and return the message's `ts`; `text` is as Slack marks it up."""
        answer = await self.client.chat_postMessage(
            channel=card["channel"],
            thread_ts=card["ts"],
            text=text,
            **more,  # type: ignore[arg-type]
        )
        return str(answer["ts"])

    async def edits(self, card: Json, ts: str, text: str) -> None:
        """Change a message."""
        await self.client.chat_update(channel=card["channel"], ts=ts, text=text)

    async def deletes(self, card: Json, ts: str) -> None:
        """Delete a message."""
        await self.client.chat_delete(channel=card["channel"], ts=ts)

    async def reacts(self, card: Json, ts: str, name: str) -> None:
        """Put a reaction on a message."""
        await self.client.reactions_add(channel=card["channel"], timestamp=ts, name=name)

    # ---- buttons, modals, menus, commands: bodies as Slack sends them

    async def presses(self, post: Json, action: str) -> None:
        """Press a button of a post, or choose from its menu, as it was when they looked."""
        self.front.messages = [post]
        await self.front.click(self.user, post["ts"], action)

    async def opens(self, post: Json, action: str) -> Json:
        """Press what opens a modal, and return the modal."""
        count = len(self.front.views)
        await self.presses(post, action)
        assert len(self.front.views) == count + 1, f"{action} opened nothing: {self.told[-1:]}"
        return self.front.views[-1]

    async def goes_on(self, view: Json, action: str) -> Json:
        """Press a button of a modal and return what is shown in its place."""
        await self.front.press(self.user, view, action)
        return self.front.views[-1]

    async def fills(self, view: Json, text: str | None = None, **fields: object) -> Json:
        """Send a modal; return what it is answered with, which is empty once it is done with."""
        return await self.front.submit(self.user, view, text, **fields)

    async def sends(self, view: Json, text: str | None = None) -> list[str]:
        """Write a reply, look at its preview and send it; return what the preview said."""
        answer = await self.fills(view, text)
        assert answer.get("response_action") == "update", answer
        preview = self.front.views[-1]
        assert await self.fills(preview) == {}
        return [node["text"] for node in nodes(preview["blocks"]) if node.get("type") == "text"]

    async def chooses(self, card: Json, ts: str, shortcut: str) -> None:
        """Choose a shortcut from a message's menu."""
        self.front.messages = await self.front.look(card["channel"], card["ts"])
        await self.front.choose(self.user, ts, shortcut)

    async def takes_back(self) -> None:
        """Press the last Undo that was offered."""
        offer = next(
            post for post in reversed(self.front.ephemerals) if post["user"] == self.user and "Undo" in visible(post)
        )
        await self.front.click(self.user, offer["ts"], "tandem_undo")

    async def commands(self, text: str) -> str:
        """Write `/tandem …`; return what it is told apart by."""
        return await self.front.command(self.user, text)

    async def opens_home(self) -> None:
        """Open the app's page."""
        await self.front.open_home(self.user)

    async def presses_home(self, action: str) -> None:
        """Press a button of the page."""
        await self.front.press(self.user, self.front.homes[self.user], action)

    # ---- what they see

    @property
    def home(self) -> str:
        """The text of their page."""
        return visible(self.front.homes[self.user])

    @property
    def told(self) -> list[str]:
        """What they alone were told."""
        return [visible(post) for post in self.front.ephemerals if post["user"] == self.user]

    def answered(self, command: str) -> str:
        """Return the answer to a command."""
        return visible(self.front.answers[command])


@dataclass(kw_only=True)
class OnTelegram:
    """A customer with a Telegram app."""

    phone: FakeCustomer

    async def writes(self, text: str) -> None:
        """Send a text."""
        self.phone.writes(text)

    @property
    def seen(self) -> list[str]:
        """What the chat shows of ours, in order."""
        return [shown.text for shown in self.phone.seen]

    async def look(self) -> list[str]:
        """Return what the chat shows of ours, in order."""
        return self.seen


@dataclass(kw_only=True)
class OnTheSite:
    """A customer with the web chat."""

    http: httpx.AsyncClient
    token: str = ""

    async def arrives(self) -> None:
        """Open the chat."""
        self.token = (await self.http.post("/chat/session")).json()["token"]

    async def writes(self, text: str, *files: str) -> None:
        """Send a text, with files that were uploaded."""
        body = {"id": f"shift-{next(_numbers):06d}", "text": text, **({"attachments": list(files)} if files else {})}
        answer = await self.http.post("/chat/messages", json=body, headers=self._headers)
        assert answer.status_code == 202, answer.text

    async def uploads(self, content: bytes, name: str, kind: str) -> str:
        """Upload a file and return what a message calls it."""
        headers = {**self._headers, "x-file-name": name, "content-type": kind}
        answer = await self.http.post("/chat/files", content=content, headers=headers)
        assert answer.status_code in {200, 201}, answer.text
        return str(answer.json()["file"])

    async def look(self) -> list[str]:
        """Return what the chat shows of ours, in order."""
        return [entry["text"] for entry in await self.shown() if entry["author"] != "customer"]

    async def shown(self) -> list[Json]:
        """Return everything the page shows."""
        answer = await self.http.get("/chat/history", headers=self._headers)
        events: list[Json] = answer.json()["events"]
        return events

    @property
    def _headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.token}"}


def choice(view: Json, field: str, label: str) -> str:
    """Return what the entry of that label stands for, in a field of a modal."""
    element = next(block["element"] for block in view["blocks"] if block.get("block_id") == field)
    found: str = next(option["value"] for option in element["options"] if option["text"]["text"] == label)
    return found
