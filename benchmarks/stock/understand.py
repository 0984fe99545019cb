"""Asks a stock model, in the stock environment: `python understand.py MODEL < texts > said`.

Speaks as `benchmarks/understanding/ours.py` does, and imports nothing of Tandem.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from pathlib import Path


def _resident_bytes() -> int:
    """Return this process's memory by the kernel's own count: a stock environment has no package for it."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def main() -> None:
    """Load the model as Rasa does and parse each text."""
    texts = json.load(sys.stdin)
    channel = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    import logging

    import structlog

    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    from rasa.core.agent import Agent

    agent = Agent.load(sys.argv[1])
    await agent.parse_message("hello")
    boot, memory = time.process_time(), _resident_bytes()
    said = []
    for text in texts:
        parsed = await agent.parse_message(text)
        said.append({key: parsed.get(key) for key in ("intent", "intent_ranking")})
    cpu_ms = (time.process_time() - boot) * 1000 / max(1, len(texts))
    json.dump({"boot": boot, "memory": memory, "cpu_ms": cpu_ms, "said": said}, channel)
    channel.flush()


if __name__ == "__main__":
    asyncio.run(main())
