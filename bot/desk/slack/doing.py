"""Carrying out what an agent asked for, and telling them alone how it went."""

from __future__ import annotations

from dataclasses import replace

import structlog

from bot.desk.slack import thread
from bot.desk.slack.blocks import Post
from bot.desk.slack.errors import code_of
from bot.desk.slack.forms import GiveTo, LinkTo, Wish
from bot.desk.slack.parts import Place, SlackParts, Voice
from bot.domain.acts import (
    Act,
    Amend,
    AskToVerify,
    Assign,
    Claim,
    HandBack,
    InviteToPrivate,
    LinkCustomer,
    Note,
    Promise,
    RejectSuggestion,
    Release,
    Reopen,
    Reply,
    ReplyElsewhere,
    Resend,
    Resolve,
    SetPriority,
    SetTags,
    Snooze,
    Transfer,
    Undo,
    UnlinkCustomer,
    Wake,
)
from bot.domain.desk import Done
from bot.domain.errors import DeskError
from bot.domain.macros import Macro
from bot.domain.tickets import Agent, TicketId

_log = structlog.get_logger(__name__)

NO_AGENT = "That person cannot answer customers: {reason} Choose somebody else."
NO_MATCH = "Nothing in this conversation points to that record any more."

#: What an act that can be taken back is called, in front of the button that does it.
SAID: dict[type, str] = {
    Claim: "You have ticket {number} now.",
    Release: "Ticket {number} is back in the queue.",
    Assign: "Ticket {number} is passed on.",
    Transfer: "Ticket {number} is passed on.",
    Reply: "Your reply is on its way.",
    ReplyElsewhere: "Your reply is on its way on their other channel.",
    Amend: "Your change is on its way.",
    Resend: "It is tried again.",
    Note: "Kept as a note.",
    InviteToPrivate: "They are asked to write in private.",
    Snooze: "Ticket {number} sleeps.",
    Wake: "Ticket {number} is awake.",
    SetPriority: "The priority is set.",
    SetTags: "The tags are set.",
    Promise: "The promise is kept: ticket {number} comes back in time.",
    AskToVerify: "The customer is asked to verify.",
    LinkCustomer: "The record is shown on the card.",
    UnlinkCustomer: "The record is taken away.",
    RejectSuggestion: "Marked as wrong.",
    Resolve: "Ticket {number} is resolved.",
    HandBack: "Ticket {number} is handed back to the bot.",
    Reopen: "Ticket {number} is yours again.",
    Undo: "Taken back.",
}


class Doer:
    """Carries out acts of agents."""

    def __init__(self, parts: SlackParts) -> None:
        """Act on tickets, and speak as the bot."""
        self._parts = parts
        self._voice = Voice(parts)

    async def do(self, ticket_id: TicketId, agent: Agent, act: Act, key: str) -> Done:
        """Carry out an act and offer to take it back; raises `DeskError` with a sentence for the agent."""
        done = await self._parts.acts.do(ticket_id, agent, act, key)
        user, place = user_of(agent), Place.of(done.ticket.desk_reference, self._parts.channel)
        if done.remark:
            await self._voice.tell(user, place, done.remark)
        if done.can_undo_until is not None and done.can_undo_until > self._parts.resources.now():
            said = SAID[type(act)].format(number=done.ticket.number)
            await self._offer_undo(user, place, thread.undo(said, ticket_id, key))
        return done

    async def _offer_undo(self, user: str, place: Place, offer: Post) -> None:
        try:
            await self._voice.show(user, place, offer)
        except Exception as error:  # noqa: BLE001 - the act is done, and the offer would be too late when tried again
            _log.info("desk_undo_not_offered", error=code_of(error) or type(error).__name__)

    async def claim(self, ticket_id: TicketId, agent: Agent, key: str) -> Done:
        """Give the agent a ticket; raises `DeskError` with a sentence for them."""
        return await self.do(ticket_id, agent, Claim(), key)

    async def wish(self, ticket_id: TicketId, agent: Agent, wish: Wish, key: str) -> None:
        """Carry out what a modal asks for; raises `DeskError` and, for a canned reply, `SettingsError`."""
        match wish:
            case Macro():
                await self._parts.resources.macros.add(wish, agent)
            case GiveTo():
                verdict = await self._parts.people.verdict(wish.user)
                if verdict.agent is None:
                    raise DeskError(NO_AGENT.format(reason=verdict.refusal))
                await self.do(ticket_id, agent, Assign(agent=verdict.agent, remark=wish.remark), key)
            case LinkTo():
                found = await self._parts.acts.candidates(ticket_id)
                chosen = next((entry for entry in found if entry.customer.id == wish.customer_id), None)
                if chosen is None:
                    raise DeskError(NO_MATCH)
                act = LinkCustomer(customer_id=wish.customer_id, evidence="; ".join(chosen.evidence))
                await self.do(ticket_id, agent, act, key)
            case Reply(is_known_public=True, text=said):
                # What is sent from a modal was previewed word by word, with what it tells everybody.
                exposes = await self._parts.acts.exposed(ticket_id, said)
                await self.do(ticket_id, agent, replace(wish, exposes=exposes), key)
            case _:
                await self.do(ticket_id, agent, wish, key)


def user_of(agent: Agent) -> str:
    """Return Slack's id of an agent."""
    return agent.id.removeprefix("slack:")
