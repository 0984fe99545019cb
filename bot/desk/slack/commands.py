"""What agents write behind `/tandem`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from bot.desk.slack import text as slack_text

HELP = """\
/tandem next – take the most urgent ticket
/tandem mine – your tickets, what is due first before the rest
/tandem queue – what waits for a person
/tandem find 12, or find words – a ticket by its number, order, customer or what was said
/tandem note 12 text – keep a remark; the customer never sees it
/tandem reply 12 text – send the customer exactly this text
/tandem assign 12 @colleague – give a ticket to somebody
/tandem back – you are available; /tandem away – you are not
The number may be left out while you have one ticket only."""
_USER = re.compile(r"<@([A-Z0-9]+)(?:\|[^<>]*)?>")
_NUMBER = re.compile(r"#?([0-9]{1,9})(?:\s+|$)")
#: Commands that are about a ticket, and what they need besides.
_ABOUT = {"note": "a text", "reply": "a text", "assign": "a colleague: @name"}
_ALONE = frozenset({"next", "mine", "queue", "away", "back"})


@dataclass(frozen=True, kw_only=True)
class Command:
    """A command that can be carried out."""

    #: "next", "mine", "queue", "find", "note", "reply", "assign", "away", "back", "help"
    name: str
    #: of the ticket; none: the only one that the person has
    number: int | None = None
    #: plain: what to find, keep or send
    text: str = ""
    #: Slack's id of the colleague
    user: str = ""


def read(said: str) -> Command | str:
    """Return the command behind `/tandem`, as Slack marks it up; a sentence that says what is wrong with it."""
    name, _, rest = said.strip().partition(" ")
    name, rest = name.lower(), rest.strip()
    if name in {"", "help", "?"}:
        return Command(name="help")
    if name in _ALONE:
        return Command(name=name)
    if name == "find":
        words = slack_text.plain(rest, {}, {})
        return Command(name=name, text=words) if words else "Say what to find: /tandem find 12, or /tandem find mug"
    return _about(name, rest) if name in _ABOUT else f"There is no /tandem {name[:30]}. Try /tandem help."


def _about(name: str, rest: str) -> Command | str:
    """Return a command that is about a ticket."""
    found = _NUMBER.match(rest)
    number, rest = (int(found[1]), rest[found.end() :]) if found else (None, rest)
    user = _USER.search(rest) if name == "assign" else None
    if user is not None:
        return Command(name=name, number=number, user=user[1])
    if name != "assign" and rest.strip():
        return Command(name=name, number=number, text=slack_text.plain(rest, {}, {}).strip())
    return f"/tandem {name} needs {_ABOUT[name]}. Try /tandem help."
