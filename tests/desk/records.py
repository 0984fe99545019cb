"""A customer's record as the brand's own database would tell it."""

from __future__ import annotations

from datetime import UTC, date, datetime

from bot.domain.customers import (
    Customer,
    CustomerId,
    CustomerRecord,
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

_PLACED = datetime(2026, 11, 14, 9, 30, tzinfo=UTC)


def dana() -> CustomerRecord:
    """Return Dana Fox with two orders, a return and a subscription."""
    customer = Customer(
        id=CustomerId("c1"),
        name="Dana Fox",
        email="dana.fox@example.com",
        phone="+44 7700 900123",
        postcode="BS1 4DJ",
        city="Bristol",
        since=date(2023, 4, 2),
        tier="gold",
    )
    parcel = Shipment(
        carrier="Parcelforce",
        tracking_number="PF1234567",
        tracking_url=None,
        status=ShipmentStatus.DELIVERED,
        shipped_at=_PLACED,
        due_on=date(2026, 11, 18),
        delivered_at=_PLACED,
    )
    back = Return(
        id="r1",
        order_number=OrderNumber("CL-104233"),
        status=ReturnStatus.REQUESTED,
        reason="broken",
        requested_at=_PLACED,
        received_at=None,
        refunded_at=None,
        amount=Money(minor=1400),
    )
    orders = (
        _order("CL-104233", OrderStatus.DELIVERED, ("Speckled mug", 1400), (parcel,), (back,)),
        _order("CL-103870", OrderStatus.DELIVERED, ("House espresso, 1 kg", 2450), (), ()),
    )
    subscription = Subscription(
        id="s1",
        customer_id=CustomerId("c1"),
        product="Filter of the month",
        status=SubscriptionStatus.ACTIVE,
        every_days=28,
        next_box_on=date(2026, 12, 1),
        price=Money(minor=1150),
    )
    return CustomerRecord(customer=customer, orders=orders, subscriptions=(subscription,))


def _order(
    number: str,
    status: OrderStatus,
    item: tuple[str, int],
    shipments: tuple[Shipment, ...],
    returns: tuple[Return, ...],
) -> Order:
    name, price = item
    return Order(
        number=OrderNumber(number),
        customer_id=CustomerId("c1"),
        placed_at=_PLACED,
        status=status,
        items=(OrderItem(sku="x", name=name, quantity=1, price=Money(minor=price)),),
        total=Money(minor=price + 395),
        postcode="BS1 4DJ",
        shipments=shipments,
        returns=returns,
        invoice=None,
    )
