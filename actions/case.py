"""A customer's own matter, looked up and allowed: all that an answer is made of."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from actions.context import TurnContext
from bot.domain.customers import CustomerId, Order, Subscription


@dataclass(frozen=True, kw_only=True)
class Case:
    """One wish of one customer, with the records it is about."""

    context: TurnContext
    customer_id: CustomerId
    #: the order in question
    about: Order | None = None
    subscriptions: tuple[Subscription, ...] = ()

    @property
    def order(self) -> Order:
        """The order in question, for wishes that are about one."""
        if self.about is None:
            raise ValueError("this wish is not about an order")
        return self.about

    @property
    def today(self) -> date:
        """The brand's local date."""
        return self.context.today
