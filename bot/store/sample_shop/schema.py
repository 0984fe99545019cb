"""The tables of the sample shop; their names are the ones the customer directory expects when no mapping is given."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Date, ForeignKey, Integer, MetaData, String, Table, Text, Time

from bot.store.database import Moment

#: The records: dropped and made anew whenever they are re-dated.
records = MetaData()
#: What outlives a re-dating.
durable = MetaData()

customers = Table(
    "customers",
    records,
    Column("id", String(20), primary_key=True),
    Column("name", String(100), nullable=False),
    Column("email", String(200), nullable=False, unique=True),
    Column("phone", String(20)),
    Column("postcode", String(10), nullable=False),
    Column("city", String(50), nullable=False),
    Column("since", Date, nullable=False),
    Column("tier", String(20), nullable=False),
)

orders = Table(
    "orders",
    records,
    Column("id", Integer, primary_key=True),
    Column("number", String(20), nullable=False, unique=True),
    Column("customer_id", ForeignKey(customers.c.id), nullable=False, index=True),
    Column("placed_at", Moment, nullable=False),
    Column("status", String(20), nullable=False),
    Column("total", Integer, nullable=False),
    Column("postcode", String(10), nullable=False),
)

order_items = Table(
    "order_items",
    records,
    Column("order_id", ForeignKey(orders.c.id), primary_key=True),
    Column("sku", String(20), primary_key=True),
    Column("name", String(100), nullable=False),
    Column("quantity", Integer, nullable=False),
    Column("price", Integer, nullable=False),
)

shipments = Table(
    "shipments",
    records,
    Column("tracking_number", String(40), primary_key=True),
    Column("order_id", ForeignKey(orders.c.id), nullable=False, index=True),
    Column("carrier", String(40), nullable=False),
    Column("tracking_url", Text),
    Column("status", String(20), nullable=False),
    Column("shipped_at", Moment),
    Column("due_on", Date),
    Column("delivered_at", Moment),
)

returns = Table(
    "returns",
    records,
    Column("id", String(20), primary_key=True),
    Column("order_id", ForeignKey(orders.c.id), nullable=False, index=True),
    Column("status", String(20), nullable=False),
    Column("reason", Text, nullable=False),
    Column("requested_at", Moment, nullable=False),
    Column("received_at", Moment),
    Column("refunded_at", Moment),
    Column("amount", Integer, nullable=False),
)

invoices = Table(
    "invoices",
    records,
    Column("number", String(20), primary_key=True),
    Column("order_id", ForeignKey(orders.c.id), nullable=False, index=True),
    Column("issued_on", Date, nullable=False),
    Column("total", Integer, nullable=False),
    Column("url", Text),
)

subscriptions = Table(
    "subscriptions",
    records,
    Column("id", String(20), primary_key=True),
    Column("customer_id", ForeignKey(customers.c.id), nullable=False, index=True),
    Column("product", String(100), nullable=False),
    Column("status", String(20), nullable=False),
    Column("every_days", Integer, nullable=False),
    Column("next_box_on", Date),
    Column("price", Integer, nullable=False),
)

products = Table(
    "products",
    records,
    Column("sku", String(20), primary_key=True),
    Column("name", String(100), nullable=False),
    Column("category", String(40), nullable=False),
    Column("price", Integer, nullable=False),
    Column("stock", Integer, nullable=False),
    Column("restock_on", Date),
    Column("description", Text, nullable=False),
)

stores = Table(
    "stores",
    records,
    Column("id", String(20), primary_key=True),
    Column("name", String(100), nullable=False),
    Column("city", String(50), nullable=False),
    Column("address", Text, nullable=False),
    Column("phone", String(20), nullable=False),
)

opening_hours = Table(
    "opening_hours",
    records,
    Column("store_id", ForeignKey(stores.c.id), primary_key=True),
    Column("weekday", Integer, primary_key=True),
    Column("opens", Time),
    Column("closes", Time),
)

shop_state = Table(
    "shop_state",
    durable,
    # one row: the fingerprint of the records that were last written
    Column("fingerprint", String(64), primary_key=True),
)

executed_commands = Table(
    "executed_commands",
    durable,
    Column("key", String(200), primary_key=True),
    Column("name", String(40), nullable=False),
    Column("order_number", String(20), nullable=False),
    Column("customer_id", String(20), nullable=False),
    Column("is_done", Boolean, nullable=False),
    Column("reason", Text, nullable=False),
)
