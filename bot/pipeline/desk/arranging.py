"""What agents keep about a ticket, and when they come back to it. All functions are transaction bodies."""

from __future__ import annotations

from bot.domain.acts import Note
from bot.domain.desk import Done
from bot.pipeline.desk.handling import Doing, Handlers, require_text


def note(doing: Doing, act: Note) -> Done:
    """Keep a remark that the customer never sees; the ticket's history has it."""
    require_text(act.text, "The note is empty.")
    return doing.done()


HANDLERS: Handlers = {Note: note}
