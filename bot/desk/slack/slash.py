"""Carrying out `/tandem …`; the answer is seen by who wrote it alone."""

from __future__ import annotations

import aiohttp
import structlog
from slack_sdk.webhook.async_client import AsyncWebhookClient

from bot.desk.slack import blocks, commands, home
from bot.desk.slack.blocks import Block, Post
from bot.desk.slack.commands import HELP, Command
from bot.desk.slack.doing import SAID, Doer
from bot.desk.slack.events import SlashCommand
from bot.desk.slack.forms import GiveTo
from bot.desk.slack.homepages import HomePages
from bot.desk.slack.parts import SlackParts
from bot.desk.slack.thread import refusal
from bot.desk.slack.whereabouts import act_key
from bot.domain.acts import Assign, Note, Reply
from bot.domain.errors import DeskError
from bot.domain.tickets import Agent, TicketView

_log = structlog.get_logger(__name__)

WHICH = "Say which ticket: /tandem {name} 12 …, as you have {count}."
NO_SUCH = "There is no open ticket {number}."
#: Tickets of one answer.
SHOWN_MAX = 15


class Slash:
    """Carries out commands."""

    def __init__(self, parts: SlackParts) -> None:
        """Act on tickets, and answer as the bot."""
        self._parts = parts
        self._doer = Doer(parts)
        self._pages = HomePages(parts)

    async def handle(self, event: SlashCommand) -> None:
        """Do what a command asks for and answer it."""
        verdict = await self._parts.people.verdict(event.user)
        if verdict.agent is None:
            await self._answer(event, refusal(verdict.refusal))
            return
        command = commands.read(event.text)
        if isinstance(command, str):
            await self._answer(event, refusal(command))
            return
        try:
            await self._answer(event, await self._do(command, verdict.agent, act_key(event.external_id)))
        except DeskError as error:
            await self._answer(event, refusal(str(error), command.text))

    async def _do(self, command: Command, agent: Agent, key: str) -> Post:
        match command.name:
            case "next":
                return refusal(await self._pages.next_for(agent, key))
            case "back" | "away":
                return refusal(await self._pages.set_available(agent, command.name == "back"))
            case "mine" | "queue" | "find":
                return await self._look(command, agent)
            case "note" | "reply" | "assign":
                return await self._about(command, agent, key)
            case _:
                return refusal(HELP)

    async def _look(self, command: Command, agent: Agent) -> Post:
        acts = self._parts.acts
        match command.name:
            case "mine":
                return await self._list(await acts.mine(agent), "You have no tickets.")
            case "find":
                return await self._list(await acts.find(command.text), "Nothing was found.")
            case _:
                waiting, count = await acts.waiting(0, SHOWN_MAX)
                return await self._list(waiting, "Nobody is waiting.", count)

    async def _about(self, command: Command, agent: Agent, key: str) -> Post:
        view = await self._ticket(command, agent)
        if command.name == "assign":
            await self._doer.wish(view.ticket.id, agent, GiveTo(user=command.user, remark=""), key)
            return refusal(SAID[Assign].format(number=view.ticket.number))
        act = Note(text=command.text) if command.name == "note" else Reply(text=command.text)
        await self._doer.do(view.ticket.id, agent, act, key)
        return refusal(f"#{view.ticket.number}: {SAID[type(act)]}")

    async def _ticket(self, command: Command, agent: Agent) -> TicketView:
        if command.number is None:
            mine = await self._parts.acts.mine(agent)
            if len(mine) != 1:
                raise DeskError(WHICH.format(name=command.name, count=len(mine) or "none"))
            return mine[0]
        views = await self._parts.acts.find(f"#{command.number}")
        found = next((view for view in views if view.ticket.number == command.number), None)
        if found is None or not found.ticket.state.is_open:
            raise DeskError(NO_SUCH.format(number=command.number))
        return found

    async def _list(self, views: list[TicketView], otherwise: str, count: int | None = None) -> Post:
        if not views:
            return refusal(otherwise)
        count = count or len(views)
        workspace = await self._parts.people.workspace()
        made: list[Block] = []
        for view in views[:SHOWN_MAX]:
            made += home.entry(view, workspace)
        if count > SHOWN_MAX:
            made.append(blocks.remark(f"and {count - SHOWN_MAX} more: see the app's Home tab"))
        return blocks.post(f"{count} tickets", made)

    async def _answer(self, event: SlashCommand, post: Post) -> None:
        """Answer where Slack says, if that is Slack; who cannot be answered is not waited for."""
        if not self._parts.files.is_slack(event.response_url):
            _log.warning("slack_command_not_answered", reason="the address is not Slack's")
            return
        try:
            client = AsyncWebhookClient(event.response_url, timeout=10, retry_handlers=[])
            await client.send(text=post.text, blocks=post.blocks, response_type="ephemeral")
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            _log.warning("slack_command_not_answered", reason=type(error).__name__)
