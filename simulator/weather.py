"""How badly the network behaves: the chances of everything that can go wrong between a channel and Tandem."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Weather:
    """Chances, each of one call or one event; 0: never."""

    #: the channel asks for a pause
    refuses_for_now: float = 0.0
    #: the channel has a fault of its own, and does nothing
    breaks: float = 0.0
    #: the connection is cut before the channel did anything
    cuts_before: float = 0.0
    #: the connection is cut once the customer has the message
    cuts_after: float = 0.0
    #: the reply window closes before the answer comes, which only the channel knows
    closes: float = 0.0
    #: the channel tells of an event again
    repeats: float = 0.0
    #: the channel hangs up before it hears that Tandem has an event, and tells of it again
    hangs_up: float = 0.0
    #: an event waits for others to go with it in one call
    gathers: float = 0.0
    #: an event is on its way for long, and later ones overtake it
    dawdles: float = 0.0

    def fault(self, chance: float, busy: T, broken: T, cut: T, cut_late: T) -> T | None:
        """Return what goes wrong with a call to the channel, by what dice gave (0 to 1); none: nothing does."""
        shares = (self.refuses_for_now, self.breaks, self.cuts_before, self.cuts_after)
        for share, fault in zip(shares, (busy, broken, cut, cut_late), strict=True):
            if chance < share:
                return fault
            chance -= share
        return None

    @property
    def is_fair(self) -> bool:
        """Whether nothing goes wrong."""
        return self == Weather()


FAULTS: dict[str, Weather] = {
    "none": Weather(),
    "light": Weather(
        refuses_for_now=0.01, breaks=0.005, cuts_after=0.005, repeats=0.05, hangs_up=0.02, gathers=0.1, dawdles=0.02
    ),
    "heavy": Weather(
        refuses_for_now=0.05,
        breaks=0.03,
        cuts_before=0.02,
        cuts_after=0.03,
        closes=0.01,
        repeats=0.25,
        hangs_up=0.1,
        gathers=0.3,
        dawdles=0.1,
    ),
}
