"""Statements that every turn needs, compiled once and handed to the driver: SQLAlchemy is slower over one than SQLite.

They are written, typed and compiled by SQLAlchemy all the same, and run inside its connection's transaction.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Delete, Dialect, Insert, Select, Update
from sqlalchemy.sql.dml import ReturningUpdate

#: Makes of a value what the driver takes, or the other way round; none: it is that already.
_Converter = Callable[[Any], Any] | None
#: Of a parameter its name in the SQL, whether it is given, how what is given is converted, and else what it always is.
_Parameter = tuple[str, bool, _Converter, Any]


@dataclass(frozen=True, kw_only=True)
class _Compiled:
    """A statement as one database takes it, with values of certain names."""

    sql: str
    parameters: tuple[_Parameter, ...]
    is_positional: bool
    #: how a row is made of the driver's
    row: Callable[[Any], Any]

    def arguments(self, values: Mapping[str, Any]) -> Any:
        """Return what the driver is given beside the SQL."""
        given = [
            fixed if not is_given else values[name] if convert is None else convert(values[name])
            for name, is_given, convert, fixed in self.parameters
        ]
        if self.is_positional:
            return given
        return {name: value for (name, *_), value in zip(self.parameters, given, strict=True)}


class Prepared:
    """A statement of SQLAlchemy's that is run with values of the same names each time.

    Of an `INSERT` or `UPDATE`, the columns among these names are those it sets.
    """

    def __init__(self, statement: Select[Any] | Insert | Update | Delete | ReturningUpdate[Any]) -> None:
        """Compile nothing before it is run."""
        self._statement = statement
        self._compiled: dict[tuple[str, ...], _Compiled] = {}

    def all(self, connection: Connection, values: Mapping[str, object]) -> list[Any]:
        """Run it and return its rows; raises what `Connection.execute` raises."""
        compiled = self._for(connection, values)
        return [compiled.row(row) for row in _run(connection, compiled, values).fetchall()]

    def one(self, connection: Connection, values: Mapping[str, object]) -> Any:
        """Run it and return its first row, or none."""
        compiled = self._for(connection, values)
        row = _run(connection, compiled, values).fetchone()
        return compiled.row(row) if row is not None else None

    def count(self, connection: Connection, values: Mapping[str, object]) -> int:
        """Run it and return how many rows it wrote."""
        return int(_run(connection, self._for(connection, values), values).rowcount)

    def _for(self, connection: Connection, values: Mapping[str, object]) -> _Compiled:
        key = (connection.dialect.name, *values)
        found = self._compiled.get(key)
        if found is None:
            found = self._compiled[key] = _compile(self._statement, connection.dialect, list(values))
        return found


def _run(connection: Connection, compiled: _Compiled, values: Mapping[str, object]) -> Any:
    """Run a statement and return the driver's cursor."""
    arguments = compiled.arguments(values)
    driver: Any = connection.connection.driver_connection
    try:
        return driver.execute(compiled.sql, arguments)
    except Exception as error:  # noqa: BLE001 - it becomes what SQLAlchemy makes of it
        # Whoever runs a transaction again goes by these errors, and the pool has to know what is broken.
        connection._handle_dbapi_exception(error, compiled.sql, arguments, None, None)  # noqa: SLF001


def _compile(statement: Any, dialect: Dialect, names: list[str]) -> _Compiled:
    compiled: Any = statement.compile(dialect=dialect, column_keys=names)
    if compiled.post_compile_params:
        raise ValueError("a list in a prepared statement is written out")
    binds = {name: bind for bind, name in compiled.bind_names.items()}
    return _Compiled(
        sql=compiled.string,
        parameters=tuple(_parameter(compiled, binds[name], name, names) for name in compiled.positiontup or binds),
        is_positional=compiled.positional,
        row=_row_maker(statement, dialect),
    )


def _parameter(compiled: Any, bind: Any, name: str, names: list[str]) -> _Parameter:
    convert = bind.type.dialect_impl(compiled.dialect).bind_processor(compiled.dialect)
    if name in names:
        return name, True, convert, None
    defaults = [column.default.arg for column in compiled.insert_prefetch if column.key == name]
    fixed = defaults[0] if defaults else bind.effective_value
    return name, False, None, fixed if convert is None else convert(fixed)


def _row_maker(statement: Any, dialect: Dialect) -> Callable[[Any], Any]:
    columns = getattr(statement, "exported_columns", ())
    if not columns:
        return tuple
    kind: Any = namedtuple("Row", [column.key for column in columns])  # type: ignore[misc]  # noqa: PYI024 - dynamic
    make: Callable[[Any], Any] = kind._make
    converters = [column.type.dialect_impl(dialect).result_processor(dialect, None) for column in columns]
    needed = [(index, convert) for index, convert in enumerate(converters) if convert is not None]
    if not needed:
        return make

    def converted(row: Any) -> Any:
        values = list(row)
        for index, convert in needed:
            values[index] = convert(values[index])
        return make(values)

    return converted
