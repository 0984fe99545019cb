"""The Slack desk with a Slack that nobody here wrote (npm `emulate`)."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
import sanic
from sanic.request import Request
from sanic.response import HTTPResponse
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.desk.slack.app import SlackAccount, SlackDesk
from bot.domain.connectors import Retry, Sent
from bot.domain.desk import DeskPost, DeskPostKind
from bot.domain.messages import Attachment, AttachmentKind, DeliveryState
from bot.domain.tickets import TicketId, TicketState
from tests.desk.conftest import Inbox
from tests.desk.floor import Floor
from tests.desk.serving import serve
from tests.fakes.media import MemoryMedia
from tests.fakes.slack import SECRET, FakeSlack
from tests.fakes.slack_rules import visible
from tests.peers.npm import running

Json = dict[str, Any]
TICKET = TicketId(f"{1:032x}")


@dataclass
class Stage:
    """The emulator, a desk on it, and Alice."""

    bot: AsyncWebClient
    alice: AsyncWebClient
    channel: str
    alice_id: str
    acts: Floor
    media: MemoryMedia
    inbox: Inbox
    desk: SlackDesk
    events_url: str
    #: modals that were opened, as the emulator keeps them
    opened: list[Json] = field(default_factory=list)
    #: makes the bodies that the emulator leaves to its users: buttons and modals
    hand: FakeSlack = field(default_factory=FakeSlack)

    async def work(self) -> None:
        """Handle what came in and post what has to go out."""
        for raw in self.inbox.take():
            await self.desk.handle(raw)
        await self.acts.drain(self.desk.poster)

    async def post_card(self) -> str:
        """Open a ticket and return its card's `ts`."""
        ticket_id = self.acts.open()
        await self.work()
        return str(self.acts.views[ticket_id].ticket.desk_reference).rpartition(":")[2]

    async def card(self, ts: str) -> Json:
        """Return a card as it is now."""
        answer = await self.bot.conversations_history(channel=self.channel)
        return next(message for message in answer["messages"] if message["ts"] == ts)

    async def thread(self, card: str) -> list[Json]:
        """Return the replies below a card."""
        answer = await self.bot.conversations_replies(channel=self.channel, ts=card, include_all_metadata=True)
        return [message for message in answer["messages"] if message["ts"] != card]

    async def reactions(self, ts: str) -> list[str]:
        """Return the names of the reactions on a message."""
        answer = await self.bot.reactions_get(channel=self.channel, timestamp=ts)
        return [reaction["name"] for reaction in answer["message"].get("reactions", ())]

    async def write(self, card: str, text: str) -> str:
        """Write into a card's thread as Alice; the emulator tells our route by itself, signed."""
        return str((await self.alice.chat_postMessage(channel=self.channel, thread_ts=card, text=text))["ts"])

    async def act(self, card: str, action_id: str, text: str | None = None) -> None:
        """Press a button as Alice and send its modal, if there is a text for it."""
        self.hand.messages = [{**await self.card(card), "channel": self.channel}]
        body = self.hand.click_body(self.alice_id, card, action_id)
        trigger = await self.bot.api_call("views.generateTriggerId", params={"user_id": self.alice_id})
        await self._deliver({**body, "trigger_id": trigger["trigger_id"]})
        view = self.opened[-1] if self.opened else {}
        while text is not None and view:
            answer = await self._deliver(self.hand.submit_body(self.alice_id, view, text))
            # The preview of a reply is the same modal once more.
            view = {**answer["view"], "id": view["id"], "hash": "next"} if "view" in answer else {}

    async def _deliver(self, body: Json) -> Json:
        raw, headers = self.hand.signed(body)
        async with (
            aiohttp.ClientSession() as session,
            session.post(self.events_url, data=raw, headers=headers) as answer,
        ):
            assert answer.status == 200
            content = await answer.read()
            made: Json = json.loads(content) if content else {}
            return made


@pytest.fixture
async def stage(floor: Floor) -> AsyncIterator[Stage]:
    """Return a desk on the emulator: both have to know each other's address before they start."""
    desks: list[SlackDesk] = []

    async def late(request: Request) -> HTTPResponse:
        return await desks[0]._over_http(request)

    blueprint = sanic.Blueprint("late")
    blueprint.add_route(late, "/slack/events", methods=["POST"])
    async with serve(blueprint) as ours, running("slack", "server.mjs", f"{ours}/slack/events") as url:
        bot = AsyncWebClient("xoxb-desk", base_url=f"{url}/api/")
        alice = AsyncWebClient("xoxp-alice", base_url=f"{url}/api/")
        channels = (await bot.conversations_list())["channels"]
        channel = next(entry["id"] for entry in channels if entry["name"] == "care")
        await bot.conversations_join(channel=channel)
        media, inbox = MemoryMedia(), Inbox()
        account = SlackAccount(bot_token="xoxb-desk", channel=channel, signing_secret=SECRET, base_url=f"{url}/api/")
        desk = SlackDesk(account, floor, media, inbox.persist)
        desks.append(desk)
        alice_id = str((await alice.auth_test())["user_id"])
        found = Stage(bot, alice, channel, alice_id, floor, media, inbox, desk, f"{ours}/slack/events")
        _watch_modals(desk, found.opened)
        yield found


def _watch_modals(desk: SlackDesk, opened: list[Json]) -> None:
    views_open = desk._client.views_open

    async def watched(**arguments: Any) -> AsyncSlackResponse:
        answer = await views_open(**arguments)
        opened.append(answer["view"])
        return answer

    desk._client.views_open = watched  # type: ignore[method-assign]


async def test_a_ticket_is_worked_from_card_to_hand_back(stage: Stage) -> None:
    """The main way of a ticket, on a Web API, events and signatures that are not ours."""
    card = await stage.post_card()
    assert "Claim" in str((await stage.card(card))["blocks"])
    await stage.act(card, "tandem_claim")
    await stage.work()
    assert "has it" in str((await stage.card(card))["blocks"])

    written = await stage.write(card, "&gt; Hello Dana")
    await stage.write(card, "she seems nice")
    await stage.act(card, "tandem_reply", "From the modal <!channel>")
    await stage.work()
    assert [text for _, text, _ in stage.acts.sent] == ["Hello Dana", "From the modal <!channel>"]
    assert [kind for kind, *_ in stage.acts.log] == ["claimed", "reply", "note", "reply"]

    stage.acts.customer_writes(TICKET, "thank you <@U1> *all*")
    for entry in [line for line in stage.acts.views[TICKET].transcript if line.delivery]:
        stage.acts.deliver(TICKET, entry.id, DeliveryState.DELIVERED)
    await stage.work()
    posts = await stage.thread(card)
    assert await stage.reactions(written) == ["white_check_mark"]
    line = next(post for post in posts if "From the modal <!channel>" in visible(post))
    assert "✅ Delivered" in visible(line)
    assert any("thank you <@U1> *all*" in visible(post) for post in posts)

    await stage.act(card, "tandem_hand_back", "Refunded")
    await stage.work()
    assert stage.acts.views[TICKET].ticket.state is TicketState.HANDED_BACK
    assert "Handed back to the bot" in str((await stage.card(card))["blocks"])


async def test_posts_are_found_again_by_their_metadata(stage: Stage) -> None:
    """A card and a line whose answers were lost are recognised in the channel's history."""
    card = await stage.post_card()
    notice = DeskPost(ticket_id=TICKET, kind=DeskPostKind.NOTICE, text="hello")
    sent = await stage.desk.poster.send(notice, "notice-1")
    assert await stage.desk.poster.find(notice, "notice-1") == sent
    assert isinstance(await stage.desk.poster.find(notice, "notice-2"), Retry)
    key = (await stage.bot.conversations_history(channel=stage.channel, include_all_metadata=True))["messages"][-1][
        "metadata"
    ]["event_payload"]["key"]
    stage.acts.refer(TICKET, None)
    found = await stage.desk.poster.find(DeskPost(ticket_id=TICKET, kind=DeskPostKind.CARD), key)
    assert found == Sent(external_id=f"{stage.channel}:{card}")


async def test_a_customers_file_is_put_into_the_thread(stage: Stage) -> None:
    """The three steps of an upload end with the file below the card."""
    card = await stage.post_card()
    photo = Attachment(kind=AttachmentKind.IMAGE, name="mug.png", media_type="image/png")
    stage.acts.customer_writes(TICKET, "look", (await stage.media.put(b"png", photo),))
    await stage.work()
    names = [file["name"] for post in await stage.thread(card) for file in post.get("files", ())]
    assert names == ["mug.png"]


async def test_the_check_passes(stage: Stage) -> None:
    """An account that works is told so."""
    assert "#care, over HTTP" in await stage.desk.check()
