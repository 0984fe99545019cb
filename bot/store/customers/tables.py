"""A brand's tables as the mapping names them, checked against what the database really has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ColumnClause,
    ColumnElement,
    Connection,
    FromClause,
    Inspector,
    Integer,
    String,
    Uuid,
    cast,
    column,
    false,
    func,
    inspect,
    literal,
    table,
)
from sqlalchemy.exc import NoSuchTableError
from sqlalchemy.types import TypeEngine

from bot.domain.errors import SettingsError
from bot.store.customer_mapping import DirectoryMapping, TableMapping

#: A number of so many digits fits into 64 bits.
_DIGITS_MAX = 18


@dataclass(frozen=True, kw_only=True)
class BrandTable:
    """One table or view of the brand's, under Tandem's names."""

    #: of its own name, so that one table may hold several kinds of record
    alias: FromClause
    #: by field
    columns: Mapping[str, ColumnElement[object]]
    #: what the database declares, by field
    types: Mapping[str, TypeEngine[object]]
    #: their word -> ours
    words: Mapping[str, str]

    def labelled(self) -> list[ColumnElement[object]]:
        """Return all columns under the names of their fields."""
        return [theirs.label(name) for name, theirs in self.columns.items()]

    def is_equal(self, name: str, value: str | None) -> ColumnElement[bool]:
        """Return the condition that a key column holds `value`, compared in the column's own type: indexes serve.

        What cannot be a value of that type, and none, are held by no row.
        """
        ours, declared = self.columns[name], self.types[name]
        if value is None or not value.isprintable():
            return false()
        if isinstance(declared, Integer):
            is_number = value.isascii() and value.isdecimal() and len(value) <= _DIGITS_MAX
            return ours == literal(int(value), BigInteger) if is_number else false()
        if isinstance(declared, Uuid):
            key = _uuid(value)
            return ours == key if key else false()
        return (ours if isinstance(declared, String) else cast(ours, String)) == value

    def is_like(self, name: str, value: str) -> ColumnElement[bool]:
        """Return the condition that a text column holds `value`, in whatever case; an empty one is held by no row."""
        wanted = value.strip()
        if not wanted or not wanted.isprintable():
            return false()
        return func.lower(cast(self.columns[name], String)) == wanted.lower()


def _uuid(value: str) -> UUID | None:
    try:
        return UUID(value)
    except ValueError:
        return None


def resolve(connection: Connection, mapping: DirectoryMapping) -> dict[str, BrandTable]:
    """Return the tables of the mapping by kind; raises `SettingsError` that names all that is missing."""
    inspector = inspect(connection)
    mistakes: list[str] = []
    tables = {}
    for kind, mapped in mapping.tables.items():
        declared = _declared(inspector, mapped, mistakes)
        if declared is not None:
            tables[kind] = _brand_table(mapped, declared)
    if mistakes:
        raise SettingsError(
            "\n  - ".join([f"the customer database does not fit {mapping.source}:", *mistakes])
            + "\nCorrect the names in the mapping, or give the database views that have these names "
            "(docs/connect-your-database.md)."
        )
    return tables


def _declared(inspector: Inspector, mapped: TableMapping, mistakes: list[str]) -> dict[str, TypeEngine[object]] | None:
    """Return the types of the table's columns; adds to `mistakes` what is missing and returns none then."""
    schema, name = _split(mapped.table)
    try:
        declared = {found["name"]: found["type"] for found in inspector.get_columns(name, schema=schema)}
    except NoSuchTableError:
        near = get_close_matches(name, inspector.get_table_names(schema) + inspector.get_view_names(schema), n=1)
        mistakes.append(f"[{mapped.kind}] there is no table or view {mapped.table!r}{_hint(near)}")
        return None
    missing = {field: theirs for field, theirs in mapped.columns.items() if theirs not in declared}
    mistakes += [
        f"[{mapped.kind}] {mapped.table!r} has no column {theirs!r} for {field!r}"
        + _hint(get_close_matches(theirs, declared, n=1))
        for field, theirs in missing.items()
    ]
    return None if missing else declared


def _hint(near: list[str]) -> str:
    return f"; did you mean {near[0]!r}?" if near else ""


def _split(name: str) -> tuple[str | None, str]:
    schema, _, bare = name.rpartition(".")
    return schema or None, bare


def _brand_table(mapped: TableMapping, declared: dict[str, TypeEngine[object]]) -> BrandTable:
    schema, name = _split(mapped.table)
    # Columns are left untyped: cells are parsed by `values`, whatever the driver makes of them.
    columns: dict[str, ColumnClause[object]] = {theirs: column(theirs) for theirs in mapped.columns.values()}
    alias = table(name, *columns.values(), schema=schema).alias(mapped.kind)
    return BrandTable(
        alias=alias,
        columns={field: alias.c[theirs] for field, theirs in mapped.columns.items()},
        types={field: declared[theirs] for field, theirs in mapped.columns.items()},
        words=mapped.words,
    )
