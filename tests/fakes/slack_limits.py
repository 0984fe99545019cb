"""How often Slack lets an app call: https://docs.slack.dev/apis/web-api/rate-limits."""

from __future__ import annotations

import math
from collections import defaultdict, deque
from collections.abc import Callable
from typing import Any

Json = dict[str, Any]
#: Of one channel: a message a second, and a few at once.
POST_BURST = 5
#: Calls a minute of methods that have a tier; of the others nobody here makes that many.
TIERS = {
    "chat.update": 50,
    "conversations.history": 50,
    "conversations.info": 50,
    "conversations.replies": 50,
    "reactions.add": 50,
    "reactions.remove": 50,
    "users.info": 100,
    "usergroups.users.list": 20,
}


class Limits:
    """Counts calls by a clock of its own, in seconds."""

    def __init__(self, now: Callable[[], float]) -> None:
        """Start with nothing counted."""
        self._now = now
        self._paced_until: dict[str, float] = {}
        self._calls: defaultdict[str, deque[float]] = defaultdict(deque)
        #: calls that came too early: method and channel
        self.broken: list[tuple[str, str]] = []

    def over(self, method: str, arguments: Json) -> int:
        """Return how many seconds too early a call comes; 0: it is taken."""
        after = self._of_channel(str(arguments.get("channel"))) if method == "chat.postMessage" else 0
        after = after or self._of_method(method)
        if after:
            self.broken.append((method, str(arguments.get("channel"))))
        return after

    def _of_channel(self, channel: str) -> int:
        paced_until = max(self._paced_until.get(channel, 0.0), self._now())
        early = paced_until - self._now() - (POST_BURST - 1)
        if early > 0:
            return math.ceil(early)
        self._paced_until[channel] = paced_until + 1
        return 0

    def _of_method(self, method: str) -> int:
        calls = self._calls[method]
        while calls and calls[0] <= self._now() - 60:
            calls.popleft()
        if len(calls) >= TIERS.get(method, 1_000):
            return math.ceil(calls[0] + 60 - self._now())
        calls.append(self._now())
        return 0
