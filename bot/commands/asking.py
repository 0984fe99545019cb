"""Who answers the questions of `connect`: a person at a terminal, or the command line alone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol, TypeVar

from rich.console import Console
from rich.prompt import Confirm, Prompt

from bot.domain.errors import SettingsError

T = TypeVar("T")


class Asking(Protocol):
    """Answers questions."""

    @property
    def is_patient(self) -> bool:
        """Whether the same question may be asked again."""
        ...

    async def ask(self, name: str, words: str, *, present: str, is_secret: bool) -> str:
        """Return the value of the member `name`; `present` is what it is without an answer."""
        ...

    async def confirm(self, what: str) -> bool:
        """Return whether to do it."""
        ...


class Silent:
    """Asks nobody: everything stays as it is, and is agreed to."""

    is_patient = False

    async def ask(self, name: str, words: str, *, present: str, is_secret: bool) -> str:  # noqa: ARG002
        """Return what is there."""
        return present

    async def confirm(self, what: str) -> bool:  # noqa: ARG002
        """Agree."""
        return True


class Terminal:
    """Asks the person at the terminal; Enter keeps what is there."""

    is_patient = True

    def __init__(self, console: Console) -> None:
        """Ask on `console`."""
        self._console = console

    async def ask(self, name: str, words: str, *, present: str, is_secret: bool) -> str:
        """Ask."""
        shown = "as it is" if present and is_secret else present
        self._console.print(f"\n[bold]{name}[/bold]  ", end="")
        self._console.print(words, markup=False)
        words = f"  Enter keeps: {shown}" if shown else " "
        answer = await _at_the_terminal(
            lambda: Prompt.ask(words, console=self._console, password=is_secret, default="")
        )
        return answer.strip() or present

    async def confirm(self, what: str) -> bool:
        """Ask."""
        return await _at_the_terminal(lambda: Confirm.ask(what, console=self._console, default=True))


async def _at_the_terminal(ask: Callable[[], T]) -> T:
    """Return the answer; raises `SettingsError` where nobody is there to give one."""
    try:
        # In a thread: what the channel sends meanwhile is taken.
        return await asyncio.to_thread(ask)
    except EOFError:
        raise SettingsError("nobody answers here: give what is asked for by --set NAME=VALUE, and --yes") from None
