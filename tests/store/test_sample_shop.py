from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest

from bot.domain.customers import Order, OrderStatus, ReturnStatus, ShipmentStatus, SubscriptionStatus
from bot.domain.errors import SettingsError
from bot.domain.ports import BusinessCommands, CommandResult
from bot.store.customer_mapping import load_mapping
from bot.store.customers.directory import SqlCustomerDirectory
from bot.store.sample_shop.cast import cast
from bot.store.sample_shop.products import PRODUCTS
from bot.store.sample_shop.records import make_records
from bot.store.sample_shop.shop import SampleShop, open_sample_shop

TODAY = date(2026, 3, 4)
PRIYA, TOM, HANNAH, DANIEL = cast()[:4]
CANCEL_DANIELS: dict[str, object] = {"order_number": DANIEL.order_number, "customer_id": DANIEL.customer_id}


def test_the_same_day_gives_the_same_records() -> None:
    """The sample shop is made without chance: what is seen today can be looked up again."""
    assert make_records(TODAY) == make_records(TODAY)


def test_another_day_changes_dates_only() -> None:
    """Customers, numbers, amounts and situations stay when the records are dated anew."""

    def undated(today: date) -> list[list[tuple[str, object]]]:
        rows = (row for table in make_records(today).values() for row in table)
        return [[(name, cell) for name, cell in row.items() if not isinstance(cell, date)] for row in rows]

    assert undated(TODAY) == undated(TODAY + timedelta(days=100))


def test_the_shop_is_large_enough_to_be_lifelike() -> None:
    """There are hundreds of customers and orders, and every table has rows."""
    counts = {table: len(rows) for table, rows in make_records(TODAY).items()}
    assert counts["customers"] >= 200
    assert counts["orders"] >= 600
    assert counts["order_items"] > counts["orders"]
    assert counts["subscriptions"] >= 50
    assert (counts["products"], counts["stores"], counts["opening_hours"]) == (45, 5, 35)
    assert all(counts.values())


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("orders", set(OrderStatus)),
        ("shipments", set(ShipmentStatus)),
        ("returns", set(ReturnStatus)),
        ("subscriptions", set(SubscriptionStatus)),
    ],
)
def test_every_status_occurs(table: str, words: set[str]) -> None:
    """Each status, but the unknown one, is found on more than one record."""
    counts = Counter(row["status"] for row in make_records(TODAY)[table])
    assert set(counts) == words - {"unknown"}
    assert min(counts.values()) > 1


def test_what_happened_lies_in_the_past() -> None:
    """On the shop's day nothing has happened on that day or later, and everything in its order."""
    records = make_records(TODAY)
    happened = [
        cell.date() for rows in records.values() for row in rows for cell in row.values() if isinstance(cell, datetime)
    ]
    assert max(happened) < TODAY
    placed = {row["id"]: row["placed_at"] for row in records["orders"]}
    for shipment in records["shipments"]:
        moments = [placed[shipment["order_id"]], shipment["shipped_at"], shipment["delivered_at"]]
        known = [moment for moment in moments if isinstance(moment, datetime)]
        assert known == sorted(known)
    delivered = {row["order_id"]: row["delivered_at"] for row in records["shipments"]}
    for returned in records["returns"]:
        moments = [
            delivered[returned["order_id"]],
            *(returned[f"{it}_at"] for it in ("requested", "received", "refunded")),
        ]
        known = [moment for moment in moments if isinstance(moment, datetime)]
        assert known == sorted(known)
        assert len(known) == {"requested": 2, "received": 3, "rejected": 3, "refunded": 4}[str(returned["status"])]


def test_later_orders_have_higher_numbers() -> None:
    """Numbers grow with the day, as in a real shop, and are unique."""
    orders = sorted(make_records(TODAY)["orders"], key=lambda row: str(row["number"]))
    days = [row["placed_at"].date() for row in orders if isinstance(row["placed_at"], datetime)]
    assert days == sorted(days)
    assert len({row["number"] for row in orders}) == len(orders)


def test_nobody_real_can_be_reached() -> None:
    """Mail goes to example.com and phones are of the ranges Ofcom keeps for drama."""
    records = make_records(TODAY)
    assert all(str(row["email"]).endswith("@example.com") for row in records["customers"])
    assert len({row["email"] for row in records["customers"]}) == len(records["customers"])
    phones = [str(row["phone"]) for row in records["customers"] if row["phone"]]
    assert all(phone.startswith("+447700900") and len(phone) == 13 for phone in phones)
    assert len(set(phones)) == len(phones)
    urls = [row[name] for table, name in (("shipments", "tracking_url"), ("invoices", "url")) for row in records[table]]
    assert all(".example/" in str(url) for url in urls if url)


def test_products_are_of_five_kinds_and_some_are_out_of_stock() -> None:
    """Each kind has several products; what is out of stock mostly has a day when more arrives."""
    assert min(Counter(product.category for product in PRODUCTS).values()) >= 4
    sold_out = [product for product in PRODUCTS if not product.stock]
    assert len(sold_out) >= 5
    assert {product.restock_in_days is None for product in sold_out} == {True, False}
    assert len({product.name for product in PRODUCTS}) == len({product.sku for product in PRODUCTS}) == len(PRODUCTS)


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[SampleShop]:
    """Return a sample shop in a folder that is made for it."""
    opened = await open_sample_shop(tmp_path / "new" / "shop.db", TODAY)
    yield opened
    await opened.close()


async def _order(shop: SampleShop, who: int) -> Order:
    directory = SqlCustomerDirectory(shop.url, load_mapping(None))
    order = await directory.order(cast()[who].order_number, cast()[who].customer_id)
    await directory.close()
    assert order is not None
    return order


async def test_an_order_of_yesterday_can_be_cancelled(shop: SampleShop) -> None:
    """The order is then cancelled and no parcel is prepared for it."""
    commands: BusinessCommands = shop
    assert await commands.execute("cancel_order", CANCEL_DANIELS, "k1") == CommandResult(is_done=True)
    order = await _order(shop, 3)
    assert order.status is OrderStatus.CANCELLED
    assert order.shipments == ()
    assert not order.can_be_changed


async def test_a_repeated_key_has_one_effect_and_one_answer(shop: SampleShop) -> None:
    """A command handed in again, whatever it says then, gives the first answer; a new key is a new command."""
    first = await shop.execute("cancel_order", CANCEL_DANIELS, "k1")
    assert await shop.execute("cancel_order", CANCEL_DANIELS, "k1") == first
    assert await shop.execute("cancel_order", {}, "k1") == first
    again = await shop.execute("cancel_order", CANCEL_DANIELS, "k2")
    assert again == CommandResult(is_done=False, reason="it was already cancelled")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"order_number": PRIYA.order_number, "customer_id": PRIYA.customer_id}, "already left"),
        ({"order_number": HANNAH.order_number, "customer_id": HANNAH.customer_id}, "already been delivered"),
        ({"order_number": DANIEL.order_number, "customer_id": PRIYA.customer_id}, "no such order of yours"),
        ({"order_number": DANIEL.order_number}, "no such order of yours"),
        ({"order_number": None, "customer_id": 7}, "no such order of yours"),
        ({"order_number": "' OR 1=1 --", "customer_id": DANIEL.customer_id}, "no such order of yours"),
        ({}, "no such order of yours"),
    ],
)
async def test_what_cannot_be_cancelled_is_refused_with_the_reason(
    shop: SampleShop, arguments: dict[str, object], reason: str
) -> None:
    """Orders that left the shop, of somebody else, or of no sensible number stay as they are."""
    result = await shop.execute("cancel_order", arguments, "k1")
    assert not result.is_done
    assert reason in result.reason
    assert (await _order(shop, 0)).status is OrderStatus.SHIPPED
    assert (await _order(shop, 3)).status is OrderStatus.PLACED


async def test_an_unknown_command_is_refused(shop: SampleShop) -> None:
    """The shop does what it knows, and says so of anything else."""
    result = await shop.execute("give_everything_away", CANCEL_DANIELS, "k1")
    assert not result.is_done
    assert (await _order(shop, 3)).can_be_changed


async def test_the_next_day_keeps_what_was_done(shop: SampleShop, tmp_path: Path) -> None:
    """Opened on another day, dates have moved and a cancelled order is still cancelled, its key still known."""
    await shop.execute("cancel_order", CANCEL_DANIELS, "k1")
    placed_at = (await _order(shop, 3)).placed_at
    later = await open_sample_shop(tmp_path / "new" / "shop.db", TODAY + timedelta(days=3))
    order = await _order(later, 3)
    assert order.placed_at == placed_at + timedelta(days=3)
    assert order.status is OrderStatus.CANCELLED
    assert await later.execute("cancel_order", CANCEL_DANIELS, "k1") == CommandResult(is_done=True)
    assert (await _order(later, 0)).shipments[0].due_on == TODAY + timedelta(days=3)
    await later.close()


async def test_the_same_day_writes_nothing(shop: SampleShop, tmp_path: Path) -> None:
    """Opening the shop again on its day leaves the file as it is."""
    file = tmp_path / "new" / "shop.db"
    await shop.close()
    before = file.read_bytes()
    again = await open_sample_shop(file, TODAY)
    await again.close()
    assert file.read_bytes() == before


async def test_a_running_directory_sees_the_new_dates(shop: SampleShop) -> None:
    """Records that are dated anew under an open directory are read without a restart."""
    directory = SqlCustomerDirectory(shop.url, load_mapping(None))
    before = await directory.order(PRIYA.order_number, PRIYA.customer_id)
    await shop.date_anew(TODAY + timedelta(days=1))
    after = await directory.order(PRIYA.order_number, PRIYA.customer_id)
    assert before is not None
    assert after is not None
    assert after.placed_at - before.placed_at == timedelta(days=1)
    await directory.close()


async def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    """The operator is told which file to remove; it is left as it was."""
    file = tmp_path / "shop.db"
    file.write_text("my notes " * 200)
    with pytest.raises(SettingsError, match="remove it"):
        await open_sample_shop(file, TODAY)
    assert file.read_text().startswith("my notes")


async def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    """A path below a file is an error that names it."""
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="cannot be made"):
        await open_sample_shop(tmp_path / "file" / "shop.db", TODAY)
