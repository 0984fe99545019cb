"""A ticket goes to another team, and its card to that team's channel. All functions are transaction bodies."""

from __future__ import annotations

from bot.domain.desk import DeskPost, DeskPostKind
from bot.domain.errors import DeskError
from bot.domain.rules import Rules, Team
from bot.domain.tickets import TeamName
from bot.pipeline.desk.handling import Doing
from bot.store import tickets


def team_of(rules: Rules, name: TeamName) -> Team:
    """Return the team of that name; raise `DeskError` when there is none."""
    team = next((team for team in rules.teams if team.name == name), None)
    if team is None:
        known = ", ".join(team.name for team in rules.teams)
        raise DeskError(f"There is no team {name}. The teams are: {known}.")
    return team


def move(doing: Doing, former: Team, remark: str) -> None:
    """Show the ticket in its team's channel, and there what was noted; its old card says where it went.

    The card that follows is posted anew where its channel is another one, and what was said is told again below it.
    """
    reference = doing.ticket.desk_reference
    if reference is None or doing.writer.rules.team(doing.ticket.team).slack_channel == former.slack_channel:
        doing.show()
        doing.notice(remark)
        return
    moved = DeskPost(
        ticket_id=doing.ticket.id, kind=DeskPostKind.MOVED, text=reference, channel=reference.partition(":")[0]
    )
    doing.post(moved, "moved")
    doing.show()
    doing.notice("\n".join([remark, *_notes(doing)]))


def _notes(doing: Doing) -> list[str]:
    notes = [event for event in tickets.events(doing.connection, doing.ticket.id) if event.kind == "note"]
    return [f"Note by {event.agent.name if event.agent else 'the bot'}: {event.detail}" for event in notes]
