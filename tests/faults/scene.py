"""The whole stage of a fault test: real programs, a database, Telegram, customers, and somebody who strikes."""

from __future__ import annotations

import asyncio
import random
import statistics
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import aiohttp
import psutil

from simulator.telegram_server import running
from tests.faults import outcomes
from tests.faults.customers import Crowd, Moments, Street, WatchedTelegram
from tests.faults.history import Asked, History, Shown, Verdict, judge
from tests.faults.namespaces import as_seen_by
from tests.faults.running import Program, supervised
from tests.faults.talking import NOTICES

T = TypeVar("T")

#: Seconds without anything new while every program says that it does its work: not slow, but stuck.
_STUCK_AFTER = 60.0
#: Seconds to wait for the moment that was chosen; then the blow falls without it.
_MOMENT_WITHIN = 3.0
_LOOK_EVERY = 0.05


@dataclass(frozen=True, kw_only=True)
class Blow:
    """One kill."""

    #: "run", "web", "worker" or "engine"
    victim: str
    moment: str
    at: float


@dataclass(kw_only=True)
class Scene:
    """One run of the programs with customers around them."""

    programs: tuple[Program, ...]
    database_url: str
    #: whether only the first program sees the disk that the database is on
    has_own_disk: bool
    session: aiohttp.ClientSession
    telegram: WatchedTelegram
    street: Street
    crowd: Crowd
    dice: random.Random
    blows: list[Blow] = field(default_factory=list)
    #: how often a program was asked to stop
    stop_count: int = 0
    #: seconds from a blow until a customer saw the answer to something written after it
    recoveries: list[tuple[str, float]] = field(default_factory=list)

    @property
    def history(self) -> History:
        """What was written and seen."""
        return self.street.history

    async def until_ready(self) -> None:
        """Wait until every program can do its work."""
        for program in self.programs:
            await program.until_ready(self.session)

    # ------------------------------------------------------------------------------------------------------- striking

    async def strike(self, program: Program, *, is_engine: bool = False, within: float = _MOMENT_WITHIN) -> Blow:
        """Kill a program, or its engine, at a moment within so many seconds that the dice choose."""
        kinds = (
            ["whenever", "acknowledged"] if is_engine else ["whenever", "acknowledged", "before a send", "after a send"]
        )
        kind, delay = self.dice.choice(kinds), self.dice.choice((0.0, self.dice.uniform(0, 0.05)))
        done = asyncio.Event()

        def hit() -> None:
            blow = Blow(victim="engine" if is_engine else program.command, moment=kind, at=time.monotonic())
            if is_engine:
                _kill_one(program.engines(), self.dice)
            else:
                program.kill()
            self.blows.append(blow)
            done.set()

        if kind == "whenever":
            await asyncio.sleep(self.dice.uniform(0, within / 2))
            hit()
        else:
            await self._at_moment(kind, delay, within, (hit, done))
        return self.blows[-1]

    async def _at_moment(
        self, kind: str, delay: float, within: float, blow: tuple[Callable[[], None], asyncio.Event]
    ) -> None:
        hit, done = blow

        def come() -> None:
            if delay:
                asyncio.get_running_loop().call_later(delay, hit)
            else:
                hit()

        self.street.moments.arm(kind, come)
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                await done.wait()
        self.street.moments.disarm()
        if not done.is_set():
            hit()

    async def recover(self, blow: Blow) -> None:
        """Wait until a customer sees the answer to something written after the blow."""
        seen_count = len(self.history.shown)

        def concerns(asked: Asked) -> bool:
            return blow.victim != "web" or asked.is_on_web_chat

        def answer() -> Shown | None:
            asked = [each for each in self.history.asked if concerns(each) and each.written_at > blow.at]
            written = {(each.conversation, each.serial) for each in asked}
            fresh = self.history.shown[seen_count:]
            return next((each for each in fresh if (each.conversation, each.serial) in written), None)

        patience = _Patience(self, f"a {blow.victim} was killed", concerns)
        while (found := answer()) is None:
            await patience.pause()
        self.recoveries.append((blow.victim, found.at - blow.at))

    def last_words(self) -> str:
        """Return what each program printed last besides its log: why it ended, if it ended by itself."""
        return "; ".join(f"{program.state_dir.name} said {program.last_words()!r}" for program in self.programs)

    # -------------------------------------------------------------------------------------------------------- judging

    async def answers(self, count: int) -> None:
        """Wait until customers have seen that many messages more."""
        seen_count = len(self.history.shown)
        patience = _Patience(self, f"{count} answers were waited for")
        while len(self.history.shown) < seen_count + count:
            await patience.pause()

    async def true_answer(self) -> None:
        """Wait until a customer has seen one more answer out of the brand's records."""
        seen_count = len(self.history.shown)
        patience = _Patience(self, "a true answer was waited for")
        while all(each.serial is None for each in self.history.shown[seen_count:]):
            await patience.pause()

    async def drain(self) -> float:
        """Let customers write no more and wait until everything has come to an end; return the seconds that took."""
        self.street.closing.set()
        began = time.monotonic()
        # What does not end by then is for the verdict.
        with suppress(AssertionError):
            patience = _Patience(self, "nobody writes any more")
            while not await self._is_over():
                await patience.pause()
        # Whatever would come twice has the time to.
        took = time.monotonic() - began
        await asyncio.sleep(1.0)
        return took

    async def _is_over(self) -> bool:
        if self.telegram.waiting() or any(asked.acknowledged_at is None for asked in self.history.asked):
            return False
        if not await asyncio.to_thread(self._ask, outcomes.is_idle):
            return False
        unanswered = self.history.unanswered()
        return len(await asyncio.to_thread(self._with_people)) == len(unanswered)

    def _with_people(self) -> list[tuple[str, str]]:
        return self._ask(lambda url: outcomes.with_people(url, self.history.unanswered()))

    def _ask(self, question: Callable[[str], T]) -> T:
        """Return the answer to a question about the database, wherever its disk is mounted."""
        if not self.has_own_disk:
            return question(self.database_url)
        return as_seen_by(self.programs[0].life.pid, lambda: question(self.database_url))

    def verdict(self) -> Verdict:
        """Judge what was written and seen."""
        return judge(self.history, self._with_people(), NOTICES)

    def doubled_echoes(self) -> list[str]:
        """Return customers' own messages that a page showed them twice."""
        return [echo for visitor in self.crowd.visitors for echo, count in Counter(visitor.echoes).items() if count > 1]

    def _recovered(self) -> list[str]:
        """Return how long it took until customers were answered again, by who was killed."""
        parts = []
        for victim in sorted({victim for victim, _ in self.recoveries}):
            took = sorted(seconds for each, seconds in self.recoveries if each == victim)
            parts.append(f"{victim} recovered in median {statistics.median(took):.1f} s, max {took[-1]:.1f} s")
        return parts

    def figures(self) -> str:
        """Return the run in one line."""
        answered = {(each.conversation, each.serial): each for each in reversed(self.history.shown)}
        waits = sorted(_waits(self.history, answered)) or [0.0]
        victims = Counter(blow.victim for blow in self.blows)
        parts = [
            f"{len(self.blows)} kills ({', '.join(f'{count} of {name}' for name, count in sorted(victims.items()))})",
            f"{len(self.history.asked)} messages, {len(self._with_people())} left to people instead of answered",
            str(self.verdict()),
            *self._recovered(),
            f"customers waited median {statistics.median(waits):.2f} s, max {waits[-1]:.1f} s",
        ]
        return "; ".join(parts if self.blows else parts[1:])


class _Patience:
    """Waits for as long as customers get on, or programs start: however slow that is, it is not stuck."""

    def __init__(self, scene: Scene, since: str, concerns: Callable[[Asked], bool] = lambda _: True) -> None:
        """Look at the customers whose messages the wait concerns; `since` says in the failure what was waited for."""
        self._scene, self._since, self._concerns = scene, since, concerns
        self._progress, self._at = self._count(), time.monotonic()

    async def pause(self) -> None:
        """Wait a moment; raises `AssertionError` when nothing has come for long though all programs do their work."""
        await asyncio.sleep(_LOOK_EVERY)
        progress, now = self._count(), time.monotonic()
        if progress != self._progress:
            self._progress, self._at = progress, now
        elif now - self._at > _STUCK_AFTER:
            await self._scene.until_ready()
            assert time.monotonic() - now > 1.0, f"stuck since {self._since}; {self._scene.last_words()}"
            self._at = time.monotonic()

    def _count(self) -> int:
        """Return how much customers have seen."""
        conversations = {each.conversation for each in self._scene.history.asked if self._concerns(each)}
        return sum(each.conversation in conversations for each in self._scene.history.shown)


def _waits(history: History, answered: dict[tuple[str, int | None], Shown]) -> list[float]:
    found = []
    for asked in history.asked:
        answer = answered.get((asked.conversation, asked.serial))
        if answer is not None:
            found.append(answer.at - asked.written_at)
    return found


def _kill_one(engines: list[psutil.Process], dice: random.Random) -> None:
    if engines:
        with suppress(psutil.NoSuchProcess):
            dice.choice(engines).kill()


@dataclass(frozen=True, kw_only=True)
class Stage:
    """What a scene is played on."""

    folder: Path
    database_url: str
    #: none: the newest one in the state folder
    model: Path | None
    seed: int
    #: which programs run
    commands: tuple[str, ...] = ("run",)
    #: customers at a time
    web_count: int = 6
    telegram_count: int = 4
    #: what mounts a disk for the one program and starts it
    wrapper: tuple[str, ...] = ()
    #: what starts each program: as it is, or forked, with an engine that is there at once
    kind: type[Program] = Program
    #: what the programs are told beside
    environ: Mapping[str, str] = field(default_factory=dict)


@asynccontextmanager
async def playing(stage: Stage) -> AsyncIterator[Scene]:
    """Start the programs under a supervisor, and the customers as soon as all is ready."""
    dice = random.Random(stage.seed)
    street = Street(history=History(), moments=Moments(), dice=dice)
    telegram = WatchedTelegram()
    telegram.watch(street)
    # Many pages stay open: the client's own limit on connections must not hold them up.
    async with running(telegram), aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        environ = environment(stage, telegram.url, telegram.token)
        programs = tuple(
            stage.kind(
                command=command,
                state_dir=stage.folder / f"{command}-{number}",
                environ=environ,
                wrapper=stage.wrapper,
            )
            for number, command in enumerate(stage.commands)
        )
        crowd = Crowd(street=street, session=session, url=programs[0].url, telegram=telegram)
        scene = Scene(
            programs=programs,
            database_url=stage.database_url,
            has_own_disk=bool(stage.wrapper),
            session=session,
            telegram=telegram,
            street=street,
            crowd=crowd,
            dice=dice,
        )
        async with supervised(*programs):
            await scene.until_ready()
            staying = asyncio.create_task(crowd.stay(stage.web_count, stage.telegram_count))
            try:
                yield scene
            finally:
                staying.cancel()
                await asyncio.gather(staying, return_exceptions=True)


def environment(stage: Stage, telegram_url: str, telegram_token: str) -> dict[str, str]:
    """Return the settings of a stage's programs."""
    return {
        "TANDEM_SERVICE__DATABASE": stage.database_url,
        "TANDEM_SERVICE__SECRET": "only-for-the-fault-tests",
        # Each question has an answer of its own, by which it is judged.
        "TANDEM_SERVICE__DEBOUNCE": "0",
        "TANDEM_TELEGRAM__TOKEN": telegram_token,
        "TANDEM_TELEGRAM__BASE_URL": telegram_url,
        "TANDEM_TELEGRAM__MESSAGES_PER_SECOND": "0",
        **({"TANDEM_ENGINE__MODEL": str(stage.model)} if stage.model else {}),
        **stage.environ,
    }
