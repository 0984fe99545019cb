"""A customer's record as the brand's own database would tell it, and a ticket as an agent sees it."""

from __future__ import annotations

from datetime import UTC, date, datetime

from bot.domain.assurance import Level
from bot.domain.channels import AccountId, ChannelAddress, ChannelName
from bot.domain.conversations import Conversation, ConversationId, Owner
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
from bot.domain.handoff import HandoffRequest
from bot.domain.tickets import Ticket, TicketEvent, TicketId, TicketState, TicketView

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


def queued_view(request: HandoffRequest, name: str | None, record: CustomerRecord | None) -> TicketView:
    """Return ticket 1 as it waits in the queue, with nothing said."""
    conversation = Conversation(
        id=ConversationId(f"{1001:032x}"),
        address=ChannelAddress(channel=ChannelName("telegram"), account=AccountId("brand"), external_id="101"),
        owner=Owner.QUEUE,
        epoch=1,
        display_name=name,
        started_at=_PLACED,
        last_inbound_at=_PLACED,
    )
    ticket = Ticket(
        id=TicketId(f"{1:032x}"),
        number=1,
        conversation_id=conversation.id,
        state=TicketState.QUEUED,
        request=request,
        opened_at=_PLACED,
        agent=None,
        claimed_at=None,
        closed_at=None,
        outcome="",
        desk_reference=None,
    )
    return TicketView(
        ticket=ticket,
        conversation=conversation,
        transcript=(),
        events=(TicketEvent(at=_PLACED, kind="opened", agent=None, detail=request.summary),),
        record=record,
        record_note="" if record else "The customer is not verified.",
        level=Level.L1 if record else Level.L0,
        place_in_queue=1,
    )
