"""Who may be told what, decided in one place: from our database and from proofs looked at anew, never from slots.

What a customer typed (order number, postcode, e-mail) travels in slots as a *claim*. A claim is good for the turn in
which the records confirm it; the pipeline checks the same proof again and keeps it, and from then on the database
answers.
"""

from __future__ import annotations

from dataclasses import dataclass

from actions.base import Sources
from actions.context import TurnContext
from bot.domain.assurance import MAX_FAILURES, REQUIRED, Act, Assurance, Level
from bot.domain.customers import CustomerId, Order, OrderNumber
from bot.domain.proofs import read_proof

#: The form that asks who writes.
ORDER_FORM = "order_form"


@dataclass(frozen=True, kw_only=True)
class Verify:
    """A proof that was tried."""

    order_number: OrderNumber
    #: postcode or e-mail as the customer typed it
    proof: str
    succeeded: bool

    def to_payload(self) -> dict[str, object]:
        """Return what the pipeline reads."""
        return {"order_number": self.order_number, "proof": self.proof, "succeeded": self.succeeded}


@dataclass(frozen=True, kw_only=True)
class Granted:
    """The act may be done for this customer in this turn."""

    customer_id: CustomerId
    #: the order in question, if one was named and it is theirs
    order: Order | None = None
    #: an order that was named and is not theirs
    not_theirs: OrderNumber | None = None
    #: how it was proved, when it was proved just now
    verify: Verify | None = None


@dataclass(frozen=True, kw_only=True)
class NeedsProof:
    """Nobody proved anything yet, or it no longer holds."""

    #: a proof that was tried just now and did not fit
    failed: Verify | None = None


@dataclass(frozen=True, kw_only=True)
class Barred:
    """Too many proofs failed; no further one is looked at for now."""

    #: the last of them, when it was tried just now
    failed: Verify | None = None


@dataclass(frozen=True, kw_only=True)
class NeedsPerson:
    """The act asks for more than the bot can check."""


Access = Granted | NeedsProof | Barred | NeedsPerson


async def access(sources: Sources, context: TurnContext, act: Act) -> Access:
    """Decide whether `act` may be done in this turn; raises `DirectoryUnavailableError`."""
    if REQUIRED[act] > Level.L1:
        return NeedsPerson()
    held = await sources.assurances.assurance(context.conversation_id)
    number = context.order_number
    if held.allows(act, context.now) and held.customer_id is not None:
        order = await sources.directory.order(number, held.customer_id) if number else None
        if order is not None or not _brings_proof(context):
            return Granted(customer_id=held.customer_id, order=order, not_theirs=number if order is None else None)
    return Barred() if held.is_barred_at(context.now) else await _proved_now(sources, context, held)


async def _proved_now(sources: Sources, context: TurnContext, held: Assurance) -> Access:
    number, proof = context.order_number, read_proof(context.slots.get("proof"))
    if number is None or proof is None or not _is_fresh(context):
        return NeedsProof()
    if await sources.assurances.is_guessed_at(number, proof, context.now):
        return Barred()
    order = await sources.directory.find_order(number, proof)
    verify = Verify(order_number=number, proof=proof, succeeded=order is not None)
    if order is not None:
        return Granted(customer_id=order.customer_id, order=order, verify=verify)
    return Barred(failed=verify) if held.failure_count + 1 >= MAX_FAILURES else NeedsProof(failed=verify)


def _brings_proof(context: TurnContext) -> bool:
    """Whether this message names an order together with a proof for it, so that another account may be looked at."""
    return context.named_order_number is not None and _has_proof(context)


def _is_fresh(context: TurnContext) -> bool:
    """Whether the proof was given with this message, whole or in part: a proof of an earlier one counts no more."""
    is_same_message = context.slot("proved_in") == context.message_id
    return _has_proof(context) or is_same_message or context.actions[-1:] == (ORDER_FORM,)


def _has_proof(context: TurnContext) -> bool:
    return context.entity("postcode") is not None or context.entity("email") is not None
