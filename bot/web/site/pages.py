"""Serves Copperleaf's page: its products, its stores, the chat, and whom one may pretend to be."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from datetime import date
from importlib.resources import files
from zoneinfo import ZoneInfo

from jinja2 import Environment, PackageLoader, StrictUndefined
from sanic import Blueprint, HTTPResponse, Request, response

from bot.domain.customers import Money, OpeningHours, Product, Store
from bot.domain.errors import DirectoryUnavailableError
from bot.domain.ports import Clock, CustomerDirectory
from bot.store.sample_shop.cast import CastMember

#: What the page shows of the shop, by name.
FEATURED = (
    "Ethiopia Yirgacheffe",
    "Earl Grey Blue Flower",
    "Ceramic Pour-Over Dripper",
    "Copper Glaze Mug",
    "Harbour House Espresso",
    "Darjeeling First Flush",
    "Kenya Nyeri AA",
    "Tea Lovers Box",
)
#: Nothing from elsewhere, nothing inline: the widget keeps to the strictest policy a site can have.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
_STATIC = {
    "site.css": "text/css; charset=utf-8",
    "site.js": "text/javascript; charset=utf-8",
    "favicon.svg": "image/svg+xml",
}
_ZONE = ZoneInfo("Europe/London")
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@dataclass(frozen=True, kw_only=True)
class SiteParts:
    """What the page needs."""

    directory: CustomerDirectory
    #: customers one may pretend to be
    cast: Callable[[], Sequence[CastMember]]
    clock: Clock
    brand: str = "Copperleaf"


def site_blueprint(parts: SiteParts) -> Blueprint:
    """Return the page at `/` and the few files it is made of, under `/site`."""
    blueprint = Blueprint("site")
    environment = Environment(
        loader=PackageLoader("bot.web.site"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"money": money, "hours": hours}
    page = environment.get_template("page.html")

    @blueprint.get("/", name="page")
    async def show(_request: Request) -> HTTPResponse:
        today = parts.clock.now().astimezone(_ZONE).date()
        products, stores = await _shelves(parts.directory)
        body = page.render(
            brand=parts.brand,
            products=products,
            stores=stores,
            cast=parts.cast(),
            today=today,
            days=_DAYS,
            note=stock_note,
        )
        headers = {"content-security-policy": POLICY, "x-content-type-options": "nosniff", "cache-control": "no-cache"}
        return response.html(body, headers={**headers, "referrer-policy": "same-origin"})

    static = files("bot.web.site") / "static"
    for name, content_type in _STATIC.items():
        blueprint.add_route(
            _file((static / name).read_bytes(), content_type), f"/site/{name}", name=name.replace(".", "_")
        )
    return blueprint


def money(amount: Money) -> str:
    """Return an amount as a price tag: £9.50, £32."""
    sign = {"GBP": "£", "EUR": "€", "USD": "$"}.get(amount.currency, f"{amount.currency} ")
    whole, part = divmod(amount.minor, 100)
    return f"{sign}{whole}" if part == 0 else f"{sign}{whole}.{part:02d}"


def hours(day: OpeningHours | None) -> str:
    """Return when a store is open on a day: "9:00 – 18:00", "closed"."""
    if day is None or day.opens is None or day.closes is None:
        return "closed"
    return f"{day.opens:%-H:%M} – {day.closes:%-H:%M}"


def stock_note(product: Product, today: date) -> str:
    """Return what a shopper should know of the stock; empty when there is plenty."""
    if product.stock > 20:
        return ""
    if product.stock > 0:
        return f"Only {product.stock} left"
    if product.restock_on is not None and product.restock_on >= today:
        return f"Back on {product.restock_on:%-d %B}"
    return "Sold out"


async def _shelves(directory: CustomerDirectory) -> tuple[list[Product], list[Store]]:
    """Return what the page shows of the shop; empty shelves when the records cannot be read now."""
    try:
        found = [await directory.products(name, 1) for name in FEATURED]
        return [product for products in found for product in products], await directory.stores(None)
    except DirectoryUnavailableError:
        return [], []


def _file(content: bytes, content_type: str) -> Callable[[Request], Coroutine[None, None, HTTPResponse]]:
    async def answer(_request: Request) -> HTTPResponse:
        headers = {"x-content-type-options": "nosniff", "cache-control": "public, max-age=300"}
        return response.raw(content, headers=headers, content_type=content_type)

    return answer
