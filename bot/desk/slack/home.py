"""App Home: an agent's tickets by what is due first, the queue, the next ticket, and how the day goes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bot.desk import words
from bot.desk.slack import blocks
from bot.desk.slack.blocks import Block, bold, mrkdwn, plain, text
from bot.desk.slack.buttons import OPEN, DeskAction
from bot.desk.slack.card import clock_words
from bot.domain.clocks import ClockKind
from bot.domain.shifts import AgentLoad, Numbers, TeamLoad
from bot.domain.tickets import TicketState, TicketView

#: Tickets of each list on one page: with two blocks a ticket a page stays below the 100 blocks of a view.
PAGE = 18
#: What a lead sees at once.
TEAMS_MAX, AGENTS_MAX = 8, 25


@dataclass(frozen=True, kw_only=True)
class Home:
    """What an agent's page shows."""

    #: of this page, what is due first before the rest, and how many there are in all
    mine: Sequence[TicketView] = ()
    mine_count: int = 0
    #: of this page, next one first, and how many wait in all
    queue: Sequence[TicketView] = ()
    queue_count: int = 0
    #: none: nobody keeps count of who is there
    is_available: bool | None = None
    today: Numbers | None = None
    #: for leads, what each team has and how everybody's day goes; none: this person leads nobody
    load: Sequence[TeamLoad] | None = None
    everybody: Numbers | None = None
    #: from 0
    page: int = 0
    #: what came of what was just pressed
    remark: str = ""
    #: of the workspace: https://copperleaf.slack.com/
    workspace: str = ""


def render(home: Home) -> Block:
    """Return the view that Slack shows under the app's Home tab: at most 100 blocks."""
    made: list[Block] = [blocks.header("Your desk"), _first_row(home)]
    if home.remark:
        made.append(blocks.rich(blocks.section(text(blocks.clip(home.remark, blocks.FACT_MAX)))))
    if home.today is not None:
        made.append(blocks.remark(_day(home.today)))
    made += _list(f"Yours ({home.mine_count})", home.mine, home.workspace, "You have no tickets.")
    made += _list(f"In the queue ({home.queue_count})", home.queue, home.workspace, "Nobody is waiting.")
    pages = -(-max(home.mine_count, home.queue_count) // PAGE)
    if pages > 1 or home.page:
        made.append(_pages(home.page, pages))
    if home.load is not None:
        made += [blocks.divider(), blocks.header("All teams")]
        made += [blocks.remark(_day(home.everybody))] if home.everybody is not None else []
        made += _load(home.load)
    return {"type": "home", "blocks": made[: blocks.VIEW_BLOCKS_MAX]}


def link(view: TicketView, workspace: str) -> str:
    """Return the address of a ticket's card; empty while there is none."""
    channel, _, ts = (view.ticket.desk_reference or "").rpartition(":")
    return f"{workspace}archives/{channel}/p{ts.replace('.', '')}" if channel and workspace else ""


def title(view: TicketView) -> str:
    """Return a ticket in one line: number, topic, customer, channel."""
    who = blocks.short(words.customer_and_channel(view), 80)
    return f"#{view.ticket.number} · {blocks.short(view.ticket.request.topic, 60)} · {who}"


def _first_row(home: Home) -> Block:
    row = [blocks.button(DeskAction.NEXT, "Next ticket", "next", "primary")]
    if home.is_available is not None:
        away = (DeskAction.AWAY, "I am away") if home.is_available else (DeskAction.AVAILABLE, "I am back")
        row.append(blocks.button(away[0], away[1], "now"))
    row.append(blocks.button(f"{DeskAction.PAGE}:fresh", "Refresh", str(home.page)))
    return blocks.buttons("tandem_home", *row)


def _list(name: str, views: Sequence[TicketView], workspace: str, otherwise: str) -> list[Block]:
    made: list[Block] = [blocks.divider(), blocks.header(name)]
    if not views:
        return [*made, blocks.remark(otherwise)]
    for view in views[:PAGE]:
        made += entry(view, workspace)
    return made


def entry(view: TicketView, workspace: str) -> list[Block]:
    """Return a ticket as a list shows it: what it is, what is due, and the way to it."""
    ticket, address = view.ticket, link(view, workspace)
    shown: Block = {"type": "section", "text": plain(title(view))}
    if ticket.state is TicketState.QUEUED:
        shown["accessory"] = blocks.button(f"{DeskAction.CLAIM}:{ticket.number}", "Claim", ticket.id)
    elif address:
        shown["accessory"] = {**blocks.button(f"{OPEN}:{ticket.number}", "Open", ticket.id), "url": address}
    return [shown, blocks.context(*_due(view))]


def _due(view: TicketView) -> list[Block]:
    ticket = view.ticket
    made = [] if ticket.priority.rank == 2 else [plain(words.PRIORITIES[ticket.priority].capitalize())]
    if words.team(view):
        made.append(plain(f"Team {blocks.short(words.team(view), 60)}"))
    if ticket.snoozed_until is not None:
        return [*made, mrkdwn(f"💤 until {blocks.when(ticket.snoozed_until)}")]
    made += [mrkdwn(clock_words(clock)) for clock in words.clocks(view) if clock.kind is not ClockKind.SNOOZE][:4]
    return made or [mrkdwn(f"since {blocks.when(ticket.opened_at, '{date_short_pretty} {time}')}")]


def _pages(page: int, pages: int) -> Block:
    row = []
    if page > 0:
        row.append(blocks.button(f"{DeskAction.PAGE}:back", "◀ Earlier", str(page - 1)))
    if page < pages - 1:
        row.append(blocks.button(f"{DeskAction.PAGE}:on", f"More (page {page + 2} of {pages}) ▶", str(page + 1)))
    return blocks.buttons("tandem_pages", *row)


def _day(day: Numbers) -> str:
    said = [f"Today: {day.handled_count} closed"]
    if day.first_response is not None:
        said.append(f"first answer after {words.duration(day.first_response)}")
    if day.promised_count:
        said.append(f"{day.kept_count} of {day.promised_count} promises kept")
    if day.rating is not None:
        said.append(f"rated {day.rating:.1f} of 5 by {day.rated_count}")
    return " · ".join(said)


def _load(teams: Sequence[TeamLoad]) -> list[Block]:
    made: list[Block] = []
    for team in teams[:TEAMS_MAX]:
        late = [bold(f" · ❗ {len(team.overdue)} late")] if team.overdue else []
        title = [bold(blocks.short(team.title, 60)), text(f" · {team.queued_count} waiting"), *late]
        people = [text(f"\n{_agent(agent)}") for agent in team.agents[:AGENTS_MAX]]
        made.append(blocks.rich(blocks.section(*title, *people)))
        small = []
        if team.waiting_since is not None:
            small.append(
                mrkdwn(f"the longest since {blocks.when(team.waiting_since, '{date_short_pretty} {time} ({ago})')}")
            )
        if team.broken_count:
            small.append(plain(f"{team.broken_count} {_plural('promise', team.broken_count)} broken today"))
        made += [blocks.context(*small)] if small else []
    return made


def _agent(load: AgentLoad) -> str:
    has = f"{load.ticket_count} {_plural('ticket', load.ticket_count)}"
    if load.capacity is not None:
        elsewhere = f", {load.ticket_count} of them here" if load.ticket_count != load.load_count else ""
        has = f"{load.load_count} of {load.capacity} tickets{elsewhere}"
    late = f", {load.overdue_count} late" if load.overdue_count else ""
    return f"{'🟢' if load.is_there else '⚪'} {blocks.short(load.agent.name, 60)}: {has}{late}"


def _plural(word: str, count: int) -> str:
    return word if count == 1 else f"{word}s"
