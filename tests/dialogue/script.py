"""Conversations as trainers write them: one YAML file holds several, each a list of what happens in turn.

    - conversation: a parcel that is out for delivery
      steps:
        - customer: wheres my order {priya.order}
        - bot: postcode                      # every word here is in what the bot says next, whatever the case
        - customer: "{priya.postcode}"
        - bot: [out for delivery, today]     # all of these
        - tap: Talk to a person
        - ticket: explicit_wish              # the reason; without this line, a ticket is a mistake
        - agent: claims                      # or {replies: "…"}, {hands back: "what was done"}
        - bot: silent

`bot` may also be {any: [...]} or {not: [...]}, and {buttons: [...]} for what can be tapped. `command` names an effect
in the brand's systems, with the values it must carry: {cancel_order: {order_number: "{daniel.order}"}}; without this
line, one is a mistake. `records: down` lets every look-up fail until `records: up`. `wait: 45 minutes` lets time pass.
`{name.order}`, `{name.digits}`, `{name.postcode}` and `{name.email}` are customers of the sample shop (people.py).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

STEPS = ("customer", "tap", "bot", "ticket", "command", "agent", "records", "wait")
_PLACE = re.compile(r"\{(\w+)\.(\w+)\}")


@dataclass(frozen=True, kw_only=True)
class Step:
    """One thing that happens."""

    #: one of `STEPS`
    kind: str
    #: what the file says of it
    detail: object


@dataclass(frozen=True, kw_only=True)
class Conversation:
    """A conversation to be held."""

    name: str
    steps: tuple[Step, ...]


def read_conversations(folder: Path, cast: Mapping[str, Mapping[str, str]]) -> list[Conversation]:
    """Return the conversations of a folder; raises `ValueError` that names the file for a step nobody knows."""
    found = []
    for file in sorted(folder.glob("*.yml")):
        # The base loader knows texts only, so that nobody has to put "yes" in quotes.
        for entry in yaml.load(file.read_text(encoding="utf-8"), yaml.BaseLoader):  # noqa: S506
            steps = tuple(_step(file, step, cast) for step in entry["steps"])
            found.append(Conversation(name=f"{file.stem}: {entry['conversation']}", steps=steps))
    return found


def _step(file: Path, raw: object, cast: Mapping[str, Mapping[str, str]]) -> Step:
    if not isinstance(raw, dict) or len(raw) != 1 or next(iter(raw)) not in STEPS:
        raise ValueError(f"{file.name}: {raw!r} is none of {', '.join(STEPS)}")
    kind, detail = next(iter(raw.items()))
    return Step(kind=kind, detail=_filled(detail, cast))


def _filled(detail: object, cast: Mapping[str, Mapping[str, str]]) -> object:
    if isinstance(detail, str):
        return _PLACE.sub(lambda match: cast[match[1]][match[2]], detail)
    if isinstance(detail, list):
        return [_filled(part, cast) for part in detail]
    if isinstance(detail, dict):
        return {key: _filled(value, cast) for key, value in detail.items()}
    return detail
