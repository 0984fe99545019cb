"""How a brand's database says what Tandem asks: tables, columns, status words, money and time.

A mapping is read from a TOML file (`docs/connect-your-database.md`). Whatever the file leaves out is as in the sample
shop, whose tables and columns have Tandem's own names.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from bot.domain.customers import OrderNumberForm, OrderStatus, ReturnStatus, ShipmentStatus, SubscriptionStatus
from bot.domain.errors import SettingsError

#: Every kind of record with its fields; a field that ends in "?" may be missing in the brand's database.
FIELDS: dict[str, tuple[str, ...]] = {
    "customers": ("id", "name", "email", "phone?", "postcode?", "city?", "since", "tier?"),
    "orders": ("id", "number", "customer_id", "placed_at", "status", "total", "postcode"),
    "order_items": ("order_id", "sku", "name", "quantity", "price"),
    "shipments": (
        "order_id", "carrier", "tracking_number", "tracking_url?", "status", "shipped_at?", "due_on?", "delivered_at?",
    ),
    "returns": ("id", "order_id", "status", "reason?", "requested_at", "received_at?", "refunded_at?", "amount"),
    "invoices": ("number", "order_id", "issued_on", "total", "url?"),
    "subscriptions": ("id", "customer_id", "product", "status", "every_days", "next_box_on?", "price"),
    "products": ("sku", "name", "category?", "price", "stock", "restock_on?", "description?"),
    "stores": ("id", "name", "city", "address", "phone?"),
    "opening_hours": ("store_id", "weekday", "opens", "closes"),
}  # fmt: skip
#: Kinds a brand cannot do without; any other may be `table = false`.
REQUIRED_KINDS = ("customers", "orders")
#: Tandem's words, by kind: what the words of a status column may be translated to.
STATUSES: dict[str, tuple[str, ...]] = {
    "orders": tuple(OrderStatus),
    "shipments": tuple(ShipmentStatus),
    "returns": tuple(ReturnStatus),
    "subscriptions": tuple(SubscriptionStatus),
}
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


@dataclass(frozen=True, kw_only=True)
class TableMapping:
    """Where one kind of record is kept."""

    kind: str
    #: table or view, with its schema where that is not the default one: "crm.orders"
    table: str
    #: our field -> their column; fields they do not have are left out
    columns: Mapping[str, str]
    #: their status word (or name of a weekday) in lower case -> ours
    words: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class DirectoryMapping:
    """Where a brand keeps its records and how it writes them."""

    #: by kind; kinds the brand does not have are left out
    tables: Mapping[str, TableMapping]
    #: for messages: the file it was read from
    source: str = "the default mapping"
    order_numbers: OrderNumberForm = field(default_factory=OrderNumberForm)
    #: what the column holds before the body of an order number; "" when it holds the body only
    stored_prefix: str = "CL-"
    #: in which moments without a zone are told
    time_zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))
    #: ISO 4217
    currency: str = "GBP"
    #: whether money columns hold 12.50 rather than 1250
    is_money_decimal: bool = False
    #: digits of the minor unit: 2 for pence, 0 for yen
    minor_digits: int = 2
    #: how long one question to the database may take
    times_out_after: timedelta = timedelta(seconds=2)


def load_mapping(path: Path | None) -> DirectoryMapping:
    """Return the mapping in the file at `path`, or the default one; raises `SettingsError` that names every mistake."""
    if path is None:
        return parse_mapping("", "the default mapping")
    try:
        return parse_mapping(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"the mapping of the customer database, {path}, cannot be read: {error}") from error


def parse_mapping(toml: str, source: str) -> DirectoryMapping:
    """Return the mapping that `toml` describes; raises `SettingsError` that names every mistake and `source`."""
    try:
        document = tomllib.loads(toml)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{source} is not TOML: {error}") from error
    parser = _Parser()
    mapping = parser.mapping(document, source)
    if parser.mistakes:
        raise SettingsError("\n  - ".join([f"{source} is not a mapping of a customer database:", *parser.mistakes]))
    return mapping


class _Parser:
    """Reads a mapping and collects what is wrong with it."""

    def __init__(self) -> None:
        self.mistakes: list[str] = []

    def mapping(self, document: dict[str, object], source: str) -> DirectoryMapping:
        for name in document.keys() - {"brand", "order_numbers"} - FIELDS.keys():
            self.mistakes.append(f"[{name}] is no kind of record; there are {', '.join(FIELDS)}")
        brand = self._section(document, "brand")
        numbers = self._section(document, "order_numbers")
        prefix = self._take(numbers, "order_numbers.prefix", OrderNumberForm.prefix)
        kinds = {kind: self._table(kind, self._section(document, kind)) for kind in FIELDS}
        mapping = DirectoryMapping(
            tables={kind: table for kind, table in kinds.items() if table is not None},
            source=source,
            order_numbers=OrderNumberForm(prefix=prefix, pattern=self._pattern(numbers)),
            stored_prefix=self._take(numbers, "order_numbers.stored_prefix", prefix),
            time_zone=self._zone(brand),
            currency=self._take(brand, "brand.currency", "GBP"),
            is_money_decimal=self._money(brand),
            minor_digits=self._number(brand, "brand.minor_digits", 2),
            times_out_after=timedelta(milliseconds=self._number(brand, "brand.timeout_ms", 2000)),
        )
        self._refuse_rest(brand, "brand")
        self._refuse_rest(numbers, "order_numbers")
        return mapping

    def _section(self, document: dict[str, object], name: str) -> dict[str, object]:
        section = document.get(name, {})
        if isinstance(section, dict):
            return dict(section)
        self.mistakes.append(f"{name} must be a section: [{name}]")
        return {}

    def _take(self, section: dict[str, object], name: str, default: str) -> str:
        value = section.pop(name.rpartition(".")[2], default)
        if isinstance(value, str):
            return value
        self.mistakes.append(f"{name} must be text in quotes")
        return default

    def _number(self, section: dict[str, object], name: str, default: int) -> int:
        value = section.pop(name.rpartition(".")[2], default)
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            return value
        self.mistakes.append(f"{name} must be a whole number, not negative")
        return default

    def _refuse_rest(self, section: dict[str, object], name: str) -> None:
        self.mistakes += [f"{name}.{key} is unknown; remove it or correct its spelling" for key in section]

    def _zone(self, brand: dict[str, object]) -> ZoneInfo:
        name = self._take(brand, "brand.time_zone", "UTC")
        try:
            return ZoneInfo(name)
        except (OSError, ValueError, KeyError):
            self.mistakes.append(f"brand.time_zone {name!r} is unknown; write one like 'Europe/London'")
            return ZoneInfo("UTC")

    def _money(self, brand: dict[str, object]) -> bool:
        money = self._take(brand, "brand.money", "minor")
        if money not in {"minor", "decimal"}:
            self.mistakes.append("brand.money must be 'minor' (1250) or 'decimal' (12.50)")
        return money == "decimal"

    def _pattern(self, numbers: dict[str, object]) -> str:
        pattern = self._take(numbers, "order_numbers.pattern", OrderNumberForm.pattern)
        try:
            group_count = re.compile(pattern).groups
        except re.error as error:
            self.mistakes.append(f"order_numbers.pattern is no regular expression: {error}")
            return OrderNumberForm.pattern
        if group_count:
            self.mistakes.append("order_numbers.pattern must not have groups; write (?:…) instead of (…)")
        return pattern

    def _table(self, kind: str, section: dict[str, object]) -> TableMapping | None:
        if section.get("table") is False:
            if kind in REQUIRED_KINDS:
                self.mistakes.append(f"{kind}.table must not be false: nothing works without {kind}")
            return None
        table = self._take(section, f"{kind}.table", kind)
        words = self._words(kind, section)
        columns: dict[str, str] = {}
        for entry in FIELDS[kind]:
            name, is_optional = entry.rstrip("?"), entry.endswith("?")
            if section.get(name) is False and is_optional:
                del section[name]
            elif section.get(name) is False:
                self.mistakes.append(f"{kind}.{name} must not be false: it is needed")
                del section[name]
            else:
                columns[name] = self._take(section, f"{kind}.{name}", name)
        self._refuse_rest(section, kind)
        return TableMapping(kind=kind, table=table, columns=columns, words=words)

    def _words(self, kind: str, section: dict[str, object]) -> dict[str, str]:
        """Return the translation of the column that holds words of this kind, if it has one."""
        if kind == "opening_hours":
            own = {name: str(number) for number, name in enumerate(WEEKDAYS)}
            own |= {str(number): str(number) for number in range(7)}
            return self._translation(section, f"{kind}.weekday_words", own)
        if kind in STATUSES:
            return self._translation(section, f"{kind}.status_words", {word: word for word in STATUSES[kind]})
        return {}

    def _translation(self, section: dict[str, object], name: str, own: dict[str, str]) -> dict[str, str]:
        theirs = section.pop(name.rpartition(".")[2], None)
        if theirs is None:
            return own
        if not isinstance(theirs, dict):
            self.mistakes.append(f'{name} must be a section: their word = "our word"')
            return own
        words = {}
        for word, ours in theirs.items():
            if isinstance(ours, str) and ours in own:
                words[word.strip().lower()] = own[ours]
            else:
                self.mistakes.append(f"{name}: {word!r} must be one of {', '.join(own)}")
        return own | words if name.endswith("status_words") else words
