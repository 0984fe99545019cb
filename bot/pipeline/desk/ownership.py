"""Who has a ticket. All functions are transaction bodies."""

from __future__ import annotations

from bot.domain.acts import Assign, Claim, Release, Reopen, Transfer
from bot.domain.conversations import Owner
from bot.domain.desk import Done
from bot.domain.errors import DeskError
from bot.domain.tickets import Agent, TicketState
from bot.pipeline import phrases, promises
from bot.pipeline.desk.handling import Doing, Handlers, require_mine, require_open
from bot.pipeline.desk.moving import move, team_of
from bot.pipeline.waiting import outlook
from bot.store import agents, tickets


def claim(doing: Doing, _: Claim) -> Done:
    """Make the agent the owner; the bot is silent from this commit on."""
    require_mine(doing)
    return take(doing).done()


def take(doing: Doing) -> Doing:
    """Make the agent the owner of a ticket that is theirs already, waits in the queue, or was answered elsewhere."""
    if doing.ticket.is_of(doing.agent):
        return doing
    return _give_to_agent(doing, doing.agent)


def release(doing: Doing, _: Release) -> Done:
    """Give the ticket back to its team's queue, where the bot answers again what it is sure of."""
    require_mine(doing)
    if doing.ticket.state is TicketState.QUEUED:
        raise DeskError(f"Ticket {doing.ticket.number} is in the queue already.")
    doing = _give_to_queue(doing)
    place = tickets.place_in_queue(doing.connection, doing.ticket) or 1
    waits = outlook(doing.connection, doing.writer, doing.ticket)
    doing.tell(phrases.released(doing.agent.name, place, waits, doing.conversation.language))
    doing.show()
    return doing.done()


def assign(doing: Doing, act: Assign) -> Done:
    """Make a person the owner, whoever has the ticket now: the thread says who took it from whom."""
    require_open(doing)
    former = doing.ticket.agent if doing.ticket.state is TicketState.CLAIMED else None
    if former is not None and former.id == act.agent.id:
        raise DeskError(f"{former.name} has ticket {doing.ticket.number} already.")
    doing = _give_to_agent(doing, act.agent)
    called = () if act.agent.id == doing.agent.id else act.agent.mentions
    doing.notice(phrases.assigned(doing.agent, act.agent, former, act.remark.strip()), called)
    return doing.done(remark=phrases.is_away(act.agent) if called and _is_away(doing, act.agent) else "")


def _is_away(doing: Doing, agent: Agent) -> bool:
    """Whether somebody said that they are away; of who never said anything nobody knows."""
    said = next((said for known, said in agents.known(doing.connection) if known.id == agent.id), None)
    return said is not None and not said.is_there(doing.writer.now)


def transfer(doing: Doing, act: Transfer) -> Done:
    """Give the ticket to another team's queue; its card appears in that team's channel."""
    require_mine(doing)
    team = team_of(doing.writer.rules, act.team)
    if doing.ticket.team == team.name and doing.ticket.state is TicketState.QUEUED:
        raise DeskError(f"Ticket {doing.ticket.number} waits for {team.title} already.")
    had_agent = doing.ticket.state is TicketState.CLAIMED
    former_team = doing.writer.rules.team(doing.ticket.team)
    doing = _give_to_queue(doing).change(team=team.name)
    promises.priority_changed(doing.connection, doing.writer, doing.ticket)
    if had_agent:
        place = tickets.place_in_queue(doing.connection, doing.ticket) or 1
        waits = outlook(doing.connection, doing.writer, doing.ticket)
        doing.tell(phrases.transferred(team.title, place, waits, doing.conversation.language))
    move(doing, former_team, phrases.moved(doing.agent, former_team.title, team.title, act.remark.strip()))
    return doing.done()


def reopen(doing: Doing, _: Reopen) -> Done:
    """Take up a closed ticket again, as its owner."""
    if doing.ticket.state.is_open:
        raise DeskError(f"Ticket {doing.ticket.number} is open.")
    other = tickets.open_of(doing.connection, doing.conversation.id)
    if other is not None:
        raise DeskError(f"This customer has a newer ticket, {other.number}, that is open: go on there.")
    doing = doing.change(closed_at=None, closing=None, outcome="", rating=None)
    promises.ticket_reopened(doing.connection, doing.writer, doing.ticket, is_customer_waiting=False)
    return _give_to_agent(doing, doing.agent).done()


def _give_to_agent(doing: Doing, agent: Agent) -> Doing:
    doing = doing.give_to(Owner.AGENT).change(
        state=TicketState.CLAIMED.value, agent_id=agent.id, agent_name=agent.name, claimed_at=doing.writer.now
    )
    promises.ticket_claimed(doing.connection, doing.writer, doing.ticket)
    doing.tell(phrases.agent_joined(agent.name, doing.conversation.language))
    doing.show()
    return doing


def _give_to_queue(doing: Doing) -> Doing:
    if doing.conversation.owner is not Owner.QUEUE:
        doing = doing.give_to(Owner.QUEUE)
    doing = doing.change(state=TicketState.QUEUED.value, agent_id=None, agent_name=None, claimed_at=None)
    promises.ticket_queued(doing.connection, doing.writer, doing.ticket)
    return doing


HANDLERS: Handlers = {Claim: claim, Release: release, Assign: assign, Transfer: transfer, Reopen: reopen}
