"""Asks a model of ours, in a process of its own: `python -m benchmarks.understanding.ours MODEL < texts > said`.

Standard input has a JSON list of texts; standard output gets {"boot", "memory", "cpu_ms", "said"}: CPU seconds of
start and load, resident bytes after it, CPU milliseconds a message, and what was understood of each text.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil


def main() -> None:
    """Load the model as the engine does and understand each text in the graph as the engine does."""
    texts = json.load(sys.stdin)
    understand = understander(Path(sys.argv[1]))
    understand("hello")
    boot, memory = time.process_time(), psutil.Process().memory_info().rss
    said = []
    for text in texts:
        parsed = understand(text)
        said.append({key: parsed.get(key) for key in ("intent", "intent_ranking", "in_scope")})
    cpu_ms = (time.process_time() - boot) * 1000 / max(1, len(texts))
    json.dump({"boot": boot, "memory": memory, "cpu_ms": cpu_ms, "said": said}, sys.stdout)


def understander(model: Path) -> Callable[[str], dict[str, Any]]:
    """Return what tells all that the engine understands of a message that opens a conversation."""
    from bot.engine import logs, without_tensorflow

    without_tensorflow.install()
    logs.configure()
    from bot.engine.action_calls import ActionEndpoint
    from bot.engine.processor import StepProcessor
    from bot.engine.tracker import StepTracker

    processor = StepProcessor(model, ActionEndpoint("http://127.0.0.1:1/", "", 5))
    tracker = StepTracker.from_events("asked", [], processor.domain.slots, domain=processor.domain)
    return lambda text: processor.understand(text, tracker)


if __name__ == "__main__":
    main()
