"""The brand's canned replies: read from their file, and what a ticket fills their gaps with."""

from __future__ import annotations

import tomllib
from pathlib import Path

from bot.desk import words
from bot.domain.customers import Order
from bot.domain.errors import SettingsError
from bot.domain.macros import Macro, check_macro
from bot.domain.tickets import Agent, TicketView


def load(path: Path) -> tuple[Macro, ...]:
    """Return the canned replies of a TOML file; raises `SettingsError` that names what is wrong with it."""
    try:
        read = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"the canned replies {path} cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is not TOML: {error}") from None
    entries = read.pop("macro", [])
    if read or not isinstance(entries, list):
        raise SettingsError(f"{path}: write each canned reply under [[macro]], with a title and a text")
    made = tuple(_macro(entry, path) for entry in entries)
    titles = [macro.title for macro in made]
    twice = next((title for title in titles if titles.count(title) > 1), None)
    if twice is not None:
        raise SettingsError(f"{path}: there are two canned replies called {twice!r}")
    return made


def values(view: TicketView, agent: Agent, brand: str) -> dict[str, str]:
    """Return what is known for the gaps of a canned reply; what is not known is left out."""
    known = {"agent.name": agent.name, "brand": brand, "ticket.number": str(view.ticket.number)}
    name = words.known_name(view)
    if name:
        known |= {"customer.name": name, "customer.first_name": name.split()[0]}
    at_stake = view.ticket.request.order_number
    orders = view.record.orders if view.record is not None else ()
    order = next((entry for entry in orders if entry.number == at_stake), None)
    if order is not None:
        known |= _of_order(order)
    elif at_stake:
        known["order.number"] = at_stake
    return known


def _of_order(order: Order) -> dict[str, str]:
    known = {
        "order.number": str(order.number),
        "order.status": order.status.value.replace("_", " "),
        "order.total": words.money(order.total),
    }
    parcel = order.shipments[-1] if order.shipments else None
    if parcel is not None:
        known |= {"order.carrier": parcel.carrier, "order.tracking": parcel.tracking_url or parcel.tracking_number}
    return known


def _macro(entry: object, path: Path) -> Macro:
    fields = entry if isinstance(entry, dict) else {}
    title, text = fields.get("title"), fields.get("text")
    is_public = fields.get("is_public", False)
    is_known = set(fields) <= {"title", "text", "is_public"} and isinstance(is_public, bool)
    if not is_known or not isinstance(title, str) or not isinstance(text, str):
        raise SettingsError(f"{path}: each [[macro]] needs a title and a text, maybe is_public, and nothing else")
    macro = Macro(title=title.strip(), text=text.strip(), is_public=is_public)
    try:
        check_macro(macro)
    except SettingsError as error:
        raise SettingsError(f"{path}: {error}") from None
    return macro
