"""Answers about returns and refunds, and the start of a return."""

from __future__ import annotations

from actions.base import Result, say
from actions.case import Case
from actions.details import reason
from actions.orders import start_form
from actions.wording import item, local_day, money, on_day
from bot.domain.customers import Order, OrderStatus, Return, ReturnStatus


def can_be_returned(order: Order) -> bool:
    """Whether the order has come, so that there is something to send back."""
    return order.status is OrderStatus.DELIVERED


def has_return(order: Order) -> bool:
    """Whether something of the order is on its way back, or was."""
    return bool(order.returns)


def start(case: Case) -> Result:
    """Start a return, or say why there is none to start."""
    order = case.order
    if order.returns and order.returns[0].status in {ReturnStatus.REQUESTED, ReturnStatus.RECEIVED}:
        return say("say_return_exists", number=order.number).then(status(case))
    if order.status is OrderStatus.DELIVERED:
        only = order.items[0] if len(order.items) == 1 else None
        said = reason(case.context)
        return start_form("return_form", order, return_item=item(only) if only else None, return_reason=said)
    if order.can_be_changed:
        return say("say_return_cancel_instead", number=order.number).then(Result(slots={"offer": "order_cancel"}))
    if order.status is OrderStatus.CANCELLED:
        return say("say_return_cancelled", number=order.number)
    return say("say_return_not_there", number=order.number)


def status(case: Case) -> Result:
    """Say how far the goods on their way back have come."""
    return _each(case, "say_return")


def refund(case: Case) -> Result:
    """Say how far the money has come."""
    order = case.order
    if order.status is OrderStatus.CANCELLED and not order.returns:
        return say("say_refund_of_cancelled", number=order.number, amount=money(order.total))
    return _each(case, "say_refund")


def _each(case: Case, response: str) -> Result:
    if not case.order.returns:
        return say("say_no_return", number=case.order.number).then(Result(slots={"offer": "return_start"}))
    result = Result()
    for back in case.order.returns[:2]:
        result = result.then(say(f"{response}_{back.status}", **_fields(case, back)))
    return result


def _fields(case: Case, back: Return) -> dict[str, str]:
    moments = {"requested": back.requested_at, "received": back.received_at, "refunded": back.refunded_at}
    days = {name: on_day(local_day(moment), case.today) if moment else "" for name, moment in moments.items()}
    return {"number": case.order.number, "amount": money(back.amount), **days}
