"""What customers want to know or have done about their own orders: finds out who and which, then answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from actions import orders, returns, subscriptions
from actions.access import ORDER_FORM, Barred, Granted, NeedsPerson, NeedsProof, Verify, access
from actions.base import Button, Result, Say, Sources, ask_people, say
from actions.case import Case
from actions.choosing import FIRST_IS_NEWEST, by_name, by_position
from actions.context import TurnContext
from actions.wording import day, items, local_day
from bot.domain.assurance import Act
from bot.domain.customers import CustomerId, Order, OrderNumber
from bot.domain.handoff import Reason

#: How many orders are looked at to guess which is meant, and how many are offered.
_LOOKED_AT = 6
CHOICES_MAX = 3


@dataclass(frozen=True, kw_only=True)
class Wish:
    """Something customers want; its name is the intent's."""

    act: Act
    answer: Callable[[Case], Result]
    #: none: it is not about an order; else whether an order is likely to be the one meant
    fits: Callable[[Order], bool] | None
    #: whether it stays with the order talked about before, even when that one does not fit
    sticks: bool = False


WISHES: dict[str, Wish] = {
    "order_status": Wish(act=Act.OWN_ORDERS, answer=orders.order_status, fits=orders.is_open, sticks=True),
    "delivery_date": Wish(act=Act.OWN_ORDERS, answer=orders.delivery_date, fits=orders.is_open, sticks=True),
    "invoice_request": Wish(act=Act.OWN_ORDERS, answer=orders.invoice, fits=orders.any_order),
    "order_cancel": Wish(act=Act.CANCEL_ORDER, answer=orders.cancel, fits=orders.can_be_changed),
    "order_change": Wish(act=Act.OWN_ORDERS, answer=orders.change, fits=orders.can_be_changed),
    "delivery_problem": Wish(act=Act.OWN_ORDERS, answer=orders.problem, fits=orders.has_left),
    "return_start": Wish(act=Act.OWN_ORDERS, answer=returns.start, fits=returns.can_be_returned),
    "return_status": Wish(act=Act.OWN_ORDERS, answer=returns.status, fits=returns.has_return),
    "refund_status": Wish(act=Act.OWN_ORDERS, answer=returns.refund, fits=returns.has_return),
    "subscription_status": Wish(act=Act.OWN_SUBSCRIPTIONS, answer=subscriptions.status, fits=None),
    "subscription_pause": Wish(act=Act.OWN_SUBSCRIPTIONS, answer=subscriptions.pause, fits=None),
    "subscription_cancel": Wish(act=Act.OWN_SUBSCRIPTIONS, answer=subscriptions.cancel, fits=None),
}


class Picked(NamedTuple):
    """Which order is meant, as far as can be told."""

    order: Order | None
    #: what else it could be, newest first
    among: tuple[Order, ...] = ()
    #: an order that was named and is not this customer's
    not_theirs: OrderNumber | None = None


async def carry_out(sources: Sources, context: TurnContext, names: Sequence[str]) -> Result:
    """Answer the wishes of these names, or start finding out who writes and which order is meant."""
    acts = {WISHES[name].act for name in names}
    verdict = await access(sources, context, max(acts, key=list(Act).index))
    match verdict:
        case NeedsProof(failed=failed):
            return ask_who(context, names) if failed is None else _proof_did_not_fit(names, failed)
        case Barred(failed=failed):
            return _too_many_failures(context, failed)
        case NeedsPerson():
            summary = f"Wants: {', '.join(names).replace('_', ' ')}. Needs a check that the bot cannot make."
            return Result(handoff=ask_people(context, Reason.PEOPLE_ONLY, names[0].replace("_", " "), summary))
        case Granted():
            return await _answer_all(sources, context, verdict, names)


def ask_who(context: TurnContext, names: Sequence[str]) -> Result:
    """Return the start of the form that asks who writes; a proof of an earlier message is not taken along."""
    proof = context.entity("email") or context.entity("postcode")
    return Result(slots={"wish": list(names), **_FRESH_FORM, "proof": proof}, follow=ORDER_FORM)


_FRESH_FORM: dict[str, object] = {
    "choices": None,
    "which_order": None,
    "refused_number": None,
    "ask_again": None,
    "form_misses": None,
}


def _proof_did_not_fit(names: Sequence[str], failed: Verify) -> Result:
    slots = {
        "wish": list(names),
        **_FRESH_FORM,
        "order_number": None,
        "proof": failed.proof,
        "refused_number": failed.order_number,
        "ask_again": "refused",
    }
    return Result(slots=slots, verify=failed.to_payload(), follow=ORDER_FORM)


def _too_many_failures(context: TurnContext, failed: Verify | None) -> Result:
    summary = "Could not prove who they are: the order number and the postcode or e-mail did not fit, several times."
    return Result(
        says=(Say(response="say_barred"),),
        slots={"wish": None, "proof": None, **_FRESH_FORM},
        verify=failed.to_payload() if failed else None,
        handoff=ask_people(context, Reason.VERIFICATION_FAILED, "identity check", summary),
    )


def asked_with(context: TurnContext, wish: str) -> list[str]:
    """Return the wishes of the message of which `wish` is one, in their order."""
    return [name for name in context.questions if name in WISHES] if wish in context.questions else [wish]


def leave(context: TurnContext, names: Sequence[str]) -> Result:
    """Return what the customer hears of things that have to wait until the one at hand is done."""
    says = [Say(response="say_left", fields={"left": context.label(name)}) for name in names]
    return Result(says=tuple(says))


async def _answer_all(sources: Sources, context: TurnContext, granted: Granted, names: Sequence[str]) -> Result:
    result = Result(
        slots={"wish": list(names), **_FRESH_FORM, **_spent(context, granted)},
        verify=granted.verify.to_payload() if granted.verify else None,
    ).then(_outcome(context))
    for place, name in enumerate(names):
        wish = WISHES[name]
        picked = await pick(sources, context, granted, wish)
        if wish.fits is not None and picked.order is None:
            return result.then(_which(names[place:], picked))
        answer = await _answer_one(sources, context, granted.customer_id, (wish, picked.order))
        if result.follow is not None and answer.follow is not None:
            return result.then(leave(context, names[place:]))
        result = result.then(answer)
        result = result.then(_others(context, picked))
    return result


def _spent(context: TurnContext, granted: Granted) -> dict[str, object]:
    """Return the proof's slots: a second question in the same message may use it, no later message."""
    if granted.verify is None:
        return {"proof": None, "proved_in": None}
    return {"proof": granted.verify.proof, "proved_in": context.message_id}


async def _answer_one(
    sources: Sources, context: TurnContext, customer_id: CustomerId, about: tuple[Wish, Order | None]
) -> Result:
    wish, order = about
    mine = () if wish.fits is not None else tuple(await sources.directory.subscriptions(customer_id))
    case = Case(context=context, customer_id=customer_id, about=order, subscriptions=mine)
    answer = wish.answer(case)
    return replace(answer, slots={"order_number": order.number, **answer.slots}) if order is not None else answer


async def pick(sources: Sources, context: TurnContext, granted: Granted, wish: Wish) -> Picked:
    """Return the order that is meant: the one named, else by place, by what is in it, or because only one fits."""
    if wish.fits is None:
        return Picked(order=None)
    is_named = bool(context.named_order_number or context.slot("which_order") or granted.verify)
    is_newest = context.entity("position") == FIRST_IS_NEWEST
    if granted.order is not None and is_named:
        return Picked(order=granted.order)
    latest = await sources.directory.orders(granted.customer_id, _LOOKED_AT)
    if granted.not_theirs is not None and is_named:
        return Picked(order=None, among=tuple(latest[:CHOICES_MAX]), not_theirs=granted.not_theirs)
    described = latest[0] if latest and is_newest else _sent_in(context.entity("tracking_number"), latest)
    if described is None and context.entity("product") is not None:
        described = named_order(context, latest)
    return Picked(order=described) if described is not None else _likeliest(granted.order, latest, wish)


def _sent_in(parcel: str | None, among: Sequence[Order]) -> Order | None:
    """Return the order that a parcel belongs to, or none."""
    return next((order for order in among for sent in order.shipments if sent.tracking_number == parcel), None)


def _likeliest(talked_about: Order | None, latest: Sequence[Order], wish: Wish) -> Picked:
    """Return the order that fits the wish, or those to choose from, when the message does not say which is meant."""
    fitting = [order for order in latest if wish.fits is not None and wish.fits(order)]
    if talked_about is not None and (wish.sticks or not fitting or talked_about in fitting):
        others = [order for order in fitting if wish.sticks and order.number != talked_about.number]
        return Picked(order=talked_about, among=tuple(others[:CHOICES_MAX]))
    if len(fitting) == 1 or len(latest) == 1:
        return Picked(order=(fitting or latest)[0])
    return Picked(order=None, among=tuple((fitting or latest)[:CHOICES_MAX]))


def named_order(context: TurnContext, among: Sequence[Order]) -> Order | None:
    """Return the order that holds what the message names, or none when none or several do."""
    place = by_name(context, [" ".join(line.name for line in order.items) for order in among])
    return None if place is None else among[place]


def chosen_order(context: TurnContext, among: Sequence[Order]) -> OrderNumber | None:
    """Return the order the customer picks of a list they were shown: by number, place or content."""
    if context.named_order_number is not None:
        return context.named_order_number
    place = by_position(context, len(among))
    if place is not None:
        return among[place].number
    named = among[0] if len(among) == 1 and context.intent == "affirm" else named_order(context, among)
    return named.number if named is not None else None


def _which(names: Sequence[str], picked: Picked) -> Result:
    stranger = say("say_not_theirs", asked_number=picked.not_theirs) if picked.not_theirs else Result()
    if not picked.among:
        return stranger.then(Result(says=(Say(response="say_no_orders"),), slots={"wish": None}))
    numbers: list[str] = [order.number for order in picked.among]
    slots = {"wish": list(names), "choices": numbers, "order_number": None}
    return stranger.then(Result(slots=slots, follow=ORDER_FORM))


def order_button(order: Order, context: TurnContext) -> Button:
    """Return the choice of an order: what is in it and when it was placed."""
    title = f"{items(order)} ({day(local_day(order.placed_at), context.today)})"
    return Button(title=title, intent="inform", entities={"order_number": order.number})


def _others(context: TurnContext, picked: Picked) -> Result:
    """Return the orders that could be meant as well, to tap."""
    if picked.order is None or not picked.among:
        return Result()
    offer = say("say_other_orders", *(order_button(order, context) for order in picked.among))
    return offer.then(Result(slots={"choices": [order.number for order in picked.among]}))


def _outcome(context: TurnContext) -> Result:
    """Return what a person did before, once, when the customer comes back to it."""
    outcome = context.slot("outcome")
    if outcome is None or context.slots.get("outcome_told"):
        return Result()
    return Result(says=(Say(response="say_outcome", fields={"done": outcome}),), slots={"outcome_told": True})
