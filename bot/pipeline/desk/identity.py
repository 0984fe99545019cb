"""Whose record a customer's is, as agents think: to be seen by people, never a proof. But for `candidates`, bodies."""

from __future__ import annotations

import re
from collections import defaultdict

from sqlalchemy import Connection

from bot.domain.acts import LinkCustomer, UnlinkCustomer
from bot.domain.customers import Candidate, Clue, Customer, CustomerId
from bot.domain.desk import Done
from bot.domain.errors import DeskError
from bot.domain.messages import Author
from bot.domain.ports import CustomerDirectory
from bot.domain.tickets import Ticket, TicketId
from bot.pipeline.desk.handling import Doing, Handlers, require_text
from bot.store import conversations, links, tickets, transcript
from bot.store.database import Database
from bot.store.links import IdentityLink

#: Lines of the transcript in which clues are looked for.
_LINES_MAX = 100
#: Clues of one kind that are looked up, people that one clue may lead to, and people that are shown.
_CLUES_MAX = 5
_PEOPLE_MAX = 3
CANDIDATES_MAX = 5
_EMAIL = re.compile(r"[^\s@<>,;:]{1,64}@[A-Za-z0-9.-]{1,200}\.[A-Za-z]{2,24}")


async def candidates(database: Database, directory: CustomerDirectory, ticket_id: TicketId) -> list[Candidate]:
    """Return whom a ticket's customer may be, with the evidence, most of it first.

    Raises `DirectoryUnavailableError` when the brand's records cannot be read.
    """
    clues = await database.read(_clues, directory, ticket_id)
    people: dict[CustomerId, Customer] = {}
    evidence: dict[CustomerId, list[str]] = defaultdict(list)
    for (clue, value), words in clues.items():
        for customer in await directory.resembling(clue, value, _PEOPLE_MAX):
            people[customer.id] = customer
            evidence[customer.id].append(words)
    ranked = sorted(people, key=lambda known: -len(evidence[known]))
    return [Candidate(customer=people[known], evidence=tuple(evidence[known])) for known in ranked[:CANDIDATES_MAX]]


def _clues(connection: Connection, directory: CustomerDirectory, ticket_id: TicketId) -> dict[tuple[Clue, str], str]:
    """Return what to look the customer up by, and what each would be evidence of; each once."""
    ticket = tickets.get(connection, ticket_id)
    if ticket is None:
        raise DeskError("There is no such ticket.")
    lines = transcript.last(connection, ticket.conversation_id, _LINES_MAX)
    said = [line.text for line in reversed(lines) if line.author is Author.CUSTOMER]
    numbers = list(dict.fromkeys(number for text in said for number in directory.order_numbers.find(text)))
    emails = list(dict.fromkeys(found[0].lower() for text in said for found in _EMAIL.finditer(text)))
    clues: dict[tuple[Clue, str], str] = {}
    at_stake = directory.order_numbers.read(ticket.request.order_number or "")
    if at_stake is not None:
        clues[Clue.ORDER_NUMBER, at_stake] = f"the ticket is about their order {at_stake}"
    for number in numbers[:_CLUES_MAX]:
        clues.setdefault((Clue.ORDER_NUMBER, number), f"the customer named their order {number}")
    for email in emails[:_CLUES_MAX]:
        clues[Clue.EMAIL, email] = f"the customer wrote their e-mail address {email}"
    name = conversations.get(connection, ticket.conversation_id).display_name
    if name:
        clues[Clue.NAME, name] = f"the channel calls the customer {name}"
    return clues


def link_customer(doing: Doing, act: LinkCustomer) -> Done:
    """Show a record beside the conversation; what the bot may tell is not changed by it."""
    why = require_text(act.evidence, "Say why you think so: others will rely on it.")
    assurance = conversations.read_assurance(doing.connection, doing.conversation.id)
    if assurance.customer_id is not None:
        raise DeskError("The customer has proved who they are: their record is shown already.")
    evidence = f"linked by {doing.agent.name} because {why}"
    link = IdentityLink(customer_id=act.customer_id, evidence=evidence, at=doing.writer.now, undone_at=None)
    links.add(doing.connection, doing.conversation.address, link, doing.agent)
    doing.show()
    return doing.done()


def unlink_customer(doing: Doing, _: UnlinkCustomer) -> Done:
    """Show the record no more; that it was linked stays in the ledger."""
    if not links.undo(doing.connection, doing.conversation.address, doing.agent, doing.writer.now):
        raise DeskError("No record is linked with this customer.")
    doing.show()
    return doing.done()


def linked(connection: Connection, ticket: Ticket) -> IdentityLink | None:
    """Return whose record agents are shown with a ticket without a proof, or none."""
    return links.live(connection, conversations.get(connection, ticket.conversation_id).address)


HANDLERS: Handlers = {LinkCustomer: link_customer, UnlinkCustomer: unlink_customer}
