"""The brand's own database goes away while customers ask what only it knows."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest

from bot.store.customers.directory import TEMPER
from bot.store.sample_shop.shop import fill
from tests.databases import run_in
from tests.faults import outcomes
from tests.faults.history import Asked, History
from tests.faults.judging import Tell
from tests.faults.postgres import breakable
from tests.faults.scene import Stage, playing

#: Seconds for which it is away.
AWAY = 20.0
#: Seconds in which they are answered from it again, beyond the longest time between two probes.
SLACK = 20.0


@pytest.mark.faults
@pytest.mark.postgres
@pytest.mark.timeout(300)
async def test_the_brands_database_is_away(tmp_path: Path, model: Path, seed: int, tell: Tell) -> None:
    """Whoever asks meanwhile hears an honest word and gets a person, and when it is back, true answers again."""
    (tmp_path / "mapping.toml").touch()
    with breakable(random.Random(seed)) as (brand, url):
        run_in(url, lambda connection: fill(connection, datetime.now(UTC).date()))
        environ = {"TANDEM_RECORDS__URL": url, "TANDEM_RECORDS__MAPPING": str(tmp_path / "mapping.toml")}
        database = f"sqlite:///{tmp_path / 'tandem.db'}"
        stage = Stage(folder=tmp_path, database_url=database, model=model, seed=seed, environ=environ)
        async with playing(stage) as scene:
            await scene.answers(20)
            postmaster = psutil.Process(brand.running.get_pid())
            os.kill(postmaster.pid, signal.SIGQUIT)
            await asyncio.to_thread(psutil.wait_procs, [postmaster], 10)
            away_at = len(scene.history.shown)
            await asyncio.sleep(AWAY)
            told = scene.history.shown[away_at:]
            await asyncio.to_thread(brand.running.ensure_postgres_running)
            async with asyncio.timeout(TEMPER.longest + SLACK):
                await scene.true_answer()
            await scene.drain()
            opened = [each for each in scene.programs[0].logged("breaker_open") if each["what"] == "records"]
            words = Counter(each.text for each in told).most_common(3)
            tell(f"seed {seed}: while it was away: {words}; opened {len(opened)} times")
            unheard = unheard_of(scene.history)
            assert len(outcomes.with_people(database, unheard)) == len(unheard)
            assert told
            assert opened


def unheard_of(history: History) -> list[Asked]:
    """Return the acknowledged messages after which their customer saw nothing of ours any more."""
    last = {each.conversation: each.at for each in history.shown}
    acknowledged = [each for each in history.asked if each.acknowledged_at is not None]
    return [each for each in acknowledged if last.get(each.conversation, 0) < each.written_at]
