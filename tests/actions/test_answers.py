"""Every state that records can be in has an answer, and every answer has its words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime
from itertools import product
from string import Formatter
from typing import Any

import pytest

from actions import orders, returns, subscriptions
from actions.base import Result
from actions.case import Case
from actions.wording import items
from bot.domain.customers import (
    CustomerId,
    Invoice,
    Money,
    Order,
    OrderItem,
    OrderNumber,
    OrderStatus,
    Return,
    ReturnStatus,
    Shipment,
    ShipmentStatus,
    Subscription,
    SubscriptionStatus,
)
from bot.domain.handoff import Reason
from tests.actions.calls import NOW, turn
from tests.actions.test_server import DOMAIN

ORDER = Order(
    number=OrderNumber("CL-104233"),
    customer_id=CustomerId("C1"),
    placed_at=NOW,
    status=OrderStatus.PLACED,
    items=(
        OrderItem(sku="A", name="Copper Glaze Mug", quantity=2, price=Money(minor=1600)),
        OrderItem(sku="B", name="Masala Chai", quantity=1, price=Money(minor=725)),
    ),
    total=Money(minor=3925),
    postcode="BS6 5TB",
    shipments=(),
    returns=(),
    invoice=None,
)
ABOUT_ORDERS = {
    "order_status": orders.order_status,
    "delivery_date": orders.delivery_date,
    "invoice": orders.invoice,
    "cancel": orders.cancel,
    "change": orders.change,
    "problem": orders.problem,
    "return_start": returns.start,
    "return_status": returns.status,
    "refund": returns.refund,
}


def case(order: Order | None = None, *held: Subscription) -> Case:
    """Return a case of a customer."""
    return Case(context=turn(), customer_id=CustomerId("C1"), about=order, subscriptions=held)


def shipment(status: ShipmentStatus, due_on: date | None, delivered_at: datetime | None) -> Shipment:
    """Return a parcel."""
    return Shipment(
        carrier="Evri",
        tracking_number="EI1",
        tracking_url="https://track.example/EI1",
        status=status,
        shipped_at=NOW,
        due_on=due_on,
        delivered_at=delivered_at,
    )


def going_back(status: ReturnStatus) -> Return:
    """Return a return."""
    return Return(
        id="R1",
        order_number=ORDER.number,
        status=status,
        reason="",
        requested_at=NOW,
        received_at=NOW,
        refunded_at=NOW,
        amount=Money(minor=1600),
    )


def check_words(result: Result) -> None:
    """Check that domain.yml has each message, and that nothing in it stays unfilled."""
    assert result.says or result.follow
    for one in result.says:
        variations = DOMAIN["responses"][one.response]
        for variation in variations:
            wanted = {field for _, field, _, _ in Formatter().parse(variation["text"]) if field}
            assert wanted <= one.fields.keys(), (one.response, wanted)
            assert all(one.fields[field] for field in wanted), (one.response, one.fields)


def every_order() -> list[Order]:
    """Return orders in every state that orders, parcels and returns can be in together."""
    dates = (None, date(2026, 11, 20), date(2026, 11, 24))
    parcels: list[tuple[Shipment, ...]] = [()]
    parcels += [(shipment(*state),) for state in product(ShipmentStatus, dates, (None, NOW))]
    parcels.append((shipment(ShipmentStatus.DELIVERED, None, NOW), shipment(ShipmentStatus.IN_TRANSIT, dates[2], None)))
    backs: list[tuple[Return, ...]] = [(), *((going_back(status),) for status in ReturnStatus)]
    states = product(OrderStatus, parcels, backs)
    return [replace(ORDER, status=status, shipments=parcel, returns=back) for status, parcel, back in states]


@pytest.mark.parametrize("name", ABOUT_ORDERS)
def test_every_state_of_an_order_has_an_answer(name: str) -> None:
    """Whatever the records say of an order, there are words for it with nothing left blank."""
    answer: Callable[[Case], Result] = ABOUT_ORDERS[name]
    for order in every_order():
        check_words(answer(case(order)))


@pytest.mark.parametrize("answer", [subscriptions.status, subscriptions.pause, subscriptions.cancel])
def test_every_state_of_a_subscription_has_an_answer(answer: Callable[[Case], Result]) -> None:
    """None, one or several subscriptions in any state have words."""
    check_words(answer(case()))
    for status, next_box_on in product(SubscriptionStatus, (None, date(2026, 12, 3))):
        held = Subscription(
            id="S1",
            customer_id=CustomerId("C1"),
            product="Tea Box",
            status=status,
            every_days=30,
            next_box_on=next_box_on,
            price=Money(minor=1500),
        )
        check_words(answer(case(None, held, held)))


def test_only_what_has_not_left_can_be_cancelled() -> None:
    """Cancelling starts for placed and packed orders alone."""
    started = {status for status in OrderStatus if orders.cancel(case(replace(ORDER, status=status))).follow}
    assert started == {OrderStatus.PLACED, OrderStatus.PACKED}


def test_a_parcel_that_is_overdue_counts_as_late() -> None:
    """A carrier that says nothing of a delay is not believed after the promised day."""
    late = shipment(ShipmentStatus.IN_TRANSIT, date(2026, 11, 20), None)
    said = orders.order_status(case(replace(ORDER, status=OrderStatus.SHIPPED, shipments=(late,)))).says[0]
    assert (said.response, said.fields["due"]) == ("say_parcel_delayed", "on Friday 20 November")


def test_a_lost_parcel_brings_a_person() -> None:
    """Nobody has to ask for a person when the carrier lost the parcel."""
    lost = shipment(ShipmentStatus.LOST, None, None)
    result = orders.order_status(case(replace(ORDER, status=OrderStatus.SHIPPED, shipments=(lost,))))
    assert result.handoff is not None
    assert (result.handoff.reason, result.handoff.topic) == (Reason.OTHER, "lost parcel")
    assert "EI1" in result.handoff.summary


def test_an_invoice_is_given_as_the_records_have_it() -> None:
    """Number, day and total come from the bill."""
    bill = Invoice(
        number="INV-1", order_number=ORDER.number, issued_on=date(2026, 11, 22), total=Money(minor=3925), url=None
    )
    (said,) = orders.invoice(case(replace(ORDER, invoice=bill))).says
    assert said.fields == {
        "number": "CL-104233",
        "invoice_number": "INV-1",
        "total": "£39.25",
        "issued": "yesterday, Sunday 22 November",
    }


def test_the_only_thing_in_an_order_needs_no_choosing() -> None:
    """A return of an order with one line starts with that line."""
    single = replace(ORDER, status=OrderStatus.DELIVERED, items=ORDER.items[:1])
    assert returns.start(case(single)).slots["return_item"] == "2 × Copper Glaze Mug"
    assert returns.start(case(replace(ORDER, status=OrderStatus.DELIVERED))).slots["return_item"] is None


def test_long_orders_are_told_in_short() -> None:
    """Of many things the first three are named."""
    assert items(replace(ORDER, items=ORDER.items * 3)) == (
        "2 × Copper Glaze Mug, Masala Chai, 2 × Copper Glaze Mug and 3 more"
    )


def texts() -> list[tuple[str, str]]:
    """Return every text of the domain with its name."""
    responses: dict[str, list[dict[str, Any]]] = DOMAIN["responses"]
    return [(name, variation["text"]) for name, variations in responses.items() for variation in variations]


def test_no_text_is_long_or_shouts() -> None:
    """Texts leave room for what is filled in, and end without exclamation marks."""
    assert [name for name, text in texts() if len(text) > 320] == []
    assert [name for name, text in texts() if "!" in text] == []


def test_variations_fill_in_the_same() -> None:
    """All variations of a message can be said with what any of them needs."""
    by_name: dict[str, list[set[str]]] = {}
    for name, text in texts():
        if name.startswith("say_"):
            by_name.setdefault(name, []).append({field for _, field, _, _ in Formatter().parse(text) if field})
    for name, fields in by_name.items():
        assert all(one <= set().union(*fields) for one in fields), name
