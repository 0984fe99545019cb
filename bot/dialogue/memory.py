"""The dialogue so far as the engine wants it: the last turns whole, of the earlier ones only the state they left."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def recall(state_before: dict[str, Any] | None, turns: Iterable[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Return the events to give the engine.

    `state_before` is the state before the first of `turns` ({"slots": {...}, "active_loop": name or none}); none when
    nothing was left out. With rules, memoization and forms, a history shortened so gives the answers of the whole one.
    """
    events = _opening(state_before) if state_before is not None else []
    for turn in turns:
        events.extend(turn)
    return events


def _opening(state: dict[str, Any]) -> list[dict[str, Any]]:
    slots = [{"event": "slot", "name": name, "value": value} for name, value in state.get("slots", {}).items()]
    loop = state.get("active_loop")
    return [
        {"event": "action", "name": "action_session_start"},
        {"event": "session_started"},
        *slots,
        *([{"event": "active_loop", "name": loop}] if loop else []),
        {"event": "action", "name": "action_listen"},
    ]
