from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, time

import pytest
from sqlalchemy import Connection, Table, insert, update

from bot.domain.customers import CustomerId, OrderNumber
from bot.store.customer_mapping import load_mapping
from bot.store.customers.directory import SqlCustomerDirectory
from bot.store.sample_shop import schema
from tests.databases import run_in

A, B = CustomerId("C1"), CustomerId("C2")
NUMBERS = {A: OrderNumber("CL-000001"), B: OrderNumber("CL-000002")}
PROOFS = {A: ("AA1 1AA", "a@example.com"), B: ("BB2 2BB", "b@example.com")}
#: What every text of a customer's records contains.
CANARIES = {A: "canary-of-a", B: "canary-of-b"}
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)

#: As order numbers, proofs, names, cities and customer ids.
INJECTIONS = [
    "' OR '1'='1",
    "' OR 1=1 --",
    '" OR ""="',
    "'; DROP TABLE orders; --",
    "1; DELETE FROM customers",
    "' UNION SELECT id, email, phone FROM customers --",
    "CL-000002' --",
    "CL-000002' OR number LIKE '%",
    "000002 OR 1=1",
    "%",
    "_________",
    "CL-00000_",
    "\\' OR 1=1 #",
    "$$ OR 1=1 $$",
    "E'\\x27' OR true",
    "' || (SELECT email FROM customers LIMIT 1) || '",
    "'; SELECT pg_sleep(10); --",
    "'/**/OR/**/'1'='1",
    "0x27204f5220313d31",
    "(SELECT 1)",
    "NULL",
    "true",
    ":customer_id",
    "%(id)s",
    "{0}",
    "%s%s%s%n",
    "${jndi:ldap://x}",
    "ʼ OR ʼ1ʼ=ʼ1",
    "＇ OR 1=1 --",
    "a\x00b",
    "\ud800",
    "\n\r\t",
    "9" * 400,
    "-1",
    "1e9",
    "٠٠٠٠٠٢",
    "'" * 10_000,
]


def _fill(connection: Connection) -> None:
    schema.records.create_all(connection)
    for key, customer in enumerate((A, B), start=1):
        _fill_customer(connection, key, customer)


def _fill_customer(connection: Connection, key: int, customer: CustomerId) -> None:
    canary, (postcode, email) = CANARIES[customer], PROOFS[customer]

    def add(table: Table, **values: object) -> None:
        connection.execute(insert(table).values(**values))

    add(
        schema.customers,
        id=customer,
        name=canary,
        email=email,
        phone=canary,
        postcode=postcode,
        city=canary,
        since=NOON.date(),
        tier=canary,
    )
    add(
        schema.orders,
        id=key,
        number=NUMBERS[customer],
        customer_id=customer,
        placed_at=NOON,
        status="placed",
        total=key,
        postcode=postcode,
    )
    add(schema.order_items, order_id=key, sku=canary, name=canary, quantity=1, price=key)
    add(
        schema.shipments,
        order_id=key,
        carrier=canary,
        tracking_number=canary,
        tracking_url=canary,
        status="in_transit",
        shipped_at=NOON,
        due_on=NOON.date(),
    )
    add(schema.returns, id=canary, order_id=key, status="requested", reason=canary, requested_at=NOON, amount=key)
    add(schema.invoices, number=canary, order_id=key, issued_on=NOON.date(), total=key, url=canary)
    add(
        schema.subscriptions, id=canary, customer_id=customer, product=canary, status="active", every_days=30,
        next_box_on=date(2026, 4, 1), price=key,
    )  # fmt: skip
    if customer == A:
        add(schema.products, sku="P", name="Green Tea", category="tea", price=1, stock=1, description="loose")
        add(schema.stores, id="S", name="Corner Shop", city="Leeds", address="1 Street", phone="0")
        add(schema.opening_hours, store_id="S", weekday=0, opens=time(9), closes=time(17))


@pytest.fixture
async def directory(database_url: str) -> AsyncIterator[SqlCustomerDirectory]:
    """Return the directory over two customers whose records are full of canaries."""
    run_in(database_url, _fill)
    opened = SqlCustomerDirectory(database_url, load_mapping(None))
    yield opened
    await opened.close()


async def _everything(directory: SqlCustomerDirectory, customer: CustomerId) -> str:
    """Return all that the directory tells when it is asked as `customer`, with the ids of everybody."""
    told: list[object] = [
        await directory.orders(customer, 100),
        await directory.subscriptions(customer),
        await directory.record(customer),
    ]
    for number in (*NUMBERS.values(), *map(OrderNumber, CANARIES.values())):
        told.append(await directory.order(number, customer))
        told += [await directory.find_order(number, proof) for proof in PROOFS[customer]]
    return repr(told)


@pytest.mark.parametrize(("customer", "other"), [(A, B), (B, A)])
async def test_nothing_of_another_customer_ever_appears(
    directory: SqlCustomerDirectory, customer: CustomerId, other: CustomerId
) -> None:
    """Every method with every id, asked as one customer, tells all of theirs and nothing of the other's."""
    told = await _everything(directory, customer)
    assert told.count(CANARIES[customer]) > 20
    assert CANARIES[other] not in told
    assert not any(proof in told for proof in PROOFS[other])
    assert NUMBERS[other] not in told


async def test_a_stranger_is_told_nothing(directory: SqlCustomerDirectory) -> None:
    """An empty or unknown customer id opens no record."""
    for customer in (CustomerId(""), CustomerId("C3"), CustomerId("c1"), CustomerId("C1 ")):
        assert await directory.record(customer) is None
        assert await directory.orders(customer, 100) == []
        assert await directory.order(NUMBERS[A], customer) is None


async def test_an_order_without_a_postcode_is_not_proved_by_an_empty_one(
    directory: SqlCustomerDirectory, database_url: str
) -> None:
    """Where the brand keeps no postcode or e-mail, no proof fits it."""

    def blank(connection: Connection) -> None:
        connection.execute(update(schema.orders).values(postcode=""))
        connection.execute(update(schema.customers).where(schema.customers.c.id == A).values(email=""))

    run_in(database_url, blank)
    for proof in ("", " ", "-", "None", "@"):
        assert await directory.find_order(NUMBERS[A], proof) is None


@pytest.mark.parametrize("text", INJECTIONS, ids=range(len(INJECTIONS)))
async def test_statements_smuggled_into_texts_are_texts(directory: SqlCustomerDirectory, text: str) -> None:
    """No text, wherever a customer may type it, finds a record or changes one."""
    number, customer = OrderNumber(text), CustomerId(text)
    told: list[object] = [
        await directory.find_order(number, text),
        await directory.find_order(NUMBERS[A], text),
        await directory.find_order(number, PROOFS[A][0]),
        await directory.order(number, A),
        await directory.order(NUMBERS[A], customer),
        *await directory.orders(customer, 10),
        *await directory.subscriptions(customer),
        await directory.record(customer),
        *await directory.products(text, 5),
        *await directory.stores(text),
    ]
    assert set(told) == {None}
    assert CANARIES[A] in repr(await directory.order(NUMBERS[A], A))
