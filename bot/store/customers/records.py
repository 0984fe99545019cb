"""Reads a brand's records: the statements, and the rows they return as records of ours.

Each question about a person names their customer id in every statement; only `find` begins without one, and reads no
more than it has to compare before the proof fits.
"""

from __future__ import annotations

import hmac
import re
import unicodedata
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, RowMapping, Select, select

from bot.domain.customers import (
    Clue,
    Customer,
    CustomerId,
    Invoice,
    Money,
    OpeningHours,
    Order,
    OrderItem,
    OrderNumber,
    OrderStatus,
    Product,
    Return,
    ReturnStatus,
    Shipment,
    ShipmentStatus,
    Store,
    Subscription,
    SubscriptionStatus,
)
from bot.store.customer_mapping import DirectoryMapping
from bot.store.customers import search, values
from bot.store.customers.tables import BrandTable

#: Orders of one number that are compared with a proof; more than one is a fault in the brand's data.
_SAME_NUMBER_MAX = 5
_CATALOGUE_MAX = 20_000
_SUBSCRIPTION_ORDER = list(SubscriptionStatus)


class BrandRecords:
    """The statements over one brand's tables; every public method is the body of a transaction."""

    def __init__(self, tables: Mapping[str, BrandTable], mapping: DirectoryMapping) -> None:
        """Read from `tables`, which fit `mapping`."""
        self._tables = tables
        self._mapping = mapping

    def find(self, connection: Connection, typed_number: str, proof: str) -> Order | None:
        """Return the order of this number if `proof` fits it.

        Right and wrong proofs, and numbers that do not exist, are answered by the same statements.
        """
        orders, customers = self._tables["orders"], self._tables["customers"]
        number = self._mapping.order_numbers.read(typed_number)
        rows = connection.execute(
            select(
                orders.columns["customer_id"].label("customer_id"),
                orders.columns["postcode"].label("postcode"),
                customers.columns["email"].label("email"),
            )
            .join_from(
                orders.alias, customers.alias, orders.columns["customer_id"] == customers.columns["id"], isouter=True
            )
            .where(orders.is_equal("number", self._stored(number)))
            .limit(_SAME_NUMBER_MAX)
        ).mappings()
        customer_id = None
        for row in rows:
            if _fits(proof, postcode=values.text(row["postcode"]), email=values.text(row["email"])):
                customer_id = CustomerId(values.text(row["customer_id"])) or None
        return self.order(connection, number, customer_id)

    def order(self, connection: Connection, number: OrderNumber | None, customer_id: CustomerId | None) -> Order | None:
        """Return this customer's order of this number."""
        known = self._mapping.order_numbers.read(number or "")
        is_it = self._tables["orders"].is_equal("number", self._stored(known))
        return next(iter(self._orders(connection, customer_id, is_it, 1)), None)

    def orders(self, connection: Connection, customer_id: CustomerId, limit: int) -> list[Order]:
        """Return the customer's last orders, newest first."""
        return self._orders(connection, customer_id, None, limit)

    def customer(self, connection: Connection, customer_id: CustomerId) -> Customer | None:
        """Return the person."""
        customers = self._tables["customers"]
        return next(iter(self._people(connection, customers.is_equal("id", customer_id), 1)), None)

    def resembling(self, connection: Connection, clue: Clue, value: str, limit: int) -> list[Customer]:
        """Return the people whom a clue leads to; by an order, at most those who have one of that number."""
        customers = self._tables["customers"]
        match clue:
            case Clue.EMAIL | Clue.NAME:
                condition = customers.is_like(clue.value, value)
            case Clue.ORDER_NUMBER:
                orders, number = self._tables["orders"], self._mapping.order_numbers.read(value)
                owners = select(orders.columns["customer_id"]).where(orders.is_equal("number", self._stored(number)))
                condition = customers.columns["id"].in_(owners)
        return self._people(connection, condition, limit)

    def _people(self, connection: Connection, condition: ColumnElement[bool], limit: int) -> list[Customer]:
        customers = self._tables["customers"]
        rows = connection.execute(select(*customers.labelled()).where(condition).limit(limit)).mappings()
        return [self._person(row) for row in rows]

    def _person(self, row: RowMapping) -> Customer:
        since = values.day(row["since"], self._mapping.time_zone)
        if since is None:
            raise values.UnreadableError("customers.since to be a date", None)
        return Customer(
            id=CustomerId(values.text(row["id"])),
            name=values.text(row["name"]),
            email=values.text(row["email"]),
            phone=values.optional_text(row.get("phone")),
            postcode=values.text(row.get("postcode")),
            city=values.text(row.get("city")),
            since=since,
            tier=values.text(row.get("tier")),
        )

    def subscriptions(self, connection: Connection, customer_id: CustomerId) -> list[Subscription]:
        """Return the customer's subscriptions, active ones first."""
        table = self._tables.get("subscriptions")
        if table is None:
            return []
        rows = connection.execute(
            select(*table.labelled()).where(table.is_equal("customer_id", customer_id)).order_by(table.columns["id"])
        ).mappings()
        found = [
            Subscription(
                id=values.text(row["id"]),
                customer_id=customer_id,
                product=values.text(row["product"]),
                status=SubscriptionStatus(_word(table, row["status"])),
                every_days=values.whole(row["every_days"]),
                next_box_on=values.day(row.get("next_box_on"), self._mapping.time_zone),
                price=self._money(row["price"]),
            )
            for row in rows
        ]
        return sorted(found, key=lambda subscription: _SUBSCRIPTION_ORDER.index(subscription.status))

    def products(self, connection: Connection, name: str, limit: int) -> list[Product]:
        """Return the products that `name` may mean, best first."""
        typed, table = search.typed_words(name), self._tables.get("products")
        if table is None or not typed:
            return []
        rows = (
            connection.execute(select(*table.labelled()).order_by(table.columns["name"]).limit(_CATALOGUE_MAX))
            .mappings()
            .all()
        )
        scores = [
            search.likeness(
                typed,
                f"{values.text(row['name'])} {values.text(row.get('category'))}",
                values.text(row.get("description")),
            )
            for row in rows
        ]
        return [self._product(rows[position]) for position in search.nearest(scores)[:limit]]

    def stores(self, connection: Connection, city: str | None) -> list[Store]:
        """Return all stores, or those that `city` may mean."""
        table, hours = self._tables.get("stores"), self._hours(connection)
        if table is None:
            return []
        rows = connection.execute(select(*table.labelled()).order_by(table.columns["id"])).mappings()
        stores = [
            Store(
                id=values.text(row["id"]),
                name=values.text(row["name"]),
                city=values.text(row["city"]),
                address=values.text(row["address"]),
                phone=values.text(row.get("phone")),
                hours=tuple(sorted(hours[values.text(row["id"])], key=lambda day: (day.weekday, str(day.opens)))),
            )
            for row in rows
        ]
        if city is None:
            return stores
        typed = search.typed_words(city)
        scores = [max(search.mentions(typed, store.city), search.likeness(typed, store.name)) for store in stores]
        return [stores[position] for position in search.nearest(scores)]

    def _orders(
        self, connection: Connection, customer_id: CustomerId | None, is_it: ColumnElement[bool] | None, limit: int
    ) -> list[Order]:
        table = self._tables["orders"]
        conditions = [table.is_equal("customer_id", customer_id)] + ([] if is_it is None else [is_it])
        newest_first = (table.columns["placed_at"].desc(), table.columns["number"].desc())
        ids = select(table.columns["id"]).where(*conditions).order_by(*newest_first).limit(limit)
        parts = self._parts(connection, ids)
        rows = connection.execute(
            select(*table.labelled()).where(*conditions).order_by(*newest_first).limit(limit)
        ).mappings()
        return [self._order(row, parts) for row in rows]

    def _parts(self, connection: Connection, order_ids: Select[object]) -> dict[tuple[str, str], list[RowMapping]]:
        """Return what belongs to these orders by kind and order."""
        parts: dict[tuple[str, str], list[RowMapping]] = defaultdict(list)
        for kind in ("order_items", "shipments", "returns", "invoices"):
            table = self._tables.get(kind)
            if table is None:
                continue
            statement = select(*table.labelled()).where(table.columns["order_id"].in_(order_ids))
            for row in connection.execute(statement).mappings():
                parts[kind, values.text(row["order_id"])].append(row)
        return parts

    def _order(self, row: RowMapping, parts: Mapping[tuple[str, str], Sequence[RowMapping]]) -> Order:
        number, key = self._shown(values.text(row["number"])), values.text(row["id"])
        items = [self._item(part) for part in parts.get(("order_items", key), ())]
        shipments = [self._shipment(part) for part in parts.get(("shipments", key), ())]
        returns = [self._return(number, part) for part in parts.get(("returns", key), ())]
        invoices = [self._invoice(number, part) for part in parts.get(("invoices", key), ())]
        return Order(
            number=number,
            customer_id=CustomerId(values.text(row["customer_id"])),
            placed_at=self._moment(row["placed_at"]),
            status=OrderStatus(_word(self._tables["orders"], row["status"])),
            items=tuple(sorted(items, key=lambda item: item.sku)),
            total=self._money(row["total"]),
            postcode=values.text(row["postcode"]),
            shipments=tuple(sorted(shipments, key=lambda shipment: shipment.tracking_number)),
            returns=tuple(sorted(returns, key=lambda its: its.requested_at)),
            invoice=max(invoices, key=lambda invoice: invoice.issued_on, default=None),
        )

    def _item(self, row: RowMapping) -> OrderItem:
        return OrderItem(
            sku=values.text(row["sku"]),
            name=values.text(row["name"]),
            quantity=values.whole(row["quantity"]),
            price=self._money(row["price"]),
        )

    def _shipment(self, row: RowMapping) -> Shipment:
        zone = self._mapping.time_zone
        return Shipment(
            carrier=values.text(row["carrier"]),
            tracking_number=values.text(row["tracking_number"]),
            tracking_url=values.optional_text(row.get("tracking_url")),
            status=ShipmentStatus(_word(self._tables["shipments"], row["status"])),
            shipped_at=values.moment(row.get("shipped_at"), zone),
            due_on=values.day(row.get("due_on"), zone),
            delivered_at=values.moment(row.get("delivered_at"), zone),
        )

    def _return(self, number: OrderNumber, row: RowMapping) -> Return:
        zone = self._mapping.time_zone
        return Return(
            id=values.text(row["id"]),
            order_number=number,
            status=ReturnStatus(_word(self._tables["returns"], row["status"])),
            reason=values.text(row.get("reason")),
            requested_at=self._moment(row["requested_at"]),
            received_at=values.moment(row.get("received_at"), zone),
            refunded_at=values.moment(row.get("refunded_at"), zone),
            amount=self._money(row["amount"]),
        )

    def _invoice(self, number: OrderNumber, row: RowMapping) -> Invoice:
        issued_on = values.day(row["issued_on"], self._mapping.time_zone)
        if issued_on is None:
            raise values.UnreadableError("invoices.issued_on to be a date", None)
        return Invoice(
            number=values.text(row["number"]),
            order_number=number,
            issued_on=issued_on,
            total=self._money(row["total"]),
            url=values.optional_text(row.get("url")),
        )

    def _product(self, row: RowMapping) -> Product:
        return Product(
            sku=values.text(row["sku"]),
            name=values.text(row["name"]),
            category=values.text(row.get("category")),
            price=self._money(row["price"]),
            stock=values.whole(row["stock"]),
            restock_on=values.day(row.get("restock_on"), self._mapping.time_zone),
            description=values.text(row.get("description")),
        )

    def _hours(self, connection: Connection) -> dict[str, list[OpeningHours]]:
        """Return the opening hours by store; a row whose weekday the mapping does not name is left out."""
        hours: dict[str, list[OpeningHours]] = defaultdict(list)
        table = self._tables.get("opening_hours")
        if table is None:
            return hours
        for row in connection.execute(select(*table.labelled())).mappings():
            weekday = table.words.get(values.text(row["weekday"]).lower())
            if weekday is not None:
                hours[values.text(row["store_id"])].append(
                    OpeningHours(
                        weekday=int(weekday), opens=values.hour(row["opens"]), closes=values.hour(row["closes"])
                    )
                )
        return hours

    def _money(self, cell: object) -> Money:
        mapping = self._mapping
        minor = values.minor_units(cell, mapping.minor_digits, is_decimal=mapping.is_money_decimal)
        return Money(minor=minor, currency=mapping.currency)

    def _moment(self, cell: object) -> datetime:
        moment = values.moment(cell, self._mapping.time_zone)
        if moment is None:
            raise values.UnreadableError("a moment", None)
        return moment

    def _stored(self, number: OrderNumber | None) -> str | None:
        """Return an order number as the brand's column holds it."""
        if number is None:
            return None
        return self._mapping.stored_prefix + number.removeprefix(self._mapping.order_numbers.prefix)

    def _shown(self, stored: str) -> OrderNumber:
        """Return an order number as the brand writes it."""
        return OrderNumber(self._mapping.order_numbers.prefix + stored.removeprefix(self._mapping.stored_prefix))


def _word(table: BrandTable, cell: object) -> str:
    return table.words.get(values.text(cell).lower(), "unknown")


def _fits(proof: str, *, postcode: str, email: str) -> bool:
    """Whether the proof is the postcode or the e-mail; looks at both to the end, whichever fits."""
    is_postcode = _same(_bare(proof), _bare(postcode))
    is_email = _same(_folded(proof), _folded(email))
    return is_postcode | is_email


def _same(typed: str, kept: str) -> bool:
    return bool(kept) & hmac.compare_digest(typed.encode(errors="replace"), kept.encode(errors="replace"))


def _bare(text: str) -> str:
    return re.sub(r"[\W_]", "", unicodedata.normalize("NFKC", text).casefold())


def _folded(text: str) -> str:
    return re.sub(r"\s", "", unicodedata.normalize("NFKC", text).casefold())
