from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date, time
from pathlib import Path

import httpx
import pytest

from bot.domain.customers import Money, OpeningHours, Product
from bot.store.sample_shop.cast import cast
from bot.web.site.pages import hours, money, stock_note
from tests.webchat_site import ChatSite, chat_site

TODAY = date(2026, 3, 4)


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[ChatSite]:
    """Return a served site."""
    async with chat_site(tmp_path) as served:
        yield served


async def test_the_page_shows_shop_stores_and_cast(site: ChatSite) -> None:
    """Products with prices, stores with hours and every sample customer with what proves them are on the page."""
    async with httpx.AsyncClient(base_url=site.url) as http:
        page = (await http.get("/")).text
    for text in ("Ethiopia Yirgacheffe", "£11.50", "Copperleaf Harbourside", "8:00 – 18:00"):
        assert text in page
    for member in cast():
        assert member.name in page
        assert f'data-copy="{member.order_number}"' in page
        assert f'data-copy="{member.postcode}"' in page


async def test_the_page_takes_nothing_from_elsewhere(site: ChatSite) -> None:
    """The policy allows our own files only, and the page asks for no others."""
    async with httpx.AsyncClient(base_url=site.url) as http:
        answer = await http.get("/")
        assert "default-src 'none'; script-src 'self'" in answer.headers["content-security-policy"]
        assert 'src="http' not in answer.text
        assert "style=" not in answer.text
        for name in ("site.css", "site.js", "favicon.svg"):
            file = await http.get(f"/site/{name}")
            assert file.status_code == 200
            assert file.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (Money(minor=1150), "£11.50"),
        (Money(minor=3200), "£32"),
        (Money(minor=5), "£0.05"),
        (Money(minor=100, currency="CHF"), "CHF 1"),
    ],
)
def test_amounts_read_as_price_tags(amount: Money, text: str) -> None:
    """Whole amounts go without decimals, other ones with two, and a currency without a sign by its code."""
    assert money(amount) == text


def test_hours_read_as_on_a_door() -> None:
    """A day shows when the store opens and closes, or that it does not."""
    assert hours(OpeningHours(weekday=0, opens=time(9), closes=time(17, 30))) == "9:00 – 17:30"
    assert hours(OpeningHours(weekday=6, opens=None, closes=None)) == "closed"


@pytest.mark.parametrize(
    ("stock", "restock_on", "note"),
    [
        (21, None, ""),
        (3, None, "Only 3 left"),
        (0, date(2026, 3, 9), "Back on 9 March"),
        (0, date(2026, 3, 1), "Sold out"),
        (0, None, "Sold out"),
    ],
)
def test_stock_is_remarked_on_when_it_matters(stock: int, restock_on: date | None, note: str) -> None:
    """Plenty needs no words; little, none, and when more comes do."""
    product = Product(
        sku="X", name="X", category="tea", price=Money(minor=1), stock=stock, restock_on=restock_on, description=""
    )
    assert stock_note(product, TODAY) == note
