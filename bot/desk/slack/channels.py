"""The Slack channels of the desk."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from bot.domain.tickets import TeamName


@dataclass(frozen=True, kw_only=True)
class Channels:
    """Where tickets are shown; all ids are Slack's (`C…`, `G…`)."""

    #: of tickets whose team has no channel of its own
    queue: str
    #: of teams that have one
    teams: Mapping[TeamName, str] = field(default_factory=dict)
    #: where tickets go while nothing can be posted in their own; none: they wait
    fallback: str | None = None

    def of(self, team: TeamName) -> str:
        """Return the channel of a team's tickets."""
        return self.teams.get(team, self.queue)

    def __iter__(self) -> Iterator[str]:
        """Return every channel once, the queue's first."""
        known = (self.queue, *self.teams.values(), *((self.fallback,) if self.fallback else ()))
        return iter(dict.fromkeys(known))

    def __contains__(self, channel: object) -> bool:
        """Whether this is a channel of the desk: nothing else is listened to."""
        return channel in tuple(self)
