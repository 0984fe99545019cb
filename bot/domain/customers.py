"""What the brand's own records say about a customer, and who may be told.

Records are views of the brand's database: amounts are in minor units of one currency, dates are the brand's local
dates, moments are aware UTC.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import date, datetime, time
from enum import StrEnum
from typing import NewType

CustomerId = NewType("CustomerId", str)
OrderNumber = NewType("OrderNumber", str)

#: Nobody types a longer order number.
_TYPED_MAX = 40
#: Characters of a text in which order numbers are looked for.
_SEARCHED_MAX = 2_000


@dataclass(frozen=True, kw_only=True)
class OrderNumberForm:
    """How the brand writes its order numbers."""

    #: what they begin with and people leave out
    prefix: str = "CL-"
    #: what follows: a regular expression over capital letters and digits, without groups
    pattern: str = "[0-9]{6}"

    def read(self, text: str) -> OrderNumber | None:
        """Return the order number `text` stands for (`cl 104233`, `#104233`) as the brand writes it, or none."""
        if len(text) > _TYPED_MAX:
            return None
        bare = re.sub(r"[^0-9A-Z]", "", unicodedata.normalize("NFKC", text).upper())
        start = re.sub(r"[^0-9A-Z]", "", self.prefix.upper())
        match = re.fullmatch(f"(?:{start})?({self.pattern})", bare)
        return OrderNumber(self.prefix + match[1]) if match else None

    def find(self, text: str) -> list[OrderNumber]:
        """Return the order numbers that stand in `text`, a whole sentence or more, in its order, each once."""
        words = re.split(r"[\s,;:!?()\"'“”]+", text[:_SEARCHED_MAX])
        # "CL 104233" is two words; of the two readings the longer is what was meant.
        read = [
            self.read(f"{first} {second}") or self.read(first)
            for first, second in zip(words, [*words[1:], ""], strict=True)
        ]
        return list(dict.fromkeys(number for number in read if number is not None))


class OrderStatus(StrEnum):
    """How far an order has come; `UNKNOWN` for a word of the brand's that the mapping does not name."""

    PLACED = "placed"
    PACKED = "packed"
    SHIPPED = "shipped"
    DELIVERED = "delivered"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"


class ShipmentStatus(StrEnum):
    """Where a parcel is."""

    PREPARING = "preparing"
    IN_TRANSIT = "in_transit"
    OUT_FOR_DELIVERY = "out_for_delivery"
    DELIVERED = "delivered"
    DELAYED = "delayed"
    LOST = "lost"
    UNKNOWN = "unknown"


class ReturnStatus(StrEnum):
    """How far a return has come, the refund included."""

    REQUESTED = "requested"
    RECEIVED = "received"
    REFUNDED = "refunded"
    REJECTED = "rejected"
    UNKNOWN = "unknown"


class SubscriptionStatus(StrEnum):
    """Whether a subscription sends boxes."""

    ACTIVE = "active"
    PAUSED = "paused"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True)
class Money:
    """An amount of one currency."""

    #: in minor units (pence, cents)
    minor: int
    #: ISO 4217 code
    currency: str = "GBP"


@dataclass(frozen=True, kw_only=True)
class Customer:
    """The brand's record of a person."""

    id: CustomerId
    name: str
    email: str
    phone: str | None
    #: postcode of the default address
    postcode: str
    city: str
    #: since when they buy from the brand
    since: date
    #: free word of the brand's: "regular", "gold"
    tier: str


class Clue(StrEnum):
    """What somebody is looked up by."""

    ORDER_NUMBER = "order_number"
    EMAIL = "email"
    NAME = "name"


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """Somebody whom a customer may be, for agents to judge."""

    customer: Customer
    #: why, in words: "order CL-104233 is theirs"
    evidence: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class OrderItem:
    """One line of an order."""

    sku: str
    name: str
    quantity: int
    #: per piece
    price: Money


@dataclass(frozen=True, kw_only=True)
class Shipment:
    """One parcel of an order."""

    carrier: str
    tracking_number: str
    #: where the customer can follow it, when the carrier has such a page
    tracking_url: str | None
    status: ShipmentStatus
    shipped_at: datetime | None
    #: promised day
    due_on: date | None
    delivered_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class Return:
    """Goods on their way back, and the money for them."""

    id: str
    order_number: OrderNumber
    status: ReturnStatus
    reason: str
    requested_at: datetime
    received_at: datetime | None
    refunded_at: datetime | None
    amount: Money


@dataclass(frozen=True, kw_only=True)
class Invoice:
    """The bill of an order."""

    number: str
    order_number: OrderNumber
    issued_on: date
    total: Money
    #: where the customer can download it, when the brand has such a page
    url: str | None


@dataclass(frozen=True, kw_only=True)
class Order:
    """An order with everything a customer may ask of it."""

    number: OrderNumber
    customer_id: CustomerId
    placed_at: datetime
    status: OrderStatus
    items: tuple[OrderItem, ...]
    total: Money
    #: where it goes
    postcode: str
    shipments: tuple[Shipment, ...]
    returns: tuple[Return, ...]
    invoice: Invoice | None

    @property
    def can_be_changed(self) -> bool:
        """Whether nothing has left the shop yet, so that the order may still be cancelled or changed."""
        return self.status in {OrderStatus.PLACED, OrderStatus.PACKED}


@dataclass(frozen=True, kw_only=True)
class Subscription:
    """Goods that are sent again and again."""

    id: str
    customer_id: CustomerId
    product: str
    status: SubscriptionStatus
    #: days between two boxes
    every_days: int
    next_box_on: date | None
    price: Money


@dataclass(frozen=True, kw_only=True)
class Product:
    """Something the brand sells."""

    sku: str
    name: str
    #: free word of the brand's: "coffee", "tea", "mugs"
    category: str
    price: Money
    #: pieces on hand
    stock: int
    #: when more arrives, if known
    restock_on: date | None
    #: free text facts: origin, grind, allergens
    description: str


@dataclass(frozen=True, kw_only=True)
class OpeningHours:
    """When a store is open on one day of the week."""

    #: 0 is Monday, as in `date.weekday`
    weekday: int
    #: none: closed that day
    opens: time | None
    closes: time | None


@dataclass(frozen=True, kw_only=True)
class Store:
    """A place customers can walk into."""

    id: str
    name: str
    city: str
    address: str
    phone: str
    hours: tuple[OpeningHours, ...]


@dataclass(frozen=True, kw_only=True)
class CustomerRecord:
    """One customer with what a person at the desk wants to see beside the conversation."""

    customer: Customer
    #: newest first
    orders: tuple[Order, ...]
    subscriptions: tuple[Subscription, ...]
