"""Canned replies: texts with named gaps that are filled from the ticket."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from bot.domain.errors import SettingsError
from bot.domain.tickets import Agent

#: What may stand in a canned reply between braces, and what an agent is asked for where the ticket does not tell.
VARIABLES = {
    "customer.first_name": "The customer's first name",
    "customer.name": "The customer's name",
    "order.number": "The order's number",
    "order.status": "What has become of the order",
    "order.total": "The order's total",
    "order.carrier": "Who carries the parcel",
    "order.tracking": "The parcel's number or page",
    "agent.name": "Your name",
    "brand": "The brand",
    "ticket.number": "The ticket's number",
    "promise.date": "The day you promise",
}
#: Those that may stand where everybody reads it.
PUBLIC_VARIABLES = frozenset({"agent.name", "brand"})
TITLE_MAX = 70
TEXT_MAX = 2_500
_GAP = re.compile(r"\{([^{}\s]+)\}")


@dataclass(frozen=True, kw_only=True)
class Macro:
    """A canned reply."""

    #: what agents pick it by; unique
    title: str
    #: with gaps like `{customer.first_name}`
    text: str
    #: whether it may be used where everybody reads it
    is_public: bool = False

    def gaps(self) -> tuple[str, ...]:
        """Return the variables that the text names, each once, in order."""
        return tuple(dict.fromkeys(_GAP.findall(self.text)))

    def missing(self, values: Mapping[str, str]) -> tuple[str, ...]:
        """Return the variables that `values` does not tell."""
        return tuple(name for name in self.gaps() if not values.get(name, "").strip())

    def filled(self, values: Mapping[str, str]) -> str:
        """Return the text with its gaps filled; every one must have a value. What a value says is not read again."""
        return _GAP.sub(lambda match: values[match[1]].strip(), self.text)


def check_macro(macro: Macro) -> None:
    """Return if the canned reply can be used; raise `SettingsError` that names what is wrong with it."""
    shown = macro.title.strip()[:TITLE_MAX] or "without a title"
    if not macro.title.strip() or len(macro.title) > TITLE_MAX:
        raise SettingsError(f"a canned reply needs a title of 1 to {TITLE_MAX} characters ({shown!r})")
    if not macro.text.strip() or len(macro.text) > TEXT_MAX:
        raise SettingsError(f"the canned reply {shown!r} needs a text of 1 to {TEXT_MAX} characters")
    unknown = [name for name in macro.gaps() if name not in VARIABLES]
    if unknown:
        raise SettingsError(
            f"the canned reply {shown!r} names {{{unknown[0][:60]}}}, which nothing fills: use one of "
            + ", ".join(f"{{{name}}}" for name in VARIABLES)
        )
    private = [name for name in macro.gaps() if macro.is_public and name not in PUBLIC_VARIABLES]
    if private:
        raise SettingsError(
            f"the public canned reply {shown!r} names {{{private[0]}}}, which is the customer's alone: use "
            + " or ".join(f"{{{name}}}" for name in sorted(PUBLIC_VARIABLES))
        )


class Macros(Protocol):
    """The canned replies that agents can pick."""

    async def all(self) -> tuple[Macro, ...]:
        """Return them by title, the brand's own before those that agents made."""
        ...

    async def add(self, macro: Macro, agent: Agent) -> None:
        """Keep an agent's; the same title again replaces its text. Raises `SettingsError` for one of no use."""
        ...
