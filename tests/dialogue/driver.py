"""The seam between a written conversation and what answers it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol


@dataclass(frozen=True, kw_only=True)
class Heard:
    """All that came of one thing that happened."""

    #: what the customer reads, in order
    texts: tuple[str, ...] = ()
    #: titles of what can be tapped
    buttons: tuple[str, ...] = ()
    #: reason and topic of the ticket that was opened
    ticket: tuple[str, str] | None = None
    #: effects asked of the brand's systems: name and arguments
    commands: tuple[tuple[str, Mapping[str, object]], ...] = ()
    #: for whoever reads a failure: intent, actions, slots
    notes: str = field(default="", compare=False)


class Driver(Protocol):
    """Something a conversation can be held with: the engine alone, or all of Tandem."""

    async def say(self, text: str) -> Heard:
        """Write as the customer."""
        ...

    async def tap(self, title: str) -> Heard:
        """Tap a button of the bot's last messages; raises `LookupError` when there is none of this title."""
        ...

    async def claim(self) -> Heard:
        """Take the ticket as an agent."""
        ...

    async def reply(self, text: str) -> Heard:
        """Answer the customer as the agent."""
        ...

    async def hand_back(self, outcome: str) -> Heard:
        """Give the conversation back to the bot."""
        ...

    def break_records(self, *, broken: bool) -> None:
        """Let look-ups in the brand's records fail, or work again."""
        ...

    def pass_time(self, span: timedelta) -> None:
        """Move the clock."""
        ...
