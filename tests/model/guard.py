"""Lets a test's SQLite database refuse every step of a row that the table of moves does not name."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Engine

from bot.domain.boxes import MOVES, Box, Step


def guard(engine: Engine) -> None:
    """Add triggers that fail a statement which makes a row do what `bot.domain.boxes` does not know."""
    if engine.dialect.name != "sqlite":
        return
    with engine.begin() as connection:
        for trigger in triggers():
            connection.exec_driver_sql(trigger)


def steps(box: Box) -> set[Step]:
    """Return every step that a row of the box may make, whatever the reason."""
    return {step for steps in MOVES[box].values() for step in steps}


def triggers() -> Iterator[str]:
    """Yield the statements that make the triggers."""
    for box in Box:
        known = steps(box)
        moved = " OR ".join(f"(OLD.state = '{of}' AND NEW.state = '{to}')" for of, to in known if of and to)
        dropped = ", ".join(f"'{of}'" for of, to in known if to is None)
        refusal = f"SELECT RAISE(ABORT, 'no such move of the {box}')"
        yield (
            f"CREATE TRIGGER {box}_moves BEFORE UPDATE OF state ON {box} "
            f"WHEN OLD.state <> NEW.state AND NOT ({moved}) BEGIN {refusal}; END"
        )
        is_needed = f"OLD.state NOT IN ({dropped})"
        yield f"CREATE TRIGGER {box}_drops BEFORE DELETE ON {box} WHEN {is_needed} BEGIN {refusal}; END"
