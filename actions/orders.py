"""Answers about orders: where they are, when they come, their invoice; the start of cancelling and changing them."""

from __future__ import annotations

from actions.base import Button, Result, Say, ask_people, say
from actions.case import Case
from actions.details import reason
from actions.wording import items, local_day, money, on_day
from bot.domain.customers import Order, OrderStatus, Shipment, ShipmentStatus
from bot.domain.handoff import Reason

_PARCELS_MAX = 3
_DETAIL_SLOTS: dict[str, dict[str, object]] = {
    "cancel_form": {"cancel_reason": None, "cancel_confirmed": None},
    "change_form": {"change_wish": None, "change_kind": None},
    "problem_form": {"problem_detail": None},
    "return_form": {"return_item": None, "return_reason": None},
}


def start_form(form: str, order: Order | None, **slots: object) -> Result:
    """Return the start of a form of details about an order, with nothing left over from an earlier time."""
    fresh: dict[str, object] = {**_DETAIL_SLOTS[form], "form_misses": None}
    return Result(slots={**fresh, "chosen_order": order.number if order else None, **slots}, follow=form)


def any_order(_: Order) -> bool:
    """Every order will do."""
    return True


def is_open(order: Order) -> bool:
    """Whether something of the order is still to come."""
    if order.status in {OrderStatus.PLACED, OrderStatus.PACKED}:
        return True
    return order.status is OrderStatus.SHIPPED and any(
        shipment.status is not ShipmentStatus.DELIVERED for shipment in order.shipments
    )


def can_be_changed(order: Order) -> bool:
    """Whether nothing of the order has left the shop."""
    return order.can_be_changed


def has_left(order: Order) -> bool:
    """Whether something of the order has left the shop."""
    return order.status in {OrderStatus.SHIPPED, OrderStatus.DELIVERED}


def order_status(case: Case) -> Result:
    """Say how far the order has come, parcel by parcel."""
    order = case.order
    fields = {"number": order.number, "things": items(order)}
    match order.status:
        case OrderStatus.PLACED | OrderStatus.PACKED:
            placed = on_day(local_day(order.placed_at), case.today)
            return say(f"say_order_{order.status}", placed=placed, **fields)
        case OrderStatus.CANCELLED:
            return say("say_order_cancelled", **fields)
        case OrderStatus.SHIPPED | OrderStatus.DELIVERED if order.shipments:
            return _parcels(case, "say_parcel")
        case _:
            return _unclear(case)


def delivery_date(case: Case) -> Result:
    """Say when the order comes, or came."""
    order = case.order
    if order.status in {OrderStatus.PLACED, OrderStatus.PACKED}:
        return _not_left_yet(case)
    if order.status is OrderStatus.CANCELLED:
        return say("say_order_cancelled", number=order.number, things=items(order))
    return _parcels(case, "say_due") if order.shipments else _unclear(case)


def _not_left_yet(case: Case) -> Result:
    due = next((shipment.due_on for shipment in case.order.shipments if shipment.due_on), None)
    if due is None or due < case.today:
        return say("say_due_unknown", number=case.order.number)
    return say("say_due_planned", number=case.order.number, due=on_day(due, case.today))


def _parcels(case: Case, response: str) -> Result:
    shipments = case.order.shipments[:_PARCELS_MAX]
    result = Result()
    if len(shipments) > 1:
        result = say("say_several_parcels", number=case.order.number, count=str(len(case.order.shipments)))
    for shipment in shipments:
        result = result.then(_parcel(case, shipment, response))
    return result


def _parcel(case: Case, shipment: Shipment, response: str) -> Result:
    fields = {
        "number": case.order.number,
        "carrier": shipment.carrier,
        "tracking": shipment.tracking_number,
        "due": on_day(shipment.due_on, case.today) if shipment.due_on else "",
        "came": on_day(local_day(shipment.delivered_at), case.today) if shipment.delivered_at else "",
    }
    said = say(_parcel_response(case, shipment, response), **fields)
    if shipment.status is ShipmentStatus.LOST:
        summary = f"{shipment.carrier} lost the parcel {shipment.tracking_number} of {case.order.number}."
        return said.then(Result(handoff=ask_people(case.context, Reason.OTHER, "lost parcel", summary)))
    is_moving = shipment.status in {ShipmentStatus.IN_TRANSIT, ShipmentStatus.OUT_FOR_DELIVERY, ShipmentStatus.DELAYED}
    if is_moving and shipment.tracking_url and response == "say_parcel":
        return said.then(say("say_tracking", link=shipment.tracking_url))
    return said


def _parcel_response(case: Case, shipment: Shipment, response: str) -> str:
    status = shipment.status
    is_late = shipment.due_on is not None and shipment.due_on < case.today
    if status is ShipmentStatus.IN_TRANSIT and is_late:
        status = ShipmentStatus.DELAYED
    if status is ShipmentStatus.DELAYED and shipment.due_on is None:
        return "say_parcel_delayed_undated"
    if status is ShipmentStatus.IN_TRANSIT:
        return f"{response}_in_transit" if shipment.due_on else "say_parcel_undated"
    if status is ShipmentStatus.DELIVERED and shipment.delivered_at is None:
        return "say_parcel_delivered_undated"
    return f"say_parcel_{status}"


def _unclear(case: Case) -> Result:
    summary = f"The records do not say how far {case.order.number} has come; the customer wants to know."
    said = say("say_status_unclear", number=case.order.number)
    return said.then(Result(handoff=ask_people(case.context, Reason.FAILED_ACTION, "order status", summary)))


def invoice(case: Case) -> Result:
    """Give the invoice of the order."""
    order, bill = case.order, case.order.invoice
    if bill is None:
        summary = f"Wants the invoice of {order.number}, and the records hold none."
        request = ask_people(case.context, Reason.FAILED_ACTION, "invoice", summary)
        return say("say_no_invoice", number=order.number).then(Result(handoff=request))
    fields = {
        "number": order.number,
        "invoice_number": bill.number,
        "total": money(bill.total),
        "issued": on_day(bill.issued_on, case.today),
    }
    said = say("say_invoice", **fields)
    return said.then(say("say_invoice_link", link=bill.url)) if bill.url else said


def cancel(case: Case) -> Result:
    """Start cancelling the order while that can be done."""
    order = case.order
    if order.can_be_changed:
        return start_form("cancel_form", order, cancel_reason=reason(case.context))
    if order.status is OrderStatus.CANCELLED:
        return say("say_order_cancelled", number=order.number, things=items(order))
    button = Button(title=case.context.label("return_start"), intent="return_start")
    is_there = order.status is OrderStatus.DELIVERED
    late = Say(
        response="say_cancel_delivered" if is_there else "say_cancel_too_late",
        fields={"number": order.number},
        buttons=(button,) if is_there and button.title else (),
    )
    return Result(says=(late,), slots={"offer": "return_start" if is_there else None})


def change(case: Case) -> Result:
    """Start changing the order while that can be done."""
    order = case.order
    if order.can_be_changed:
        return start_form("change_form", order, change_kind="order")
    said = say("say_change_too_late", number=order.number)
    return said.then(Result(slots={"offer": "order change"}))


def problem(case: Case) -> Result:
    """Start taking down what is wrong with a delivery."""
    return start_form("problem_form", case.order)
