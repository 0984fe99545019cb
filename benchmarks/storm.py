"""A day of a brand of ten times Comcast's size, with an outage: 8,000 mentions a week × 10, and a storm of 60 a second.

The day's calm messages come first, faster than in life; then the storm. Half of all is said in public, where it names
the brand on X, half in private on Telegram; one private message in twenty asks for a person. The whole service runs,
engine and all, with Telegram, X and Slack on this machine; Slack takes one post a second and channel. Customers keep
the truth: what is lost, doubled or out of order is counted by what they wrote and saw.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import uvloop
from sqlalchemy import Connection, func, select

from benchmarks.rig import mentions
from benchmarks.rig.askers import Asker, Askers, askers, quantile
from benchmarks.rig.mentions import CrowdedX, crowded
from benchmarks.rig.postgres import postgres
from benchmarks.rig.services import Meter, Setting, program
from bot.store.database import open_engine
from bot.store.schema import inbox, outbox, tickets, triages
from bot.trainer.training import train
from tests.fakes.slack import BOT_TOKEN, SECRET, FakeSlack
from tests.fakes.slack_api import QUEUE
from tests.fakes.slack_limits import Limits
from tests.faults.history import judge
from tests.faults.outcomes import with_people
from tests.faults.talking import NOTICES
from tests.ports import free_port

T = TypeVar("T")

_ROOT = Path(__file__).parents[1]
_FOLDER = _ROOT / "var" / "bench" / "storm"
#: Messages of a calm day for one minute of storm: 8,000 × 10 a week, less than is felt.
CALM_PER_MINUTE = 8_000 * 10 / 7 / 10
#: A second, in the calm; in life it would be one in eight seconds.
CALM_RATE = 10.0
STORM_RATE = 60.0
#: Of the private messages, one in so many asks for a person.
ONE_ASKS_FOR_PEOPLE = 20
PRIVATE_CROWD = 600
#: Seconds without news after which no more is waited for.
_QUIET = 60.0
_ASK = "i want to talk to a person"


@dataclass(kw_only=True)
class Stage:
    """All that surrounds the service, and what was noted."""

    crowd: Askers
    x: CrowdedX
    slack: FakeSlack
    meter: Meter
    #: how long the oldest question was seen to wait, in seconds
    oldest: float = 0.0
    #: seconds since 1970 at which each post was taken by Slack, by its id
    posted_at: dict[str, float] = field(default_factory=dict)
    asked_count: int = 0
    _private: list[Asker] = field(default_factory=list)

    async def talk(self, rate: float, seconds: float) -> None:
        """Let so many messages a second come, in public and in private by turns."""
        began, tasks = time.monotonic(), set[asyncio.Task[object]]()
        for number in range(int(rate * seconds)):
            await asyncio.sleep(max(0.0, began + number / rate - time.monotonic()))
            task: asyncio.Task[object] = asyncio.create_task(self.x.write() if number % 2 else self._say(number // 2))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            if number % int(rate) == 0:
                self.oldest = max(self.oldest, self.crowd.oldest())
        await asyncio.gather(*tasks)

    async def _say(self, number: int) -> None:
        """Let somebody write in private: their next question, or that they want a person."""
        if number % ONE_ASKS_FOR_PEOPLE == 0:
            self.asked_count += 1
            await self.crowd.ask(self.crowd.newcomer(), _ASK)
            return
        while len(self._private) < PRIVATE_CROWD:
            self._private.append(self.crowd.newcomer())
        place = number % PRIVATE_CROWD
        if self._private[place].count == len(self._private[place].script.names):
            self._private[place] = self.crowd.newcomer()
        await self.crowd.ask(self._private[place])

    async def settle(self, url: str) -> float:
        """Wait until nothing waits but what Slack takes slowly; return the seconds that took."""
        began = news_at = time.monotonic()
        count = -1
        while (now_waiting := await asyncio.to_thread(_read, url, _waiting_count)) or self.crowd.waiting_count:
            self.oldest = max(self.oldest, self.crowd.oldest() if self.crowd.waiting_count else 0.0)
            if (found := now_waiting + self.crowd.waiting_count) != count:
                count, news_at = found, time.monotonic()
            if time.monotonic() - news_at > _QUIET:
                break
            await asyncio.sleep(0.5)
        return time.monotonic() - began


def _read(url: str, body: Callable[[Connection], T]) -> T:
    """Run `body`, which only reads: the service needs its database."""
    engine = open_engine(url)
    try:
        with engine.connect() as connection:
            return body(connection)
    finally:
        engine.dispose()


def _waiting_count(connection: Connection) -> int:
    """Return how much waits in the boxes for us; posts that go through Slack's gates wait for Slack."""
    is_open = ("pending", "claimed")
    arrived = select(func.count()).where(inbox.c.state.in_(is_open))
    answers = select(func.count()).where(outbox.c.state.in_(is_open), outbox.c.gate.is_(None))
    return int(connection.scalar(arrived) or 0) + int(connection.scalar(answers) or 0)


def _watch(slack: FakeSlack, posted_at: dict[str, float]) -> None:
    """Note when Slack takes each post."""
    answer = slack.answer

    def noted(method: str, arguments: dict[str, Any]) -> dict[str, Any]:
        made = answer(method, arguments)
        if method == "chat.postMessage" and "ts" in made:
            posted_at[str(made["ts"])] = time.time()
        return made

    slack.answer = noted  # type: ignore[method-assign]


@asynccontextmanager
async def _opened(url: str, model: Path, roots: Mapping[str, int]) -> AsyncIterator[Stage]:
    """Run the service on that database with all channels around it, until the context ends."""
    port = free_port()
    async with askers(port) as crowd, crowded(port) as x, FakeSlack() as slack:
        slack.limits = Limits(time.monotonic)
        more = {
            **mentions.SETTINGS,
            "TANDEM_X__BASE_URL": x.url,
            "TANDEM_SLACK__BOT_TOKEN": BOT_TOKEN,
            "TANDEM_SLACK__SIGNING_SECRET": SECRET,
            "TANDEM_SLACK__CHANNEL": QUEUE,
            "TANDEM_SLACK__BASE_URL": slack.base_url,
        }
        setting = Setting(folder=_FOLDER, database=url, model=model, telegram=crowd.url, more=more)
        command = "run" if url.startswith("sqlite") else "worker"
        async with program(setting, command, "Tandem", port) as service:
            web = program(setting, "web", "web", port) if command == "worker" else nullcontext()
            async with web as front:
                found = dict(roots) | {"Tandem": service.process.pid, "this benchmark": os.getpid()}
                meter = Meter(found | ({"web": front.process.pid} if front else {}))
                stage = Stage(crowd=crowd, x=x, slack=slack, meter=meter)
                _watch(slack, stage.posted_at)
                yield stage


async def _run(url: str, model: Path, roots: Mapping[str, int], minutes: float, calm_rate: float) -> bool:
    async with _opened(url, model, roots) as stage:
        await stage.talk(4, 5)
        _tell_memory("before", stage.meter)
        await _load(stage, url, "calm", calm_rate, CALM_PER_MINUTE * minutes / calm_rate)
        await _load(stage, url, "storm", STORM_RATE, 60 * minutes)
        waits = [at - stage.x.written_at[each] for each, at in stage.x.answered_at.items()]
        print(f"in public: {len(stage.x.written_at)} mentions, {len(waits)} answered or invited, {_waits(waits)}")
        return await asyncio.to_thread(_judge, url, stage)


async def _load(stage: Stage, url: str, name: str, rate: float, seconds: float) -> None:
    """Let messages come, see them through, and tell how that went."""
    answered, acknowledged = len(stage.crowd.answered_after), len(stage.crowd.acknowledged_after)
    stage.oldest, before, began = 0.0, stage.meter.seconds(), time.monotonic()
    telling = asyncio.create_task(_keep_telling(stage.meter, name))
    await stage.talk(rate, seconds)
    took, after = time.monotonic() - began, stage.meter.seconds()
    settled = await stage.settle(url)
    telling.cancel()
    print(f"{name}: {int(rate * seconds)} messages in {took:.0f} s, {rate:.0f} a second")
    print(f"  acknowledged {_waits(stage.crowd.acknowledged_after[acknowledged:])}")
    print(f"  answered in private {_waits(stage.crowd.answered_after[answered:])}")
    print(f"  the oldest question waited {stage.oldest:.1f} s; all were answered {settled:.0f} s after the last")
    print(f"  refused for a moment {stage.crowd.refused_count + stage.x.refused_count} in all")
    shares = {each: (used - before.get(each, 0)) / took / (os.cpu_count() or 1) for each, used in after.items()}
    print("  processors: " + ", ".join(f"{each} {share:.0%}" for each, share in shares.items()))
    _tell_memory(f"after the {name}", stage.meter)


async def _keep_telling(meter: Meter, name: str) -> None:
    began = time.monotonic()
    while True:
        await asyncio.sleep(60)
        _tell_memory(f"{(time.monotonic() - began) / 60:.0f} minutes into the {name}", meter)


def _waits(seconds: list[float]) -> str:
    return f"p50 {quantile(seconds, 0.5):.0f} ms, p99 {quantile(seconds, 0.99):.0f} ms"


def _tell_memory(when: str, meter: Meter) -> None:
    ours = {name: size for name, size in meter.memory().items() if name != "this benchmark"}
    told = ", ".join(f"{name} {size:.0f}" for name, size in ours.items())
    print(f"  memory {when}: {sum(ours.values()):.0f} MB ({told})", flush=True)


def _judge(url: str, stage: Stage) -> bool:
    """Tell what was lost, doubled or out of order, and of the cards; return whether nothing was."""
    history = stage.crowd.history
    verdict = judge(history, with_people(url, history.unanswered()), NOTICES)
    lost = _read(url, lambda connection: _lost_in_public(connection, stage.x))
    opened = _read(url, _opened_tickets)
    delays = [stage.posted_at[ts] - at.timestamp() for at, ts in opened if ts in stage.posted_at]
    broken = len(stage.slack.limits.broken) if stage.slack.limits else 0
    print(f"in private: {len(history.asked)} questions, {verdict}")
    print(f"in public: {len(lost)} lost, {len(stage.x.doubled)} doubled")
    print(f"tickets: {len(opened)} opened, {stage.asked_count} of them asked for")
    print(f"cards: {len(delays)} in Slack, p50 {quantile(delays, 0.5) / 1000:.0f} s after their ticket was opened, "
          f"the last {max(delays, default=0.0):.0f} s; {len(opened) - len(delays)} on their way; "
          f"Slack had to refuse {broken} calls")  # fmt: skip
    return verdict.is_clean and not lost and not stage.x.doubled and len(opened) >= stage.asked_count


def _lost_in_public(connection: Connection, x: CrowdedX) -> list[str]:
    """Return mentions that X was told we have and that nothing became of: no answer, no ticket, no decision."""
    known = dict(
        connection.execute(
            select(inbox.c.external_id, triages.c.treatment).join(triages, triages.c.message_id == inbox.c.message_id)
        ).all()
    )
    by_post = {external_id.rpartition(":")[2]: treatment for external_id, treatment in known.items()}
    owed = {"answer", "thank", "invite"}
    return [
        each for each in x.acknowledged if each not in by_post or (by_post[each] in owed and each not in x.answered_at)
    ]


def _opened_tickets(connection: Connection) -> list[tuple[datetime, str]]:
    rows = connection.execute(select(tickets.c.opened_at, tickets.c.desk_reference))
    return [(at, (reference or "").rpartition(":")[2]) for at, reference in rows]


@contextmanager
def _database(name: str) -> Iterator[tuple[str, dict[str, int]]]:
    """Yield the URL of a new database, and the processes that belong to it."""
    if name == "sqlite":
        yield f"sqlite:///{_FOLDER / 'tandem.db'}", {}
        return
    with postgres() as server:
        yield server.url, {"PostgreSQL": server.pid}


def main() -> int:
    """Run the day; return 1 where anything is lost, doubled or out of order."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.storm", description=__doc__)
    parser.add_argument("--minutes", type=float, default=1, help="of storm, with as much of a day's calm; a day has 10")
    parser.add_argument("--calm-rate", type=float, default=CALM_RATE, help="messages a second in the calm before it")
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--model", type=Path, help="a model that is there already")
    chosen = parser.parse_args()
    shutil.rmtree(_FOLDER, ignore_errors=True)
    _FOLDER.mkdir(parents=True)
    model = chosen.model or asyncio.run(train(_ROOT, _ROOT / "var" / "bench" / "models", lambda _: None)).path
    with _database(chosen.database) as (url, roots):
        is_well = uvloop.run(_run(url, model, roots, chosen.minutes, chosen.calm_rate))
    return int(not is_well)


if __name__ == "__main__":
    sys.exit(main())
