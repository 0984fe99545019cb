"""Checking the proof that an agent had the bot ask for: by the brand's records, and never by people."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from sqlalchemy import Connection

from bot.domain.conversations import Conversation
from bot.domain.customers import CustomerId, OrderNumber
from bot.domain.errors import DirectoryUnavailableError
from bot.domain.messages import Author, OutboundMessage
from bot.domain.ports import CustomerDirectory
from bot.domain.proofs import read_proof
from bot.domain.tickets import Ticket, TicketEvent
from bot.pipeline import notices, phrases
from bot.pipeline.outgoing import Writer
from bot.store import conversations, guesses, tickets, transcript
from bot.store.ids import new_message_id

#: What the history calls the question, its answers, and the end of asking.
ASKED, FAILED, PROVED, GIVEN_UP = "ask_to_verify", "verification_failed", "verified", "verification_given_up"
#: What the customer is told.
_WORDS = {PROVED: phrases.PROOF_FITS, FAILED: phrases.PROOF_WRONG, GIVEN_UP: phrases.PROOF_GIVEN_UP}
#: Wrong proofs after which the customer is left to the agent.
TRIES_MAX = 3
#: Lines of the customer that may hold the two halves of a proof.
_LINES_MAX = 10


@dataclass(frozen=True, kw_only=True)
class Claimed:
    """What the customer has given since they were asked."""

    order_number: OrderNumber | None
    #: postcode or e-mail address
    proof: str | None


class Finding(Enum):
    """What the brand's records say of a claim."""

    FITS = auto()
    WRONG = auto()
    #: one half is missing
    HALF = auto()
    #: the records cannot be read now
    UNKNOWN = auto()


@dataclass(frozen=True, kw_only=True)
class Check:
    """A claim that was looked up."""

    finding: Finding
    claimed: Claimed
    #: whom the order belongs to, where the claim fits
    customer_id: CustomerId | None = None


def read_claim(connection: Connection, ticket: Ticket, directory: CustomerDirectory) -> Claimed | None:
    """Return what the customer has given of the proof they were asked for; none: nothing, or nobody asked.

    Both halves may come in one message or in several since the bot asked last.
    """
    last = tickets.last_event(connection, ticket.id, (ASKED, FAILED, PROVED, GIVEN_UP))
    question = transcript.newest(connection, ticket.conversation_id, (Author.BOT,))
    if last is None or last.kind not in {ASKED, FAILED} or question is None:
        return None
    since = transcript.after(connection, ticket.conversation_id, question)
    said = [line.text for line in since if line.author is Author.CUSTOMER][-_LINES_MAX:]
    if not said or not (directory.order_numbers.find(said[-1]) or read_proof(said[-1])):
        return None
    numbers = [number for text in said for number in directory.order_numbers.find(text)]
    proofs = [proof for text in said if (proof := read_proof(text))]
    return Claimed(order_number=numbers[-1] if numbers else None, proof=proofs[-1] if proofs else None)


async def check(claimed: Claimed, directory: CustomerDirectory) -> Check:
    """Look a claim up in the brand's records."""
    if claimed.order_number is None or claimed.proof is None:
        return Check(finding=Finding.HALF, claimed=claimed)
    try:
        order = await directory.find_order(claimed.order_number, claimed.proof)
    except DirectoryUnavailableError:
        return Check(finding=Finding.UNKNOWN, claimed=claimed)
    if order is None:
        return Check(finding=Finding.WRONG, claimed=claimed)
    return Check(finding=Finding.FITS, claimed=claimed, customer_id=order.customer_id)


def record_check(
    connection: Connection, writer: Writer, conversation: Conversation, ticket: Ticket, checked: Check
) -> None:
    """Write down what came of a claim, and tell customer and agent; the conversation is locked."""
    claim = (checked.claimed.order_number or "", checked.claimed.proof or "")
    is_barred = conversations.read_assurance(connection, conversation.id).is_barred_at(writer.now)
    is_barred = is_barred or guesses.is_guessed_at(connection, *claim, writer.now)
    finding = Finding.WRONG if is_barred else checked.finding
    match finding:
        case Finding.FITS if checked.customer_id is not None:
            way = "order and e-mail" if "@" in (checked.claimed.proof or "") else "order and postcode"
            conversations.bind_customer(connection, conversation.address, checked.customer_id, way, writer.now)
            _end(connection, writer, (conversation, ticket), PROVED, notices.proved(way))
        case Finding.WRONG:
            if not is_barred:
                conversations.count_failed_proof(connection, conversation.address, writer.now)
                guesses.count_wrong_proof(connection, *claim, writer.now)
            is_last = is_barred or _wrong_count(connection, ticket) + 1 >= TRIES_MAX
            kind = GIVEN_UP if is_last else FAILED
            _end(connection, writer, (conversation, ticket), kind, notices.not_proved(is_last=is_last))
        case Finding.HALF:
            missing = phrases.PROOF_HALF if checked.claimed.order_number else phrases.NUMBER_MISSING
            _say(connection, writer, conversation, Author.SYSTEM, phrases.told(missing, conversation.language))
        case _:
            post = notices.proof_not_checked()
            writer.post_notice(connection, ticket.id, post, new_message_id())


def _wrong_count(connection: Connection, ticket: Ticket) -> int:
    """Return how many proofs were wrong since an agent asked last."""
    count = 0
    for event in tickets.events(connection, ticket.id):
        if event.kind == ASKED:
            count = 0
        count += event.kind == FAILED
    return count


def _end(connection: Connection, writer: Writer, about: tuple[Conversation, Ticket], kind: str, notice: str) -> None:
    conversation, ticket = about
    tickets.log(connection, ticket.id, TicketEvent(at=writer.now, kind=kind, agent=None, detail=""))
    _say(connection, writer, conversation, Author.BOT, phrases.told(_WORDS[kind], conversation.language))
    writer.post_notice(connection, ticket.id, notice, new_message_id())
    writer.post_card(connection, ticket.id)


def _say(connection: Connection, writer: Writer, conversation: Conversation, author: Author, text: str) -> None:
    message = OutboundMessage(author=author, text=text)
    writer.say(connection, conversation, message, f"proof:{new_message_id()}")
