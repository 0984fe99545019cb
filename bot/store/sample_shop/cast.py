"""The cast: customers one may pretend to be, each with one interesting situation that is the same every day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import NamedTuple

from bot.domain.customers import CustomerId, OrderNumber
from bot.store.sample_shop.orders import Fate, order_number
from bot.store.sample_shop.people import CustomerRow, customer_id, email_of, phone_of


class Role(NamedTuple):
    """A member of the cast and the order that makes them interesting."""

    #: counts from 1; customer id and phone come of it
    place: int
    name: str
    city: str
    postcode: str
    #: days since the order was placed
    age: int
    fate: Fate
    #: product codes with their quantities
    basket: tuple[tuple[str, int], ...]
    #: what there is to ask, for the demo page
    situation: str


@dataclass(frozen=True, kw_only=True)
class CastMember:
    """Whom one may pretend to be, with what it takes to pass for them."""

    customer_id: CustomerId
    name: str
    order_number: OrderNumber
    postcode: str
    email: str
    #: what is interesting about them
    situation: str


ROLES: tuple[Role, ...] = (
    Role(
        1, "Priya Shah", "Bristol", "BS6 5TB", 3, Fate.OUT_FOR_DELIVERY, (("COF-01", 2), ("BRW-03", 1)),
        "her parcel is out for delivery today",
    ),
    Role(
        2, "Tom Okafor", "Leeds", "LS8 2QD", 6, Fate.DELAYED, (("BRW-05", 1),),
        "his parcel should have come two days ago and is delayed",
    ),
    Role(
        3, "Hannah Lewis", "Bath", "BA1 3DU", 24, Fate.REFUNDED, (("MUG-01", 2), ("TEA-08", 1)),
        "she sent two mugs back and was refunded last week",
    ),
    Role(
        4, "Daniel Murphy", "Manchester", "M21 9FJ", 1, Fate.PLACED, (("COF-10", 1), ("COF-08", 1)),
        "he ordered yesterday and can still cancel",
    ),
    Role(
        5, "Aisha Rahman", "London", "SE15 4NW", 30, Fate.DELIVERED, (("TEA-09", 1),),
        "her Tea Box subscription is paused",
    ),
    Role(
        6, "George Campbell", "Edinburgh", "EH6 7PL", 18, Fate.LOST, (("GFT-03", 1),),
        "the carrier lost his hamper",
    ),
    Role(
        7, "Mei Chen", "Birmingham", "B13 8HE", 14, Fate.RETURN_RECEIVED, (("BRW-02", 1), ("COF-11", 2)),
        "the shop has her return and has not refunded it yet",
    ),
    Role(
        8, "Oliver Bennett", "Cardiff", "CF11 6AY", 7, Fate.TWO_PARCELS, (("BRW-07", 1), ("TEA-01", 2)),
        "one of his two parcels has come, the other is on its way",
    ),
)  # fmt: skip


def cast() -> list[CastMember]:
    """Return the cast, in the order the demo page shows them."""
    return [
        CastMember(
            customer_id=CustomerId(customer_id(role.place)),
            name=role.name,
            order_number=OrderNumber(order_number(role.age, CAST_SLOT)),
            postcode=role.postcode,
            email=email_of(role.name),
            situation=role.situation,
        )
        for role in ROLES
    ]


#: The place among the orders of a day that is kept for the cast.
CAST_SLOT = 3


def cast_customers(today: date) -> list[CustomerRow]:
    """Return the cast's rows of `customers`."""
    return [
        CustomerRow(
            id=customer_id(role.place),
            name=role.name,
            email=email_of(role.name),
            phone=phone_of(role.place),
            postcode=role.postcode,
            city=role.city,
            since=today - timedelta(days=365 + 40 * role.place),
            tier="gold" if role.place % 3 == 0 else "regular",
        )
        for role in ROLES
    ]
