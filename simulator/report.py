"""What a simulation comes to, as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from rich.table import Table

from simulator.truth import Chat, Kept, Verdict, judge, share_of


@dataclass(frozen=True, kw_only=True)
class Line:
    """One channel's figures."""

    channel: str
    customer_count: int
    #: messages that customers wrote, and of these those that Tandem acknowledged
    written_count: int
    acknowledged_count: int
    #: questions: single messages or bursts
    asked_count: int
    answered_count: int
    #: conversations that went to people
    with_people_count: int
    #: messages that were given up or are held for people to look at
    dead_count: int
    verdict: Verdict
    #: seconds, of the questions that were answered
    waits: Sequence[float] = field(default_factory=tuple)


@dataclass(frozen=True, kw_only=True)
class Report:
    """All figures."""

    lines: tuple[Line, ...]
    #: whether Tandem came to rest in the end
    is_quiet: bool

    @property
    def is_clean(self) -> bool:
        """Whether nothing was lost, doubled or reordered, and nothing is still on its way."""
        return self.is_quiet and all(line.verdict.is_clean for line in self.lines)

    def findings(self) -> list[str]:
        """Return what is wrong, one line each."""
        found = []
        for line in self.lines:
            for word, cases in (
                ("lost", line.verdict.lost),
                ("doubled", line.verdict.doubled),
                ("reordered", line.verdict.reordered),
            ):
                found += [f"{word}: {case}" for case in cases]
        return found if self.is_quiet else [*found, "Tandem had not worked everything off when the time was over"]


def report(chats: Mapping[str, Sequence[Chat]], kept: Mapping[str, Kept], *, is_quiet: bool) -> Report:
    """Return the figures of every channel."""
    lines = tuple(_line(channel, [chat for chat in mine if chat.wrote], kept) for channel, mine in chats.items())
    return Report(lines=lines, is_quiet=is_quiet)


def _line(channel: str, chats: Sequence[Chat], kept: Mapping[str, Kept]) -> Line:
    waits = [chat.wait_of(n) for chat in chats for n in range(len(chat.asked_at))]
    mine = [kept.get(chat.address, Kept()) for chat in chats]
    written = [each for chat in chats for each in chat.wrote]
    return Line(
        channel=channel,
        customer_count=len(chats),
        written_count=len(written),
        acknowledged_count=sum(each.acknowledged_at is not None for each in written),
        asked_count=len(waits),
        answered_count=sum(wait is not None for wait in waits),
        with_people_count=sum(each.has_ticket for each in mine),
        dead_count=sum(each.dead_count for each in mine),
        verdict=judge(chats, kept),
        waits=[wait for wait in waits if wait is not None],
    )


def table(found: Report) -> Table:
    """Return the figures for people to read."""
    words = "written: messages that customers wrote; asked: questions, of one message or a burst"
    # Without lines, and with heads that break, it fits a terminal of 80 characters.
    grid = Table(box=None, pad_edge=False, caption=words, caption_justify="left")
    grid.add_column("channel", no_wrap=True)
    for name in ("customers", "written", "asked", "answered", "with people", "held", "lost", "doubled", "reordered"):
        grid.add_column(name, justify="right", overflow="fold")
    for name in ("p50", "p95"):
        grid.add_column(name, justify="right", no_wrap=True)
    for line in found.lines:
        verdict = line.verdict
        counts = (line.customer_count, line.written_count, line.asked_count, line.answered_count)
        wrong = (len(verdict.lost), len(verdict.doubled), len(verdict.reordered))
        grid.add_row(
            line.channel,
            *map(str, (*counts, line.with_people_count, line.dead_count)),
            *(f"[red]{count}[/red]" if count else "0" for count in wrong),
            *(_seconds(share_of(list(line.waits), share)) for share in (0.5, 0.95)),
        )
    return grid


def _seconds(wait: float | None) -> str:
    return "–" if wait is None else f"{wait:.2f} s"
