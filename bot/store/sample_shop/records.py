"""All the records of the sample shop for one day, as rows by table; the same day gives the same rows."""

from __future__ import annotations

import random
from datetime import date, timedelta

from bot.store.sample_shop.cast import CAST_SLOT, ROLES, cast_customers
from bot.store.sample_shop.orders import OrderPlan, Row, basket_of, order_number, plan_orders, write_order
from bot.store.sample_shop.people import CustomerRow, customer_id, make_customers
from bot.store.sample_shop.places import STORES
from bot.store.sample_shop.products import PRODUCTS

_SEED = "Copperleaf"
_SUBSCRIPTION_COUNT = 80
#: product, days between two boxes, pence
_SUBSCRIPTIONS = (
    ("Coffee Club, one bag a fortnight", 14, 1050),
    ("Coffee Club, two bags a month", 30, 1950),
    ("Tea Box, every month", 30, 1500),
    ("Tea Box, every two months", 60, 1500),
)


def make_records(today: date) -> dict[str, list[Row]]:
    """Return the rows of every table; what has happened, happened before `today`."""
    rng = random.Random(_SEED)  # noqa: S311 - sample data, no secret
    cast = cast_customers(today)
    others = make_customers(rng, today, taken_names={customer["name"] for customer in cast})
    rows: dict[str, list[Row]] = {
        "customers": [dict(customer) for customer in cast + others],
        "orders": [],
        "order_items": [],
        "shipments": [],
        "returns": [],
        "invoices": [],
        "subscriptions": _subscriptions(rng, others, today),
        "products": _products(today),
        "stores": _stores(),
        "opening_hours": _opening_hours(),
    }
    for plan in [*plan_orders(rng, others), *_cast_plans(cast)]:
        for table, written in write_order(rng, plan, today).items():
            rows[table].extend(written)
    return rows


def _cast_plans(cast: list[CustomerRow]) -> list[OrderPlan]:
    return [
        OrderPlan(
            number=order_number(role.age, CAST_SLOT),
            customer=customer,
            age=role.age,
            fate=role.fate,
            basket=basket_of(role.basket),
            postcode=customer["postcode"],
        )
        for role, customer in zip(ROLES, cast, strict=True)
    ]


def _subscriptions(rng: random.Random, customers: list[CustomerRow], today: date) -> list[Row]:
    rows = [_subscription(1, customer_id(5), _SUBSCRIPTIONS[2], "paused", None)]
    for index, customer in enumerate(rng.sample(customers, _SUBSCRIPTION_COUNT), start=2):
        kind = rng.choice(_SUBSCRIPTIONS)
        status = rng.choices(("active", "paused", "cancelled"), weights=(6, 2, 2))[0]
        next_box_in = rng.randint(1, kind[1])
        next_box_on = today + timedelta(days=next_box_in) if status == "active" else None
        rows.append(_subscription(index, customer["id"], kind, status, next_box_on))
    return rows


def _subscription(index: int, customer: str, kind: tuple[str, int, int], status: str, next_box_on: date | None) -> Row:
    product, every_days, price = kind
    return {
        "id": f"SUB-{2000 + index}",
        "customer_id": customer,
        "product": product,
        "status": status,
        "every_days": every_days,
        "next_box_on": next_box_on,
        "price": price,
    }


def _products(today: date) -> list[Row]:
    return [
        {
            "sku": product.sku,
            "name": product.name,
            "category": product.category,
            "price": product.price,
            "stock": product.stock,
            "restock_on": None if product.restock_in_days is None else today + timedelta(days=product.restock_in_days),
            "description": product.description,
        }
        for product in PRODUCTS
    ]


def _stores() -> list[Row]:
    return [
        {"id": store.id, "name": store.name, "city": store.city, "address": store.address, "phone": store.phone}
        for store in STORES
    ]


def _opening_hours() -> list[Row]:
    return [
        {
            "store_id": store.id,
            "weekday": weekday,
            "opens": hours[0] if hours else None,
            "closes": hours[1] if hours else None,
        }
        for store in STORES
        for weekday, hours in enumerate(store.week)
    ]
