"""Cells of a foreign table as values of ours; `UnreadableError` says what a cell should hold, never what it held."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import ROUND_HALF_UP, Decimal
from zoneinfo import ZoneInfo


class UnreadableError(ValueError):
    """A cell does not hold what the mapping says."""

    def __init__(self, expected: str, cell: object) -> None:
        """Tell the kind of value, which is no secret."""
        super().__init__(f"expected {expected}, found {'nothing' if cell is None else type(cell).__name__}")


def text(cell: object) -> str:
    """Return any cell as text; empty for NULL."""
    return "" if cell is None else str(cell).strip()


def optional_text(cell: object) -> str | None:
    """Return any cell as text; none for NULL or blanks."""
    return text(cell) or None


def whole(cell: object) -> int:
    """Return a whole number."""
    try:
        number = Decimal(str(cell))
        if number == int(number):
            return int(number)
    except (ArithmeticError, ValueError):
        pass
    raise UnreadableError("a whole number", cell)


def minor_units(cell: object, minor_digits: int, *, is_decimal: bool) -> int:
    """Return an amount in minor units: of `1250` as it is, of a decimal `12.50` with two minor digits 1250."""
    if not is_decimal:
        return whole(cell)
    try:
        amount = Decimal(str(cell)).scaleb(minor_digits)
        return int(amount.quantize(Decimal(1), rounding=ROUND_HALF_UP))
    except (ArithmeticError, ValueError) as error:
        raise UnreadableError("a decimal amount", cell) from error


def moment(cell: object, zone: ZoneInfo) -> datetime | None:
    """Return a moment in UTC; one without a zone is told in `zone`, a mere date is its midnight there."""
    if _is_empty(cell):
        return None
    parsed = _iso(cell) if isinstance(cell, str) else cell
    if isinstance(parsed, date) and not isinstance(parsed, datetime):
        parsed = datetime.combine(parsed, time())
    if not isinstance(parsed, datetime):
        raise UnreadableError("a moment (ISO 8601)", cell)
    return (parsed if parsed.tzinfo else parsed.replace(tzinfo=zone)).astimezone(UTC)


def day(cell: object, zone: ZoneInfo) -> date | None:
    """Return a date; of a moment with a zone it is the date in `zone`."""
    if _is_empty(cell):
        return None
    parsed = _iso(cell) if isinstance(cell, str) else cell
    if isinstance(parsed, datetime):
        return (parsed.astimezone(zone) if parsed.tzinfo else parsed).date()
    if isinstance(parsed, date):
        return parsed
    raise UnreadableError("a date (ISO 8601)", cell)


def hour(cell: object) -> time | None:
    """Return a time of the day."""
    if _is_empty(cell):
        return None
    if isinstance(cell, time):
        return cell.replace(tzinfo=None)
    if not isinstance(cell, str):
        raise UnreadableError("a time (09:00)", cell)
    typed = cell.strip()
    try:
        return time.fromisoformat(f"0{typed}" if typed[1:2] == ":" else typed)
    except ValueError as error:
        raise UnreadableError("a time (09:00)", cell) from error


def _is_empty(cell: object) -> bool:
    return cell is None or (isinstance(cell, str) and not cell.strip())


def _iso(cell: str) -> datetime:
    try:
        return datetime.fromisoformat(cell.strip())
    except ValueError as error:
        raise UnreadableError("a date or moment (ISO 8601)", cell) from error
