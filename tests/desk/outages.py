"""Hours without Slack's events."""

from __future__ import annotations

from bot.desk.slack.backfill import Backfill
from bot.desk.slack.watch import SlackWatch
from bot.domain.tickets import TicketId
from bot.pipeline.alarms import Troubles
from bot.store.hints import Hint
from bot.store.reading import StoredReading
from tests.desk.workplace import Workplace


def watching(place: Workplace) -> tuple[SlackWatch, Backfill]:
    """Return what looks after the connection, in virtual time."""
    ledger = StoredReading(place.rig.database, place.rig.clock, Hint())
    watch = place.app.watch(ledger, Troubles(place.rig.database, place.rig.clock).report)
    backfill = watch._backfill

    async def sleep(seconds: float) -> None:
        place.rig.clock.pass_(seconds=seconds)

    object.__setattr__(backfill._parts, "sleep", sleep)
    object.__setattr__(backfill._parts, "now", place.rig.clock.now)
    return watch, backfill


async def prepare(place: Workplace, count: int) -> list[tuple[TicketId, str]]:
    """Open tickets and post their cards; return each with its thread."""
    made = []
    for number in range(count):
        ticket_id = await place.open(f"c{number}")
        made.append(ticket_id)
    await place.drain(within=3 * count + 60)
    return [(ticket_id, await place.card(ticket_id)) for ticket_id in made]
