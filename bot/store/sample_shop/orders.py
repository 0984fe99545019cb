"""Copperleaf's orders: each is planned by its age in days and its fate, then written out as rows dated from today."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum

from bot.store.sample_shop.people import CustomerRow, postcode
from bot.store.sample_shop.products import PRODUCTS, ProductSeed

#: Orders are kept this many days back, and so many a day, beside the cast's.
OLDEST_AGE = 240
PER_DAY = 3

Row = dict[str, object]

_PRODUCTS = {product.sku: product for product in PRODUCTS}
_CARRIERS = ("Royal Mail", "DPD", "Evri", "Yodel")
_REASONS = ("arrived broken", "wrong item sent", "no longer wanted", "not as described", "ordered twice")


class Fate(StrEnum):
    """What has become of an order by today."""

    PLACED = "placed"
    PACKED = "packed"
    IN_TRANSIT = "in_transit"
    OUT_FOR_DELIVERY = "out_for_delivery"
    DELAYED = "delayed"
    LOST = "lost"
    TWO_PARCELS = "two_parcels"
    DELIVERED = "delivered"
    CANCELLED = "cancelled"
    RETURN_REQUESTED = "return_requested"
    RETURN_RECEIVED = "return_received"
    REFUNDED = "refunded"
    RETURN_REJECTED = "return_rejected"


#: What the carrier says of a single parcel that has not come, and in how many days it is due.
_UNDER_WAY = {
    Fate.PACKED: ("preparing", 3),
    Fate.IN_TRANSIT: ("in_transit", 1),
    Fate.OUT_FOR_DELIVERY: ("out_for_delivery", 0),
    Fate.DELAYED: ("delayed", -2),
}
#: Days since the return was requested and since the goods came back; the refund is three days younger than the latter.
_RETURN_AGES: dict[Fate, tuple[str, int, int | None]] = {
    Fate.RETURN_REQUESTED: ("requested", 2, None),
    Fate.RETURN_RECEIVED: ("received", 7, 2),
    Fate.REFUNDED: ("refunded", 14, 9),
    Fate.RETURN_REJECTED: ("rejected", 12, 6),
}


@dataclass(frozen=True, kw_only=True)
class OrderPlan:
    """An order before it is given dates."""

    number: str
    customer: CustomerRow
    #: days since it was placed; at least 1, so that nothing lies in the future
    age: int
    fate: Fate
    basket: tuple[tuple[ProductSeed, int], ...]
    #: where it goes
    postcode: str

    @property
    def id(self) -> int:
        """The shop's own key of the order."""
        return int(self.number.removeprefix("CL-"))

    @property
    def total(self) -> int:
        """The price of everything, in pence; delivery is free."""
        return sum(product.price * quantity for product, quantity in self.basket)


def order_number(age: int, slot: int) -> str:
    """Return the number of an order placed `age` days ago, the `slot`-th (0 to 3) of its day; later ones are higher."""
    return f"CL-{104_242 - 4 * age + slot}"


def basket_of(lines: tuple[tuple[str, int], ...]) -> tuple[tuple[ProductSeed, int], ...]:
    """Return the basket of product codes and quantities."""
    return tuple((_PRODUCTS[sku], quantity) for sku, quantity in lines)


def plan_orders(rng: random.Random, customers: list[CustomerRow]) -> list[OrderPlan]:
    """Return the orders beside the cast's, oldest first."""
    return [_plan(rng, rng.choice(customers), age, slot) for age in range(OLDEST_AGE, 0, -1) for slot in range(PER_DAY)]


def _plan(rng: random.Random, customer: CustomerRow, age: int, slot: int) -> OrderPlan:
    products = rng.sample(PRODUCTS, rng.choices((1, 2, 3, 4), weights=(4, 3, 2, 1))[0])
    is_gift = rng.random() < 0.1
    fates = _fates(age)
    return OrderPlan(
        number=order_number(age, slot),
        customer=customer,
        age=age,
        fate=rng.choices(list(fates), weights=list(fates.values()))[0],
        basket=tuple((product, rng.choices((1, 2, 3), weights=(7, 2, 1))[0]) for product in products),
        postcode=postcode(rng, customer["postcode"].split()[0]) if is_gift else customer["postcode"],
    )


def _fates(age: int) -> dict[Fate, int]:
    """Return what may have become of an order of this age, with weights."""
    if age <= 4:
        return {
            1: {Fate.PLACED: 7, Fate.PACKED: 3},
            2: {Fate.PACKED: 5, Fate.IN_TRANSIT: 5},
            3: {Fate.IN_TRANSIT: 6, Fate.OUT_FOR_DELIVERY: 3, Fate.CANCELLED: 1},
            4: {Fate.OUT_FOR_DELIVERY: 6, Fate.IN_TRANSIT: 4},
        }[age]
    fates = {Fate.DELIVERED: 80, Fate.CANCELLED: 4}
    if age <= 10:
        fates |= {Fate.DELAYED: 15, Fate.TWO_PARCELS: 12}
    if 12 <= age <= 35:
        fates |= {Fate.LOST: 7}
    if 9 <= age <= 30:
        fates |= {Fate.RETURN_REQUESTED: 12}
    if 14 <= age <= 40:
        fates |= {Fate.RETURN_RECEIVED: 10}
    if age >= 20:
        fates |= {Fate.REFUNDED: 9, Fate.RETURN_REJECTED: 3}
    return fates


def write_order(rng: random.Random, plan: OrderPlan, today: date) -> dict[str, list[Row]]:
    """Return the rows of an order by table."""
    writer = _Writer(rng, plan, today)
    return {
        "orders": [writer.order()],
        "order_items": writer.items(),
        "shipments": writer.shipments(),
        "returns": writer.returns(),
        "invoices": writer.invoices(),
    }


class _Writer:
    """Writes out the rows of one order."""

    def __init__(self, rng: random.Random, plan: OrderPlan, today: date) -> None:
        self._rng = rng
        self._plan = plan
        self._today = today
        self._placed_at = self._moment(plan.age, 7, 21)

    def _moment(self, days_ago: int, from_hour: int, to_hour: int) -> datetime:
        at = time(self._rng.randint(from_hour, to_hour - 1), self._rng.randint(0, 59), tzinfo=UTC)
        return datetime.combine(self._today - timedelta(days=days_ago), at)

    def order(self) -> Row:
        plan = self._plan
        match plan.fate:
            case Fate.PLACED | Fate.PACKED | Fate.CANCELLED:
                status = plan.fate.value
            case Fate.IN_TRANSIT | Fate.OUT_FOR_DELIVERY | Fate.DELAYED | Fate.LOST | Fate.TWO_PARCELS:
                status = "shipped"
            case _:
                status = "delivered"
        return {
            "id": plan.id,
            "number": plan.number,
            "customer_id": plan.customer["id"],
            "placed_at": self._placed_at,
            "status": status,
            "total": plan.total,
            "postcode": plan.postcode,
        }

    def items(self) -> list[Row]:
        return [
            {
                "order_id": self._plan.id,
                "sku": product.sku,
                "name": product.name,
                "quantity": quantity,
                "price": product.price,
            }
            for product, quantity in self._plan.basket
        ]

    def shipments(self) -> list[Row]:
        if self._plan.fate in {Fate.PLACED, Fate.CANCELLED}:
            return []
        if self._plan.fate is Fate.TWO_PARCELS:
            return [self._delivered(1), self._shipment(2, "in_transit", due_in=1)]
        if self._plan.fate is Fate.LOST:
            return [self._shipment(1, "lost", due_in=4 - self._plan.age)]
        if self._plan.fate in _UNDER_WAY:
            return [self._shipment(1, *_UNDER_WAY[self._plan.fate])]
        return [self._delivered(1)]

    def _shipment(self, parcel: int, status: str, due_in: int) -> Row:
        carrier = self._rng.choice(_CARRIERS)
        tracking_number = f"{carrier[0]}{carrier[-1].upper()}{self._plan.id}{parcel:02}GB"
        return {
            "tracking_number": tracking_number,
            "order_id": self._plan.id,
            "carrier": carrier,
            # Yodel stands for the carriers that have no page to follow a parcel on.
            "tracking_url": None if carrier == "Yodel" else f"https://track.copperleaf.example/{tracking_number}",
            "status": status,
            "shipped_at": None if status == "preparing" else self._moment(self._plan.age - 1, 14, 17),
            "due_on": self._today + timedelta(days=due_in),
            "delivered_at": None,
        }

    def _delivered(self, parcel: int) -> Row:
        days_ago = max(self._plan.age - self._rng.randint(3, 4), 1)
        return self._shipment(parcel, "delivered", due_in=-days_ago) | {"delivered_at": self._moment(days_ago, 9, 18)}

    def returns(self) -> list[Row]:
        if self._plan.fate not in _RETURN_AGES:
            return []
        status, requested, received = _RETURN_AGES[self._plan.fate]
        product, quantity = self._plan.basket[0]
        is_refunded = self._plan.fate is Fate.REFUNDED and received is not None
        return [
            {
                "id": f"RT-{self._plan.id}",
                "order_id": self._plan.id,
                "status": status,
                "reason": self._rng.choice(_REASONS),
                "requested_at": self._moment(requested, 8, 20),
                "received_at": None if received is None else self._moment(received, 9, 12),
                "refunded_at": self._moment((received or 0) - 3, 12, 17) if is_refunded else None,
                "amount": product.price * quantity,
            }
        ]

    def invoices(self) -> list[Row]:
        if self._plan.fate in {Fate.PLACED, Fate.PACKED, Fate.CANCELLED}:
            return []
        number = f"INV-{self._plan.id}"
        return [
            {
                "number": number,
                "order_id": self._plan.id,
                "issued_on": self._today - timedelta(days=self._plan.age - 1),
                "total": self._plan.total,
                "url": f"https://shop.copperleaf.example/invoices/{number}.pdf",
            }
        ]
