"""How surely we know who writes, and what that allows.

The ladder: L0 anyone; L1 knows something only the customer and the shop know; L2 proved over a second way; L3 proved
anew just now. Today L0 and L1 can be reached; the actions that need more go to a person.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum

from bot.domain.customers import CustomerId

#: How long an assurance lasts without a message from the customer, and at the most.
IDLE_FOR = timedelta(minutes=30)
LASTS_FOR = timedelta(hours=12)
#: Failed proofs after which no further one is looked at for `BARRED_FOR`.
MAX_FAILURES = 5
BARRED_FOR = timedelta(hours=1)
#: Failed proofs about one order, or with one postcode or address, in all conversations together: then likewise.
GUESSES_MAX = 10


class Level(IntEnum):
    """A rung of the ladder."""

    L0 = 0
    L1 = 1
    L2 = 2
    L3 = 3


class Act(StrEnum):
    """Something the bot may do for a customer."""

    PUBLIC_FACTS = "public_facts"
    OWN_ORDERS = "own_orders"
    OWN_SUBSCRIPTIONS = "own_subscriptions"
    CANCEL_ORDER = "cancel_order"
    CHANGE_ADDRESS = "change_address"
    ACCOUNT_ACCESS = "account_access"


#: The level each act asks for.
REQUIRED: dict[Act, Level] = {
    Act.PUBLIC_FACTS: Level.L0,
    Act.OWN_ORDERS: Level.L1,
    Act.OWN_SUBSCRIPTIONS: Level.L1,
    Act.CANCEL_ORDER: Level.L1,
    Act.CHANGE_ADDRESS: Level.L2,
    Act.ACCOUNT_ACCESS: Level.L2,
}


@dataclass(frozen=True, kw_only=True)
class Assurance:
    """What we hold about who a channel identity is."""

    #: none: nobody proved anything
    customer_id: CustomerId | None = None
    level: Level = Level.L0
    #: how it was proved: "order and postcode", "order and e-mail"
    method: str | None = None
    proved_at: datetime | None = None
    #: last message of the customer
    last_seen_at: datetime | None = None
    #: failed proofs in a row, and when the last one was
    failure_count: int = 0
    failed_at: datetime | None = None

    def level_at(self, now: datetime) -> Level:
        """Return the level that still holds at `now`."""
        if self.proved_at is None or self.customer_id is None:
            return Level.L0
        if now - self.proved_at > LASTS_FOR:
            return Level.L0
        if now - (self.last_seen_at or self.proved_at) > IDLE_FOR:
            return Level.L0
        return self.level

    def allows(self, act: Act, now: datetime) -> bool:
        """Whether `act` may be done for the customer at `now`."""
        return self.level_at(now) >= REQUIRED[act]

    def is_barred_at(self, now: datetime) -> bool:
        """Whether so many proofs failed that none is looked at for now."""
        return self.failure_count >= MAX_FAILURES and self.failed_at is not None and now - self.failed_at < BARRED_FOR
