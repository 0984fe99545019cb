"""Everything that we show in Slack of one ticket, made from `tests.desk.slack.views`."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from bot.desk.slack import home, modals, thread
from bot.desk.slack.blocks import Block, Post
from bot.desk.slack.card import card
from bot.desk.slack.home import Home
from bot.desk.slack.modals import Draft
from bot.domain.messages import Author
from bot.domain.shifts import AgentLoad, Numbers, TeamLoad
from bot.domain.suggestions import SuggestionState
from bot.domain.tickets import Agent, AgentId, TeamName, TicketId, TicketState, TicketView
from tests.desk.slack.views import line_of, macro_of, suggestion_of, view_of


def posts(text: str) -> list[Post]:
    """Return every kind of post, each full of `text`."""
    entry, view = line_of(text), view_of(text)
    return [
        *(card(view_of(text, state)) for state in TicketState),
        card(view_of(text, is_known=False)),
        thread.line(entry, view, remark=text),
        thread.lines([line_of(text, author=Author.AGENT), *[entry] * 19], view, remark=text),
        thread.transcript(view),
        *(thread.suggestion(suggestion_of(text, state), view) for state in SuggestionState),
        thread.notice(text),
        thread.failure(entry, view),
        thread.refusal(text or "x", unsent=text),
        thread.undo(text or "x", TicketId(f"{1:032x}"), "slack:click:U1"),
        thread.left_out_line(),
    ]


def all_modals(view: TicketView, text: str) -> list[Block]:
    """Return every modal, each full of `text`."""
    title = text[:75] or "x"
    return [
        modals.reply(view, Draft(text=text), "1"),
        modals.reply(view, Draft(text=text, shown=modals.digest(text)), "1", [text[:3_000]] * 3, text),
        modals.reply(view, Draft(text=text, elsewhere="1" * 32), "1"),
        modals.note(view, text),
        modals.pick_macro(view, [macro_of(f"{number} {text}") for number in range(120)]),
        modals.pick_macro(view, []),
        modals.fill_macro(view, macro_of(text), ["customer.first_name", "promise.date"]),
        modals.snooze(view, [(view.ticket.opened_at, "in an hour")]),
        modals.sort(view),
        modals.assign(view, [("orders", "Orders"), ("returns", title)]),
        modals.promise(view),
        modals.link(view, [(f"c{number}", text, text) for number in range(20)]),
        modals.link(view, []),
        modals.resolve(view),
        modals.hand_back(view),
        modals.more(view),
        modals.make_macro(text),
        modals.told("Not possible", text),
    ]


def homes(text: str) -> list[Block]:
    """Return App Home with nothing in it, with more than fits one page, and for a lead."""
    views = [view_of(text, TicketState.CLAIMED)] * 25
    waiting = [view_of(text)] * 60
    day = Numbers(
        handled_count=3,
        first_response=timedelta(minutes=4),
        promised_count=25,
        kept_count=24,
        rated_count=5,
        rating=4.6,
    )
    sam = AgentLoad(
        agent=Agent(id=AgentId("slack:U1"), name=text), is_there=False, back_at=None, ticket_count=3, overdue_count=1
    )
    team = TeamLoad(
        team=TeamName("orders"),
        title=text,
        queued_count=3,
        waiting_since=views[0].ticket.opened_at,
        overdue=(views[0].ticket.id,),
        agents=(sam,) * 30,
    )
    full = Home(
        mine=views,
        mine_count=25,
        queue=waiting,
        queue_count=60,
        is_available=True,
        today=day,
        load=[team] * 12,
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
