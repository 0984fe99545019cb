"""Writes the README's table of what each channel carries, from the connectors' own capabilities: `make readme`."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path

from bot.domain.connectors import (
    Capabilities,
    Connector,
    Editing,
    FetchesMedia,
    MarksRead,
    Polling,
    ShowsTyping,
    TextUnit,
    Unsending,
)
from bot.store.media import SIZE_MAX
from connectors.registry import SECTIONS, TITLES
from tests.test_connecting import ACCOUNTS, connected

README = Path(__file__).parents[1] / "README.md"
BEGIN, END = "<!-- features: made by `make readme` -->\n", "<!-- end of features -->\n"
_HEAD = (
    "channel",
    "seen by",
    "comes by",
    "longest text",
    "choices",
    "files out",
    "files in",
    "shows",
    "later",
    "answers",
)
#: What is off by default and brings channels of its own.
_SWITCHED_ON = {"MESSENGER__HAS_COMMENTS": "true", "INSTAGRAM__HAS_COMMENTS": "true"}
_UNITS = {TextUnit.BYTES: " bytes", TextUnit.GRAPHEMES: " signs"}


def table() -> str:
    """Return the table of all channels that there are, as Markdown."""
    made = connected(*ACCOUNTS, **_SWITCHED_ON)
    # The first connector of an account brings the events of all.
    first = {name: made[next(iter(each.titles))] for each in SECTIONS.values() for name in each.titles if name in made}
    rows = [_row(TITLES[name], made[name], _way(first.get(name, made[name]))) for name in TITLES if name in made]
    rows = [_HEAD, ("---",) * len(_HEAD), *rows]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def put(text: str) -> str:
    """Return the README `text` with the table as it is now between its marks."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}{table()}{END}{after}"


def _row(title: str, connector: Connector, way: str) -> tuple[str, ...]:
    can = connector.capabilities
    return (
        title,
        "everybody" if can.is_public else "the customer",
        way,
        f"{can.text_max:,}{_UNITS.get(can.text_unit, '')}",
        f"{can.choices_max} to tap" if can.choices_max else "numbered",
        _files(can),
        "yes" if isinstance(connector, FetchesMedia) or connector.channel == "webchat" else "no",
        _either(
            ("typing", isinstance(connector, ShowsTyping)),
            ("read", isinstance(connector, MarksRead)),
            ("quotes", can.has_quotes),
        ),
        _either(("change", isinstance(connector, Editing)), ("take back", isinstance(connector, Unsending))),
        _windows(can),
    )


def _way(connector: Connector) -> str:
    if connector.channel == "webchat":
        return "our page"
    if not isinstance(connector, Polling):
        return "webhook"
    # The accounts here have a public address: who polls all the same has no webhook.
    return "polling" if connector.is_polled else "webhook or polling"


def _files(can: Capabilities) -> str:
    if not can.attachments:
        return "named" if can.is_public else "linked"
    kinds = "all" if len(can.attachments) == 4 else ", ".join(sorted(can.attachments))
    # Larger ones are not kept, so nobody can send them.
    return f"{kinds}, {min(can.attachment_max_bytes, SIZE_MAX) // 1_000_000} MB"


def _either(*powers: tuple[str, bool]) -> str:
    return ", ".join(name for name, has in powers if has) or "–"


def _windows(can: Capabilities) -> str:
    if can.reply_window is None:
        return "always"
    within = f"{_in_words(can.reply_window)}"
    if can.people_window is None:
        return within
    return f"{within}; people {'always' if can.people_window == timedelta.max else _in_words(can.people_window)}"


def _in_words(window: timedelta) -> str:
    hours = window / timedelta(hours=1)
    return f"{hours:g} h" if hours < 48 else f"{hours / 24:g} d"


if __name__ == "__main__":
    README.write_text(put(README.read_text(encoding="utf-8")), encoding="utf-8")
    sys.stdout.write(table())
