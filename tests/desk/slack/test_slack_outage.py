"""Hours in which Slack told nobody of what agents wrote, and never will: it is found, and sent once."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import aiohttp
import pytest

from bot.desk.slack import app
from bot.desk.slack.app import SlackAccount, SlackDesk
from bot.desk.slack.check import skew
from bot.pipeline.alarms import Troubles
from bot.store.hints import Hint
from bot.store.reading import StoredReading
from tests.desk.outages import prepare, watching
from tests.desk.workplace import Workplace
from tests.fakes.slack import APP_TOKEN, BOT_TOKEN
from tests.fakes.slack_api import QUEUE
from tests.fakes.slack_rules import visible

ALICE, BOB = "U0ALICE", "U0BOB"


async def test_what_was_written_in_an_outage_is_found_and_sent_once(place: Workplace) -> None:
    """Events that were never told of are found in the threads that changed, and each reaches its customer once."""
    tickets = await prepare(place, 12)
    _, backfill = watching(place)
    await backfill.look()
    place.slack.is_silent = True
    for number in (3, 7):
        await place.slack.write(ALICE, tickets[number][1], f"&gt; answer {number}")
    place.slack.is_silent = False
    calls = len(place.slack.calls)
    assert await backfill.look() == 2
    await place.work()
    assert [place.rig.seen(f"c{number}")[-1:] for number in (3, 7)] == [["answer 3"], ["answer 7"]]
    methods = [method for method, _ in place.slack.calls[calls:]]
    assert methods.count("conversations.history") == 1
    assert await backfill.look() == 0
    await place.work()
    assert len([said for said in place.rig.seen("c3") if said == "answer 3"]) == 1


async def test_what_was_told_of_is_not_found_again(place: Workplace) -> None:
    """A message that came as an event vanishes when history shows it, and so does an event that comes after all."""
    ((_, card),) = await prepare(place, 1)
    _, backfill = watching(place)
    told = await place.slack.write(ALICE, card, "&gt; one")
    place.slack.is_silent = True
    found = await place.slack.write(ALICE, card, "&gt; two")
    place.slack.is_silent = False
    await backfill.look()
    for ts in (told, found):
        await place.slack.deliver(place.slack.event({**place.slack.message(ts), "event_ts": ts}))
    await place.work()
    assert [said for said in place.rig.seen("c0") if said in {"one", "two"}] == ["one", "two"]


async def test_late_replies_need_their_authors_word(place: Workplace) -> None:
    """A reply found more than four hours later is not sent but asked about; pressed twice, Send sends it once."""
    ((_, card),) = await prepare(place, 1)
    _, backfill = watching(place)
    await backfill.look()
    place.slack.is_silent = True
    await place.slack.write(ALICE, card, "&gt; come by today")
    place.rig.clock.pass_(hours=17)
    await place.slack.write(ALICE, card, "&gt; still open?")
    place.slack.is_silent = False
    await backfill.look()
    await place.work()
    assert [said for said in place.rig.seen("c0") if said in {"come by today", "still open?"}] == ["still open?"]
    asked = next(m for m in place.slack.thread(card) if "Does it still hold?" in visible(m))
    for _ in range(2):
        await place.slack.click(ALICE, asked["ts"], "tandem_send_late")
        await place.work()
    assert [said for said in place.rig.seen("c0") if said == "come by today"] == ["come by today"]


async def test_edits_of_an_outage_are_found(place: Workplace) -> None:
    """An edit that no event told of is carried out like any other, once."""
    ((_, card),) = await prepare(place, 1)
    _, backfill = watching(place)
    written = await place.slack.write(ALICE, card, "&gt; at noon")
    await place.work()
    await backfill.look()
    place.slack.is_silent = True
    place.rig.clock.pass_(hours=1)
    await place.slack.edit(written, "&gt; at one")
    place.slack.is_silent = False
    handled: list[str] = []
    real = place.app._persist

    async def persist(external_id: str, address: object, raw: dict[str, object]) -> bool:
        is_new = await real(external_id, address, raw)  # type: ignore[arg-type]
        if is_new:
            handled.append(external_id)
        return is_new

    place.app._persist = persist
    await backfill.look()
    await backfill.look()
    assert [name.partition(":")[0] for name in handled] == ["change"]


async def test_deletions_of_an_outage_are_found(place: Workplace) -> None:
    """What was sent and is not in its thread any more is taken back, once; a note that is gone is nobody's business."""
    ((_, card),) = await prepare(place, 1)
    _, backfill = watching(place)
    await backfill.look()
    texts = ("&gt; wrong number", "for us", "&gt; right")
    wrong, note, _ = [await place.slack.write(ALICE, card, text) for text in texts]
    await place.work()
    place.slack.is_silent = True
    place.rig.clock.pass_(hours=1)
    for ts in (wrong, note):
        await place.slack.delete(ts)
    place.slack.is_silent = False
    assert [await backfill.look(), await backfill.look()] == [1, 0]
    await place.work()
    assert [said for said in place.rig.seen("c0") if said in {"wrong number", "right"}] == ["right"]


async def test_of_a_thread_without_its_card_nothing_is_missing(place: Workplace) -> None:
    """A card that somebody deleted takes its thread along, or leaves a stump of it: no reply is taken back for that."""
    (_, card), (_, gone) = await prepare(place, 2)
    _, backfill = watching(place)
    await backfill.look()
    for thread in (card, gone):
        await place.slack.write(ALICE, thread, "&gt; Hello")
    await place.work()
    place.slack.is_silent = True
    place.rig.clock.pass_(hours=1)
    for message in place.slack.thread(card):
        place.slack.messages.remove(message)
    place.slack.message(card).update(subtype="tombstone", user="USLACKBOT")
    for message in [place.slack.message(gone), *place.slack.thread(gone)]:
        place.slack.messages.remove(message)
    place.slack.is_silent = False
    assert await backfill.look() == 0
    await place.work()
    assert [place.rig.seen(name)[-1] for name in ("c0", "c1")] == ["Hello", "Hello"]


async def test_envelopes_of_an_outage_are_found(place: Workplace) -> None:
    """What was put on a message in vain sends it once; one that was told of, and refused, is not tried again."""
    ((_, card),) = await prepare(place, 1)
    _, backfill = watching(place)
    await backfill.look()
    wished, refused = [await place.slack.write(ALICE, card, text) for text in ("We refund it", "She is rude")]
    await place.slack.react(BOB, refused, "envelope")
    await place.work()
    place.slack.is_silent = True
    place.rig.clock.pass_(hours=1)
    await place.slack.react(ALICE, wished, "envelope")
    await place.slack.click(ALICE, card, "tandem_claim")
    place.slack.is_silent = False
    assert [await backfill.look(), await backfill.look()] == [1, 0]
    await place.work()
    said = place.rig.seen("c0")
    assert (said[-1], "She is rude" in said) == ("We refund it", False)


async def test_a_late_envelope_needs_its_authors_word(place: Workplace) -> None:
    """Where one may have been put there more than four hours ago, nobody knows whether the words still hold."""
    ((_, card),) = await prepare(place, 1)
    _, backfill = watching(place)
    await backfill.look()
    wished = await place.slack.write(ALICE, card, "We open at nine")
    await place.work()
    place.slack.is_silent = True
    await place.slack.react(ALICE, wished, "envelope")
    place.rig.clock.pass_(hours=17)
    place.slack.is_silent = False
    await backfill.look()
    await place.work()
    assert "We open at nine" not in place.rig.seen("c0")
    asked = next(m for m in place.slack.thread(card) if "Does it still hold?" in visible(m))
    await place.slack.click(ALICE, asked["ts"], "tandem_send_late")
    await place.work()
    assert place.rig.seen("c0")[-1] == "We open at nine"


async def test_a_connection_that_tells_nothing_is_noticed(place: Workplace) -> None:
    """When history shows what no event told of, the operator hears where to look, and the next event ends that."""
    ((_, card),) = await prepare(place, 1)
    watch, backfill = watching(place)
    await backfill.look()
    place.slack.is_silent = True
    await place.slack.write(ALICE, card, "hello?")
    place.rig.clock.pass_(minutes=5)
    await backfill.look()
    place.rig.clock.pass_(minutes=3)
    troubles = Troubles(place.rig.database, place.rig.clock)
    assert "Event Subscriptions" in (await troubles.alarming())["slack/events"]
    place.slack.is_silent = False
    await place.slack.write(ALICE, card, "a note")
    assert "slack/events" not in await troubles.alarming()
    assert watch is not None


async def test_the_set_up_is_looked_at_while_it_runs(place: Workplace) -> None:
    """A bot that was removed from its channel is reported with what to do, before anybody misses a post."""
    watch, _ = watching(place)
    troubles = Troubles(place.rig.database, place.rig.clock)
    await watch.look_once()
    assert await troubles.alarming() == {}
    place.slack.channels["C0QUEUE"]["is_member"] = False
    await watch.look_once()
    assert "/invite @tandem" in (await troubles.alarming())["slack/setup"]
    place.slack.channels["C0QUEUE"]["is_member"] = True
    await watch.look_once()
    assert await troubles.alarming() == {}


async def test_socket_mode_waits_for_slack_and_reads_what_it_missed(
    place: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Slack that is down at the start stops nothing; each new connection asks for what was written meanwhile."""
    monkeypatch.setattr(app, "CONNECT_EVERY", 0.05)
    account = SlackAccount(bot_token=BOT_TOKEN, channel=QUEUE, app_token=APP_TOKEN, base_url=place.slack.base_url)
    desk = SlackDesk(account, place.rig.desk, place.rig.media, place.persist)
    asked = asyncio.Event()
    reports: asyncio.Queue[tuple[str, str | None]] = asyncio.Queue()

    async def report(where: str, reason: str | None, _is_blocked: bool) -> None:
        reports.put_nowait((where, reason))

    watch = desk.watch(StoredReading(place.rig.database, place.rig.clock, Hint()), report)
    monkeypatch.setattr(watch._backfill, "ask", asked.set)
    place.slack.is_down = True
    running = asyncio.create_task(desk.run_socket_mode())
    try:
        async with asyncio.timeout(10):
            where, reason = await reports.get()
            assert (where, "is not connected" in str(reason)) == ("slack/socket", True)
            place.slack.is_down = False
            await asked.wait()
            while reason is not None:
                where, reason = await reports.get()
            asked.clear()
            await place.slack.sockets[-1].ws.close()
            await asked.wait()
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


async def test_a_clock_that_is_wrong_is_told_of_before_events_are_lost(place: Workplace) -> None:
    """An event that is Slack's and looks too old is refused, the operator hears why, and a look finds it over."""
    watch, _ = watching(place)
    troubles = Troubles(place.rig.database, place.rig.clock)
    raw, headers = place.slack.signed(place.slack.event({"type": "message"}), at=time.time() - 400)

    async def told(given: dict[str, str]) -> dict[str, str]:
        place.app._clock_looked_at = float("-inf")
        async with (
            aiohttp.ClientSession() as session,
            session.post(str(place.slack.events_url), data=raw, headers=given) as answer,
        ):
            assert answer.status == 401
        return await troubles.alarming()

    # Somebody sends an old one again, or a forged one: our clock is right.
    assert await told(headers) == {}
    place.slack.clock_ahead = -400
    assert await told({**headers, "x-slack-signature": "v0=0"}) == {}
    assert "seconds ahead of Slack's" in (await told(headers))["slack/clock"]
    place.slack.clock_ahead = 0
    await watch.look_once()
    assert await troubles.alarming() == {}


@pytest.mark.parametrize(("said", "seconds"), [("Sun, 22 Nov 2026 12:03:00 GMT", 180), ("yesterday", None)])
def test_every_answer_of_slack_tells_the_time(said: str, seconds: int | None) -> None:
    """How far our clock is behind stands in the header that each answer carries; nonsense there tells nothing."""
    behind = skew({"date": said}, datetime(2026, 11, 22, 12, tzinfo=UTC))
    assert behind == (None if seconds is None else timedelta(seconds=seconds))
