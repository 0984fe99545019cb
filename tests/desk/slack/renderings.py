"""Everything that we show in Slack of one ticket, made from `tests.desk.slack.views`."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

from bot.desk.slack import home, modals, thread
from bot.desk.slack.blocks import Block, Post
from bot.desk.slack.card import card
from bot.desk.slack.home import Home
from bot.desk.slack.modals import Draft
from bot.domain.messages import Author, Quote
from bot.domain.shifts import AgentLoad, Numbers, TeamLoad
from bot.domain.suggestions import SuggestionState
from bot.domain.tickets import Agent, AgentId, TeamName, TicketId, TicketState, TicketView
from tests.desk.slack.views import line_of, macro_of, suggestion_of, view_of


def posts(text: str, count: int = 39) -> list[Post]:
    """Return every kind of post, each full of `text`; with so many lines where there can be many."""
    entry, view = line_of(text), view_of(text, lines=count)
    quote = Quote(id=entry.id, author=Author.CUSTOMER, text=text)
    return [
        *(card(view_of(text, state, lines=count)) for state in TicketState),
        card(view_of(text, is_known=False, lines=count)),
        thread.line(entry, view, remark=text),
        thread.lines([line_of(text, author=Author.AGENT), *[entry] * (count // 2)], view, remark=text),
        thread.lines([replace(entry, quotes=quote)] * max(1, count // 2), view, remark=text),
        thread.line(replace(entry, quotes=quote), view, remark=text),
        thread.transcript(view),
        *(thread.suggestion(suggestion_of(text, state), view) for state in SuggestionState),
        thread.notice(text),
        thread.failure(entry, view),
        thread.refusal(text or "x", unsent=text),
        thread.undo(text or "x", TicketId(f"{1:032x}"), "slack:click:U1"),
        thread.left_out_line(),
    ]


def all_modals(view: TicketView, text: str, count: int = 120) -> list[Block]:
    """Return every modal, each full of `text`; with so many canned replies."""
    title = text[:75] or "x"
    return [
        modals.reply(view, Draft(text=text), "1"),
        modals.reply(view, Draft(text=text, shown=modals.digest(text)), "1", [text[:3_000]] * 3, text),
        modals.reply(view, Draft(text=text, elsewhere="1" * 32), "1"),
        modals.reply(view, Draft(text=text, quotes=view.transcript[0].id if view.transcript else None), "1"),
        modals.note(view, text),
        modals.pick_macro(view, [macro_of(f"{number} {text}") for number in range(count)]),
        modals.pick_macro(view, []),
        modals.fill_macro(view, macro_of(text), ["customer.first_name", "promise.date"]),
        modals.snooze(view, [(view.ticket.opened_at, "in an hour")]),
        modals.sort(view),
        modals.assign(view, [("orders", "Orders"), ("returns", title)]),
        modals.promise(view),
        modals.link(view, [(f"c{number}", text, text) for number in range(min(count, 20))]),
        modals.link(view, []),
        modals.resolve(view),
        modals.hand_back(view),
        modals.more(view),
        modals.make_macro(text),
        modals.told("Not possible", text),
    ]


def homes(text: str, count: int = 25) -> list[Block]:
    """Return App Home with nothing in it, and for a lead, with so many tickets."""
    views = [view_of(text, TicketState.CLAIMED, lines=1)] * count
    waiting = [view_of(text, lines=1)] * (2 * count)
    day = Numbers(
        handled_count=3,
        first_response=timedelta(minutes=4),
        promised_count=25,
        kept_count=24,
        rated_count=5,
        rating=4.6,
    )
    sam = AgentLoad(
        agent=Agent(id=AgentId("slack:U1"), name=text),
        is_there=False,
        back_at=None,
        ticket_count=3,
        overdue_count=1,
        load_count=4,
        capacity=5,
    )
    team = TeamLoad(
        team=TeamName("orders"),
        title=text,
        queued_count=3,
        waiting_since=views[0].ticket.opened_at,
        overdue=(views[0].ticket.id,),
        broken_count=2,
        agents=(sam,) * (count + 5),
    )
    full = Home(
        mine=views,
        mine_count=count,
        queue=waiting,
        queue_count=2 * count,
        is_available=True,
        today=day,
        load=[team] * (count // 2),
        everybody=day,
        page=1,
        remark=text,
        workspace="https://copperleaf.slack.com/",
    )
    return [home.render(Home()), home.render(full)]


def as_slack_gets_it(shown: Post | Block) -> dict[str, Any]:
    """Return a post or view through JSON."""
    body = {"text": shown.text, "blocks": shown.blocks} if isinstance(shown, Post) else shown
    message: dict[str, Any] = json.loads(json.dumps(body))
    return message
