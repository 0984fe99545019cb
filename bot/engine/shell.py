"""`rasa shell` of this environment: talk to a model in the terminal, or see what it understands (`rasa shell nlu`)."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import sys
from pathlib import Path
from typing import Any

from rasa.shared.core.trackers import DialogueStateTracker

from bot.engine import logs
from bot.engine.action_calls import ActionEndpoint
from bot.engine.processor import ModelError, StepProcessor
from bot.engine.step import RequestError, StepRequest, TurnFailedError, step


def main(arguments: list[str]) -> int:
    """Talk until `/stop` or the end of the input; 1 where there is no model to talk to."""
    options = _parser().parse_args(arguments)
    logs.configure(logging.ERROR)
    try:
        model = options.model if options.model.is_file() else newest_model(options.model)
        processor = StepProcessor(model, ActionEndpoint(options.actions, "", 10))
    except ModelError as error:
        print(f"rasa shell: {error}", file=sys.stderr)
        return 1
    print(f"{model.name} listens. `/stop` ends the talk.")
    return asyncio.run(_talk(processor, understanding_only=options.mode == "nlu"))


def newest_model(folder: Path) -> Path:
    """Return the newest model in a folder.

    Raises:
        ModelError: it holds none.
    """
    models = sorted(folder.glob("*.tar.gz"), key=lambda path: path.stat().st_mtime)
    if not models:
        raise ModelError(
            f"There is no model in {folder}: run `rasa train` or `python -m bot train`, or name one with --model."
        )
    return models[-1]


async def _talk(processor: StepProcessor, *, understanding_only: bool) -> int:
    events: list[dict[str, Any]] = []
    try:
        while (text := await asyncio.to_thread(_read)) not in (None, "/stop"):
            if understanding_only:
                parsed = processor.understand(text, DialogueStateTracker.from_events("shell", []))
                told = {
                    key: parsed[key]
                    for key in ("intent", "decision", "entities", "intent_ranking", "articles")
                    if key in parsed
                }
                print(json.dumps(told, indent=2))
                continue
            body = {"conversation": "shell", "message_id": str(len(events) + 1), "channel": "shell", "text": text}
            try:
                outcome = await step(processor, StepRequest.from_json({**body, "events": events}))
            except (RequestError, TurnFailedError) as error:
                print(f"(failed: {error}; is the action server running?)")
                continue
            events += outcome["events"]
            for answer in outcome["answers"]:
                print(_shown(answer))
    finally:
        await processor.action_endpoint.close()
    return 0


def _read() -> str | None:
    try:
        return input("> ")
    except EOFError:
        return None


def _shown(answer: dict[str, Any]) -> str:
    lines = [answer["text"] or "", *(f"  [{button['title']}] {button['payload']}" for button in answer["buttons"])]
    lines += [f"  ({key}: {answer[key]})" for key in ("image", "attachment", "custom") if answer[key]]
    return "\n".join(line for line in lines if line)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="rasa shell", description="Talk to a trained model in the terminal.")
    parser.add_argument("mode", nargs="?", choices=["nlu"], help="only show what is understood")
    parser.add_argument(
        "-m", "--model", type=Path, default=Path("models"), help="a model, or a folder whose newest is taken"
    )
    parser.add_argument("--actions", default="http://127.0.0.1:5055/webhook", help="the URL that runs custom actions")
    return parser
