from __future__ import annotations

import re
from datetime import UTC, date, time, timedelta

import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import DBAPIError

from bot.domain.customers import (
    Clue,
    CustomerId,
    Money,
    OrderNumber,
    OrderStatus,
    ReturnStatus,
    ShipmentStatus,
    SubscriptionStatus,
)
from bot.store.customers.directory import RECORD_ORDERS, SqlCustomerDirectory
from bot.store.sample_shop.cast import CastMember, cast

PRIYA, TOM, HANNAH, DANIEL, AISHA = cast()[:5]
NOBODY = CustomerId("C99999")


@pytest.mark.parametrize("typed", ["CL-104233", "cl104233", " #104233 ", "cl 104 233", "104233", "CL–104233"])
async def test_an_order_is_found_however_its_number_is_typed(directory: SqlCustomerDirectory, typed: str) -> None:
    """Prefix, case, blanks and punctuation of an order number do not matter."""
    order = await directory.find_order(OrderNumber(typed), PRIYA.postcode)
    assert order is not None
    assert order.number == PRIYA.order_number
    assert order.customer_id == PRIYA.customer_id


@pytest.mark.parametrize(
    "proof", ["BS6 5TB", "bs65tb", " Bs6-5tB.", "Priya.Shah@example.com", " PRIYA.SHAH@EXAMPLE.COM "]
)
async def test_a_proof_fits_however_it_is_typed(directory: SqlCustomerDirectory, proof: str) -> None:
    """The postcode and the e-mail prove an order whatever their case and blanks are."""
    assert await directory.find_order(PRIYA.order_number, proof) is not None


@pytest.mark.parametrize("proof", ["", " ", "BS6", "BS6 5TC", TOM.postcode, TOM.email, "@", "%", "None"])
async def test_a_wrong_proof_finds_nothing(directory: SqlCustomerDirectory, proof: str) -> None:
    """Neither a part of the proof, nor somebody else's, nor a pattern opens an order."""
    assert await directory.find_order(PRIYA.order_number, proof) is None


async def test_right_and_wrong_proofs_take_the_same_path(directory: SqlCustomerDirectory) -> None:
    """The same statements run for a right proof, a wrong one, an order that is not there and a number that is none."""
    statements: list[str] = []

    @event.listens_for(directory._engine, "before_cursor_execute")
    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        statements.append(" ".join(word for word in statement.split() if word not in {"false", "0"}))

    await directory.check()
    seen = []
    for number, proof in [
        (PRIYA.order_number, PRIYA.postcode),
        (PRIYA.order_number, TOM.postcode),
        ("CL-999999", PRIYA.postcode),
        ("hello", PRIYA.postcode),
    ]:
        statements.clear()
        await directory.find_order(OrderNumber(number), proof)
        seen.append([statement.split(" FROM ")[0] for statement in statements])
    assert len(seen[0]) > 5
    assert seen[1:] == seen[:1] * 3


async def test_every_statement_about_a_person_names_their_id(directory: SqlCustomerDirectory) -> None:
    """Nothing personal is fetched to be filtered afterwards: the customer id is in each statement's condition."""
    statements: list[str] = []

    @event.listens_for(directory._engine, "before_cursor_execute")
    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        statements.append(statement)

    await directory.check()
    statements.clear()
    await directory.order(PRIYA.order_number, PRIYA.customer_id)
    await directory.orders(PRIYA.customer_id, 10)
    await directory.subscriptions(PRIYA.customer_id)
    await directory.record(PRIYA.customer_id)
    questions = [statement for statement in statements if statement.startswith("SELECT")]
    assert len(questions) > 15
    assert all(re.search(r"WHERE.*(customer_id|customers\.id) = ", statement, re.DOTALL) for statement in questions)


async def test_an_order_comes_with_all_that_belongs_to_it(directory: SqlCustomerDirectory, today: date) -> None:
    """Items, shipments, returns and invoice are those of the order, amounts are in pence and moments in UTC."""
    order = await directory.order(HANNAH.order_number, HANNAH.customer_id)
    assert order is not None
    assert [(item.name, item.quantity, item.price) for item in order.items] == [
        ("Copper Glaze Mug", 2, Money(minor=1600)),
        ("Jasmine Pearls", 1, Money(minor=1295)),
    ]
    assert order.total == Money(minor=4495)
    assert order.status is OrderStatus.DELIVERED
    assert order.placed_at.tzinfo is UTC
    assert order.placed_at.date() == today - timedelta(days=24)
    assert [shipment.status for shipment in order.shipments] == [ShipmentStatus.DELIVERED]
    assert order.invoice is not None
    assert order.invoice.total == order.total
    (returned,) = order.returns
    assert returned.status is ReturnStatus.REFUNDED
    assert returned.amount == Money(minor=3200)
    assert returned.refunded_at is not None
    assert timedelta(days=5) < today - returned.refunded_at.date() < timedelta(days=8)


async def test_an_order_of_somebody_else_does_not_exist(directory: SqlCustomerDirectory) -> None:
    """A customer asks for the order of another and gets what they get for no order."""
    assert await directory.order(PRIYA.order_number, TOM.customer_id) is None
    assert await directory.order(OrderNumber("CL-999999"), TOM.customer_id) is None


async def test_orders_come_newest_first_and_no_more_than_asked_for(
    directory: SqlCustomerDirectory, today: date
) -> None:
    """The last orders of a customer with many are listed by when they were placed."""
    customer_id = await _busy_customer(directory)
    orders = await directory.orders(customer_id, 100)
    assert len(orders) > 3
    assert orders == sorted(orders, key=lambda order: order.placed_at, reverse=True)
    assert {order.customer_id for order in orders} == {customer_id}
    assert all(order.items for order in orders)
    assert all(order.placed_at.date() < today for order in orders)
    assert await directory.orders(customer_id, 2) == orders[:2]
    assert await directory.orders(customer_id, 0) == []


async def _busy_customer(directory: SqlCustomerDirectory) -> CustomerId:
    def count(connection: object) -> str:
        statement = text("SELECT customer_id FROM orders GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1")
        return str(connection.scalar(statement))  # type: ignore[attr-defined]

    with directory._engine.connect() as connection:
        return CustomerId(count(connection))


async def test_active_subscriptions_come_first(directory: SqlCustomerDirectory) -> None:
    """A customer's subscriptions are theirs; a paused one has no next box."""
    (subscription,) = await directory.subscriptions(AISHA.customer_id)
    assert subscription.status is SubscriptionStatus.PAUSED
    assert subscription.next_box_on is None
    assert subscription.every_days == 30
    assert await directory.subscriptions(NOBODY) == []


async def test_the_record_holds_person_orders_and_subscriptions(directory: SqlCustomerDirectory) -> None:
    """The desk sees one customer with the last orders; an unknown customer has no record."""
    record = await directory.record(AISHA.customer_id)
    assert record is not None
    assert (record.customer.name, record.customer.email) == ("Aisha Rahman", AISHA.email)
    assert [order.number for order in record.orders] == [AISHA.order_number]
    assert len(record.subscriptions) == 1
    assert await directory.record(NOBODY) is None
    busy = await directory.record(await _busy_customer(directory))
    assert busy is not None
    assert len(busy.orders) <= RECORD_ORDERS


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("etheopian yirgachefe", "Ethiopia Yirgacheffe"),
        ("Do you have the earl gray in stock", "Earl Grey Blue Flower"),
        ("matcha wisk", "Bamboo Matcha Whisk"),
        ("dragonwell", "Dragon Well Longjing"),
        ("cofee explorer", "Coffee Explorer Box"),
        ("columbia", "Colombia Huila"),
        ("the copper mug", "Copper Glaze Mug"),
        ("caffetiere", "Glass Cafetiere 1 litre"),
        ("guatem", "Guatemala Antigua"),
        ("house espresso", "Harbour House Espresso"),
    ],
)
async def test_a_product_is_found_in_spite_of_typos(directory: SqlCustomerDirectory, typed: str, found: str) -> None:
    """The product that was meant comes first, however its name is spelt."""
    products = await directory.products(typed, 5)
    assert products[0].name == found


async def test_a_category_names_its_products(directory: SqlCustomerDirectory) -> None:
    """Who asks for mugs is shown mugs, and as many as asked for."""
    mugs = await directory.products("mugs", 10)
    assert {product.category for product in mugs} == {"mugs"}
    assert len(mugs) == 4
    assert len(await directory.products("tea", 3)) == 3


@pytest.mark.parametrize("typed", ["", "?", "bicycle", "unicorn latte", "laptop bag", "🚲", "the", "x" * 5000])
async def test_what_is_not_sold_is_not_found(directory: SqlCustomerDirectory, typed: str) -> None:
    """A name that is near to no product finds none."""
    assert await directory.products(typed, 5) == []


async def test_a_product_out_of_stock_tells_when_more_arrives(directory: SqlCustomerDirectory, today: date) -> None:
    """Stock and restock date are those of today."""
    (product, *_) = await directory.products("kenya nyeri", 1)
    assert (product.stock, product.restock_on) == (0, today + timedelta(days=9))


@pytest.mark.parametrize(
    ("typed", "city"),
    [
        ("edinborough", "Edinburgh"),
        ("BRISTOL!", "Bristol"),
        ("leads", "Leeds"),
        ("manc", "Manchester"),
        ("your store in bath please", "Bath"),
        ("edinburgh city centre", "Edinburgh"),
        ("walcot street", "Bath"),
    ],
)
async def test_a_store_is_found_by_its_city_in_spite_of_typos(
    directory: SqlCustomerDirectory, typed: str, city: str
) -> None:
    """The city, or the store's name, may be misspelt and wrapped in words."""
    assert [store.city for store in await directory.stores(typed)] == [city]


@pytest.mark.parametrize("typed", ["London", "Brighton", "Paris", "York", "", "Newcastle"])
async def test_a_city_without_a_store_has_none(directory: SqlCustomerDirectory, typed: str) -> None:
    """A city that merely sounds alike is not taken for one with a store."""
    assert await directory.stores(typed) == []


async def test_all_stores_come_with_their_week(directory: SqlCustomerDirectory) -> None:
    """Five stores have seven days each, in order, and a closed day has no hours."""
    stores = await directory.stores(None)
    assert len(stores) == 5
    assert all([day.weekday for day in store.hours] == list(range(7)) for store in stores)
    (bath,) = await directory.stores("Bath")
    assert bath.hours[0].opens is None
    assert (bath.hours[1].opens, bath.hours[1].closes) == (time(8), time(18))


@pytest.mark.parametrize(
    "statement", ["DELETE FROM orders", "UPDATE customers SET name = 'x'", "CREATE TABLE x (y int)"]
)
async def test_the_session_cannot_write(directory: SqlCustomerDirectory, statement: str) -> None:
    """Whatever statement reaches the database, it refuses to change anything."""
    with directory._engine.connect() as connection, pytest.raises(DBAPIError, match=r"(?i)read-?only"):
        connection.execute(text(statement))


async def test_the_cast_is_what_it_says(directory: SqlCustomerDirectory, today: date) -> None:
    """Each member of the cast proves their order by postcode and by e-mail, and is in the situation described."""
    orders = {}
    for member in cast():
        assert await directory.find_order(member.order_number, member.email) is not None
        order = await directory.find_order(member.order_number, member.postcode)
        assert order is not None
        record = await directory.record(member.customer_id)
        assert record is not None
        assert record.customer.name == member.name
        orders[member.name.split()[0]] = order
    assert _parcels(orders["Priya"].shipments) == [(ShipmentStatus.OUT_FOR_DELIVERY, today)]
    assert _parcels(orders["Tom"].shipments) == [(ShipmentStatus.DELAYED, today - timedelta(days=2))]
    assert orders["Daniel"].can_be_changed
    assert orders["George"].shipments[0].status is ShipmentStatus.LOST
    assert orders["Mei"].returns[0].status is ReturnStatus.RECEIVED
    assert [parcel.status for parcel in orders["Oliver"].shipments] == [
        ShipmentStatus.DELIVERED,
        ShipmentStatus.IN_TRANSIT,
    ]


def _parcels(shipments: tuple[object, ...]) -> list[tuple[object, object]]:
    return [(getattr(parcel, "status", None), getattr(parcel, "due_on", None)) for parcel in shipments]


def test_the_cast_is_the_same_every_day() -> None:
    """A page that names a member of the cast stays right."""
    assert cast()[0] == CastMember(
        customer_id=CustomerId("C10001"),
        name="Priya Shah",
        order_number=OrderNumber("CL-104233"),
        postcode="BS6 5TB",
        email="priya.shah@example.com",
        situation="her parcel is out for delivery today",
    )
    assert DANIEL.order_number == "CL-104241"


@pytest.mark.parametrize(
    ("clue", "value"),
    [
        (Clue.ORDER_NUMBER, "cl104233"),
        (Clue.EMAIL, " Priya.Shah@Example.com "),
        (Clue.NAME, "priya shah"),
    ],
)
async def test_agents_find_customers_by_clues(directory: SqlCustomerDirectory, clue: Clue, value: str) -> None:
    """An order number, an e-mail address or a name leads to the whole record of the person, whatever its case."""
    (found,) = await directory.resembling(clue, value, 5)
    record = await directory.record(PRIYA.customer_id)
    assert record is not None
    assert found == record.customer


@pytest.mark.parametrize("clue", Clue)
@pytest.mark.parametrize("value", ["", " ", "%", "priya", "CL-000000", "nobody@example.com", "\x00", "None"])
async def test_what_is_no_clue_leads_to_nobody(directory: SqlCustomerDirectory, clue: Clue, value: str) -> None:
    """Parts, patterns and what nobody has find nobody."""
    assert await directory.resembling(clue, value, 5) == []
