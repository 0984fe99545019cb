"""The customer directory over a brand's SQL database."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from bot.domain.breakers import Breaker, Temper
from bot.domain.customers import (
    Clue,
    Customer,
    CustomerId,
    CustomerRecord,
    Order,
    OrderNumber,
    OrderNumberForm,
    Product,
    Store,
    Subscription,
)
from bot.domain.errors import DirectoryUnavailableError, SettingsError
from bot.store.customer_mapping import DirectoryMapping
from bot.store.customers.records import BrandRecords
from bot.store.customers.session import CONNECTIONS, open_read_only
from bot.store.customers.tables import resolve
from bot.store.customers.values import UnreadableError

P = ParamSpec("P")
T = TypeVar("T")

#: Customers wait for each question, and an agent gets those who are not answered.
TEMPER = Temper(trips_after=3, first=1.0, longest=15.0, probes_for=30.0)
#: Orders that the desk shows beside a conversation.
RECORD_ORDERS = 10


class SqlCustomerDirectory:
    """Reads records in threads of its own, so that a slow database holds up nothing but its own answers.

    See `bot.domain.ports.CustomerDirectory`. The mapping is checked when the database is first reached: `check` does it
    at start; a database that is down then is asked again with the next question.
    """

    def __init__(self, url: str, mapping: DirectoryMapping) -> None:
        """Read the database at `url`; nothing is connected yet. Raises `SettingsError` for a URL that cannot be one."""
        self._mapping = mapping
        self._engine = open_read_only(url, mapping.times_out_after)
        self._threads = ThreadPoolExecutor(CONNECTIONS, thread_name_prefix="directory")
        self._records: BrandRecords | None = None
        #: while it is open questions are answered at once: with `DirectoryUnavailableError`
        self.breaker = Breaker(TEMPER)

    @property
    def order_numbers(self) -> OrderNumberForm:
        """How the brand writes its order numbers."""
        return self._mapping.order_numbers

    async def check(self) -> None:
        """Compare the mapping with the database; raises `SettingsError` that names everything missing.

        Raises `DirectoryUnavailableError` when the database cannot be reached now.
        """
        await self._read(_nothing)

    async def find_order(self, number: OrderNumber, proof: str) -> Order | None:
        """Return the order if `proof` is the postcode it goes to or its customer's e-mail, however they are typed."""
        return await self._answer(BrandRecords.find, number, proof)

    async def order(self, number: OrderNumber, customer_id: CustomerId) -> Order | None:
        """Return one order of this customer; none if there is none or it belongs to somebody else."""
        return await self._answer(BrandRecords.order, number, customer_id)

    async def orders(self, customer_id: CustomerId, limit: int) -> list[Order]:
        """Return the customer's orders, newest first, at most `limit`."""
        return await self._answer(BrandRecords.orders, customer_id, limit)

    async def subscriptions(self, customer_id: CustomerId) -> list[Subscription]:
        """Return the customer's subscriptions, active ones first."""
        return await self._answer(BrandRecords.subscriptions, customer_id)

    async def record(self, customer_id: CustomerId) -> CustomerRecord | None:
        """Return the person, the last orders and the subscriptions, all of one moment."""
        return await self._answer(_record, customer_id)

    async def resembling(self, clue: Clue, value: str, limit: int) -> list[Customer]:
        """Return customers who have that order, e-mail address or name, for agents to look at."""
        return await self._answer(BrandRecords.resembling, clue, value, limit)

    async def products(self, name: str, limit: int) -> list[Product]:
        """Return the products whose names come nearest to `name`, best first; empty when none is near."""
        return await self._answer(BrandRecords.products, name, limit)

    async def stores(self, city: str | None) -> list[Store]:
        """Return all stores, or those of the city that comes nearest to `city`."""
        return await self._answer(BrandRecords.stores, city)

    async def close(self) -> None:
        """Let go of the database once the questions under way are answered."""
        await asyncio.to_thread(self._threads.shutdown)
        self._engine.dispose()

    async def _answer(
        self, body: Callable[Concatenate[BrandRecords, Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        try:
            return await self._read(body, *args, **kwargs)
        except SettingsError as error:
            raise DirectoryUnavailableError(str(error)) from error

    async def _read(
        self, body: Callable[Concatenate[BrandRecords, Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        def bound() -> T:
            with self._engine.connect() as connection, connection.begin():
                if self._records is None:
                    self._records = BrandRecords(resolve(connection, self._mapping), self._mapping)
                return body(self._records, connection, *args, **kwargs)

        if not self.breaker.admit():
            raise DirectoryUnavailableError(f"the customer database is not asked: {self.breaker.reason}")
        try:
            async with asyncio.timeout(3 * self._mapping.times_out_after.total_seconds()):
                answer = await asyncio.get_running_loop().run_in_executor(self._threads, bound)
        except UnreadableError as error:
            self.breaker.succeeded()
            raise DirectoryUnavailableError(f"a record of the customer database cannot be read: {error}") from error
        except SettingsError:
            self.breaker.succeeded()
            raise
        except (SQLAlchemyError, OSError) as error:
            reason = f"the customer database gives no answer: {type(error).__name__}"
            self.breaker.failed(object(), reason)
            raise DirectoryUnavailableError(reason) from error
        self.breaker.succeeded()
        return answer


def _nothing(_records: BrandRecords, _connection: Connection) -> None:
    return


def _record(records: BrandRecords, connection: Connection, customer_id: CustomerId) -> CustomerRecord | None:
    customer = records.customer(connection, customer_id)
    if customer is None:
        return None
    return CustomerRecord(
        customer=customer,
        orders=tuple(records.orders(connection, customer_id, RECORD_ORDERS)),
        subscriptions=tuple(records.subscriptions(connection, customer_id)),
    )
