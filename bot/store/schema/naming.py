"""How tables, keys and indexes are named, and where all of them are kept."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, Index, MetaData, text

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def partial_index(name: str, *columns: Column[Any], where: str, unique: bool = False) -> None:
    """Add an index over the rows that fulfil `where`, on both databases."""
    Index(name, *columns, unique=unique, sqlite_where=text(where), postgresql_where=text(where))
