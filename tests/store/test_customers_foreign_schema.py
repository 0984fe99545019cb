from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, time
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import Connection, text

from bot.domain.customers import (
    CustomerId,
    Money,
    OpeningHours,
    OrderNumber,
    OrderStatus,
    Shipment,
    ShipmentStatus,
)
from bot.domain.errors import DirectoryUnavailableError
from bot.store.customer_mapping import load_mapping, parse_mapping
from bot.store.customers.directory import SqlCustomerDirectory
from tests.databases import run_in

FIXTURES = Path(__file__).parent / "fixtures"
JONAS = CustomerId("7")
NUMBER = OrderNumber("BW-50001")


def _make(connection: Connection) -> None:
    for statement in (FIXTURES / "foreign_schema.sql").read_text(encoding="utf-8").split(";\n"):
        if statement.strip():
            connection.exec_driver_sql(statement)


@pytest.fixture
async def foreign(database_url: str) -> AsyncIterator[SqlCustomerDirectory]:
    """Return the directory over a shop with other names, words, money and time."""
    run_in(database_url, _make)
    opened = SqlCustomerDirectory(database_url, load_mapping(FIXTURES / "foreign_mapping.toml"))
    await opened.check()
    yield opened
    await opened.close()


@pytest.mark.parametrize("typed", ["BW-50001", "bw50001", "#50001"])
@pytest.mark.parametrize("proof", ["50667", "jonas.weber@example.com"])
async def test_an_order_is_found_in_a_foreign_schema(foreign: SqlCustomerDirectory, typed: str, proof: str) -> None:
    """Order numbers that the brand keeps as mere integers are found as customers type them."""
    order = await foreign.find_order(OrderNumber(typed), proof)
    assert order is not None
    assert (order.number, order.customer_id) == (NUMBER, JONAS)


async def test_an_order_of_a_foreign_schema_is_read_as_ours(foreign: SqlCustomerDirectory) -> None:
    """Decimals become minor units, local times UTC, their status words ours, a joined view our items."""
    order = await foreign.order(NUMBER, JONAS)
    assert order is not None
    assert order.total == Money(minor=3290, currency="EUR")
    assert order.placed_at == datetime(2026, 7, 1, 21, 30, tzinfo=UTC)
    assert order.status is OrderStatus.SHIPPED
    assert [(item.name, item.price.minor) for item in order.items] == [
        ("Äthiopien Yirgacheffe", 1150),
        ("Hausmischung Espresso", 990),
    ]
    assert order.shipments == (
        Shipment(
            carrier="DHL",
            tracking_number="DE-1",
            tracking_url=None,
            status=ShipmentStatus.OUT_FOR_DELIVERY,
            shipped_at=datetime(2026, 7, 2, 14, tzinfo=UTC),
            due_on=date(2026, 7, 4),
            delivered_at=None,
        ),
    )
    assert (order.returns, order.invoice) == ((), None)


async def test_a_status_word_without_translation_is_unknown(foreign: SqlCustomerDirectory) -> None:
    """A word that the mapping does not name is never taken for another."""
    (order,) = await foreign.orders(CustomerId("8"), 5)
    assert order.status is OrderStatus.UNKNOWN


async def test_an_order_without_customer_belongs_to_nobody(foreign: SqlCustomerDirectory) -> None:
    """A guest's order that has no customer is not found, whatever proof is given."""
    assert await foreign.find_order(OrderNumber("50003"), "53111") is None
    assert await foreign.orders(CustomerId(""), 5) == []
    assert await foreign.orders(CustomerId("None"), 5) == []


async def test_a_customer_record_lacks_what_the_brand_lacks(foreign: SqlCustomerDirectory) -> None:
    """Fields and kinds that the mapping says are not there are empty."""
    record = await foreign.record(JONAS)
    assert record is not None
    customer = record.customer
    assert (customer.name, customer.email, customer.city) == ("Jonas Weber", "Jonas.Weber@example.com", "Köln")
    assert (customer.phone, customer.postcode, customer.tier) == (None, "", "")
    assert customer.since == date(2021, 5, 2)
    assert record.subscriptions == ()


async def test_products_and_stores_of_a_foreign_schema_are_found(foreign: SqlCustomerDirectory) -> None:
    """Accents do not matter, and named weekdays become ours."""
    assert [product.sku for product in await foreign.products("athiopien yirgacheffe", 5)] == ["K1"]
    (store,) = await foreign.stores("koln")
    assert store.hours == (
        OpeningHours(weekday=0, opens=time(9), closes=time(18, 30)),
        OpeningHours(weekday=6, opens=None, closes=None),
    )


@pytest.mark.parametrize("typed", ["7 ", "7.0", "+7", "07x", "７", "9" * 30, "7; DROP TABLE kunde"])
async def test_what_is_no_number_is_no_numeric_key(foreign: SqlCustomerDirectory, typed: str) -> None:
    """Numeric customer ids are compared as numbers, and anything else matches nobody."""
    assert await foreign.record(CustomerId(typed)) is None


MINIMAL = """
customers = { phone = false, postcode = false, city = false, tier = false }
order_items = { table = false }
shipments = { table = false }
returns = { table = false }
invoices = { table = false }
subscriptions = { table = false }
products = { table = false }
stores = { table = false }
opening_hours = { table = false }
"""
MINIMAL_TABLES = (
    "CREATE TABLE customers (id KEY, name TEXT, email TEXT, since DATE)",
    "CREATE TABLE orders (id KEY, number TEXT, customer_id KEY, placed_at DATE, status TEXT, total INT, postcode TEXT)",
)


async def test_uuids_serve_as_keys(database_url: str) -> None:
    """Customers are told apart by a UUID column, and a brand needs no more than customers and orders."""
    ours, theirs = UUID(int=1), UUID(int=2)

    def make(connection: Connection) -> None:
        has_uuids = connection.dialect.name == "postgresql"
        for table in MINIMAL_TABLES:
            connection.exec_driver_sql(table.replace("KEY", "UUID" if has_uuids else "TEXT"))
        for key, number in ((ours, "CL-000001"), (theirs, "CL-000002")):
            values = {"id": key if has_uuids else str(key), "number": number}
            connection.execute(text("INSERT INTO customers VALUES (:id, 'x', 'x@example.com', '2026-01-01')"), values)
            connection.execute(
                text("INSERT INTO orders VALUES (:id, :number, :id, '2026-01-01', 'placed', 1, 'A')"), values
            )

    run_in(database_url, make)
    directory = SqlCustomerDirectory(database_url, parse_mapping(MINIMAL, "a small mapping"))
    (order,) = await directory.orders(CustomerId(str(ours)), 5)
    assert (order.number, order.placed_at) == ("CL-000001", datetime(2026, 1, 1, tzinfo=UTC))
    assert await directory.order(OrderNumber("CL-000002"), CustomerId(str(ours))) is None
    assert await directory.record(CustomerId(str(ours))) is not None
    assert await directory.record(CustomerId("not a uuid")) is None
    assert await directory.stores(None) == []
    assert await directory.products("tea", 5) == []
    await directory.close()


async def test_a_cell_that_cannot_be_read_is_named_but_not_shown(
    foreign: SqlCustomerDirectory, database_url: str
) -> None:
    """An amount that is none makes the records unavailable; what the cell holds is not in the message."""

    def spoil(connection: Connection) -> None:
        if connection.dialect.name == "postgresql":
            connection.execute(text("DROP VIEW tandem_positionen"))
            connection.execute(text("ALTER TABLE artikel ALTER brutto TYPE TEXT"))
        connection.execute(text("UPDATE artikel SET brutto = 'secret price'"))

    run_in(database_url, spoil)
    with pytest.raises(DirectoryUnavailableError, match="a decimal amount, found str") as caught:
        await foreign.products("espresso", 1)
    assert "secret" not in str(caught.value)
