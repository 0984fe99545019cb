"""Who has a ticket. All functions are transaction bodies."""

from __future__ import annotations

from bot.domain.acts import Claim
from bot.domain.conversations import Owner
from bot.domain.desk import Done
from bot.domain.tickets import TicketState
from bot.pipeline import phrases, promises
from bot.pipeline.desk.handling import Doing, Handlers, require_mine


def claim(doing: Doing, _: Claim) -> Done:
    """Make the agent the owner; the bot is silent from this commit on."""
    require_mine(doing)
    return take(doing).done()


def take(doing: Doing) -> Doing:
    """Make the agent the owner of a ticket that is theirs already, or waits in the queue."""
    if doing.ticket.state is TicketState.CLAIMED:
        return doing
    doing = doing.give_to(Owner.AGENT).change(
        state=TicketState.CLAIMED.value,
        agent_id=doing.agent.id,
        agent_name=doing.agent.name,
        claimed_at=doing.writer.now,
    )
    promises.ticket_claimed(doing.connection, doing.writer, doing.ticket)
    doing.tell(phrases.agent_joined(doing.agent.name))
    doing.show()
    return doing


HANDLERS: Handlers = {Claim: claim}
