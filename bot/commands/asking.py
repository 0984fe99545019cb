"""Who answers the questions of `connect`: a person at a terminal, or the command line alone."""

from __future__ import annotations

import asyncio
from typing import Protocol

from rich.console import Console
from rich.prompt import Confirm, Prompt


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
        # In a thread: what the channel sends meanwhile is taken.
        answer = await asyncio.to_thread(
            Prompt.ask,
            f"  Enter keeps: {shown}" if shown else " ",
            console=self._console,
            password=is_secret,
            default="",
        )
        return answer.strip() or present

    async def confirm(self, what: str) -> bool:
        """Ask."""
        return await asyncio.to_thread(Confirm.ask, what, console=self._console, default=True)
