"""Keeping agents' App Home up to date, and what they press there."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace
from datetime import datetime

from bot.desk.slack import home
from bot.desk.slack.blocks import Block
from bot.desk.slack.buttons import DeskAction
from bot.desk.slack.doing import Doer
from bot.desk.slack.events import Click
from bot.desk.slack.home import Home
from bot.desk.slack.parts import SlackParts
from bot.desk.slack.whereabouts import act_key
from bot.domain.errors import DeskError
from bot.domain.shifts import Availability
from bot.domain.tickets import Agent

NOBODY_WAITS = "Nobody is waiting for a person."
NO_SHIFTS = "Nobody keeps count of who is there: anybody can take a ticket."


#: Pages that are kept up to date.
_OPEN_MAX = 200


@dataclass(frozen=True, kw_only=True)
class _Shown:
    """A page as somebody sees it."""

    at: datetime
    #: as it was asked for
    page: int
    remark: str
    #: as it was published
    view: Block


class HomePages:
    """Shows each agent their page."""

    def __init__(self, parts: SlackParts) -> None:
        """Read tickets, and publish as the bot."""
        self._parts = parts
        self._doer = Doer(parts)
        #: by who sees it, the one who looked last at the end
        self._shown: OrderedDict[str, _Shown] = OrderedDict()

    async def show(self, user: str, page: int = 0, remark: str = "") -> None:
        """Publish somebody's page; who is no agent is told so there."""
        view = await self._view(user, page, remark)
        self._shown.pop(user, None)
        self._shown[user] = _Shown(at=self._parts.resources.now(), page=page, remark=remark, view=view)
        if len(self._shown) > _OPEN_MAX:
            self._shown.popitem(last=False)
        await self._parts.client.views_publish(user_id=user, view=view)

    def open_since(self, moment: datetime) -> list[str]:
        """Return who has looked at their page since then, the last one first."""
        return [user for user, shown in reversed(self._shown.items()) if shown.at >= moment]

    async def refresh(self, user: str) -> bool:
        """Publish somebody's page as they had it, if it has changed since; return whether it has."""
        shown = self._shown.get(user)
        if shown is None:
            return False
        view = await self._view(user, shown.page, shown.remark)
        # Whoever has looked meanwhile has a newer one.
        if view == shown.view or self._shown.get(user) is not shown:
            return False
        await self._parts.client.views_publish(user_id=user, view=view)
        if self._shown.get(user) is shown:
            self._shown[user] = replace(shown, view=view)
        return True

    async def _view(self, user: str, page: int, remark: str) -> Block:
        verdict = await self._parts.people.verdict(user)
        if verdict.agent is None:
            shown = Home(remark=verdict.refusal)
        else:
            shown = await self._home(verdict.agent, user, page, remark)
        return home.render(shown)

    async def pressed(self, click: Click) -> None:
        """Do what was pressed on the page, and show it anew."""
        verdict = await self._parts.people.verdict(click.user)
        remark, page = "", 0
        if verdict.agent is not None:
            match click.action:
                case DeskAction.PAGE:
                    page = int(click.argument) if click.argument.isascii() and click.argument.isdigit() else 0
                case DeskAction.NEXT:
                    remark = await self.next_for(verdict.agent, act_key(click.external_id))
                case _:
                    remark = await self.set_available(verdict.agent, click.action is DeskAction.AVAILABLE)
        await self.show(click.user, min(page, 1_000), remark)

    async def next_for(self, agent: Agent, key: str) -> str:
        """Give the agent the most urgent ticket, and return what to tell them."""
        shifts = self._parts.resources.shifts
        try:
            if shifts is not None:
                known = await shifts.availability(agent)
                current = await self._with_teams(agent, known)
                if current != known:
                    await shifts.set_availability(agent, current)
                done = await shifts.next_for(agent, key)
            else:
                waiting, _ = await self._parts.acts.waiting(0, 1)
                done = await self._doer.claim(waiting[0].ticket.id, agent, key) if waiting else None
        except DeskError as error:
            return str(error)
        return f"Ticket {done.ticket.number} is yours: {done.ticket.request.topic}." if done else NOBODY_WAITS

    async def set_available(self, agent: Agent, is_available: bool) -> str:
        """Note whether the agent takes tickets, and return what to tell them."""
        shifts = self._parts.resources.shifts
        if shifts is None:
            return NO_SHIFTS
        known = await self._with_teams(agent, await shifts.availability(agent))
        await shifts.set_availability(agent, replace(known, is_available=is_available, back_at=None))
        return "You are available." if is_available else "You are away: you get no new tickets. Yours stay yours."

    async def _with_teams(self, agent: Agent, known: Availability) -> Availability:
        """Return whether the agent takes tickets, of the teams that Slack says they are in now."""
        user = agent.id.partition(":")[2]
        return replace(known, teams=await self._parts.people.teams_of(user, self._parts.resources.rules.teams))

    async def _home(self, agent: Agent, user: str, page: int, remark: str) -> Home:
        shifts = self._parts.resources.shifts
        mine = await self._parts.acts.mine(agent)
        queue, count = await self._parts.acts.waiting(page * home.PAGE, home.PAGE)
        is_lead = await self._parts.people.is_lead(user)
        return Home(
            mine=mine[page * home.PAGE : (page + 1) * home.PAGE],
            mine_count=len(mine),
            queue=queue,
            queue_count=count,
            is_available=(await shifts.availability(agent)).is_there(self._parts.resources.now()) if shifts else None,
            today=await shifts.numbers(agent) if shifts else None,
            load=await shifts.load() if shifts and is_lead else None,
            everybody=await shifts.numbers() if shifts and is_lead else None,
            page=page,
            remark=remark,
            workspace=await self._parts.people.workspace(),
        )
