"""More tickets at once than Slack shows in a moment."""

from __future__ import annotations

import re
import statistics

from bot.domain.tickets import Priority
from tests.desk.workplace import Workplace
from tests.fakes.slack_rules import visible


async def storm(place: Workplace, count: int) -> list[str]:
    """Open tickets within a minute, every twentieth urgent and every third low; return the urgent ones' topics."""
    urgent = []
    for number in range(count):
        priority = Priority.URGENT if number % 20 == 19 else Priority.LOW if number % 3 == 0 else Priority.NORMAL
        await place.open(f"c{number}", priority)
        if priority is Priority.URGENT:
            urgent.append(f"topic c{number}")
        if number % (count // 60) == 0:
            await place.pass_(1)
    return urgent


async def check_storm(place: Workplace, count: int) -> None:
    """Let a storm come, and look at what agents saw of it."""
    urgent = await storm(place, count)
    await place.pass_(60)
    taken = await place.drain(within=3 * count)
    assert place.slack.limits is not None
    assert place.slack.limits.broken == []
    roots = [visible(root) for root in place.roots()]
    summaries = [root for root in roots if "new tickets are on their way" in root]
    cards = [root for root in roots if root not in summaries]
    assert len(cards) == len(set(cards)) == count
    threads = {m["thread_ts"] for m in place.slack.messages if m.get("thread_ts")}
    assert len(threads) == count
    assert (await place.rig.outbox_states())["dead"] == 0
    # Two posts a ticket at one a second.
    assert taken <= 2 * count + 60
    assert len(summaries) == 1
    # What was opened in the last second of the storm waits for nothing but its equals.
    topics = [str(re.search(r"topic c\d+", card)[0]) for card in cards]  # type: ignore[index]
    last = max(topics.index(topic) for topic in urgent)
    assert last <= 60 + 2 * len(urgent)
    low = {f"topic c{number}" for number in range(0, count, 3)} - set(urgent)
    places_of_low = [index for index, topic in enumerate(topics) if topic in low]
    places_of_others = [index for index, topic in enumerate(topics) if topic not in low]
    assert statistics.mean(places_of_others) < statistics.mean(places_of_low)
