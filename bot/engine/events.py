"""Rasa's events found by their names; Rasa itself looks through all its classes for each event that it reads."""

from __future__ import annotations

import functools

from rasa.shared.core.events import Event
from rasa.shared.utils.common import all_subclasses


def look_events_up() -> None:
    """Let `Event.from_parameters` and all that reads events look up the class of each."""
    Event.resolve_by_type = staticmethod(_class_of)


def _class_of(name: str, default: type[Event] | None = None) -> type[Event] | None:
    found = _classes().get(name, default)
    if found is None:
        raise ValueError(f"Unknown event name '{name}'.")
    return found


@functools.cache
def _classes() -> dict[str, type[Event]]:
    return {kind.type_name: kind for kind in all_subclasses(Event)}
