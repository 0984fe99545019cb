"""Starts the engine: `python -m bot.engine --model PATH (--socket PATH | --port N) --actions URL`."""

from __future__ import annotations

import argparse
import gc
import os
import socket
import sys
from pathlib import Path
from typing import Any

from bot.engine import logs, without_tensorflow


def main() -> int:
    """Load the model and serve it until told to stop; 1 with one line on standard error where that cannot be."""
    arguments = _parser().parse_args()
    without_tensorflow.install()
    logs.configure()
    from bot.engine.action_calls import ActionEndpoint
    from bot.engine.processor import ModelError, StepProcessor
    from bot.engine.server import build_app, describe, stop_with_parent

    token = arguments.actions_token or os.environ.get("ENGINE_ACTIONS_TOKEN", "")
    endpoint = ActionEndpoint(arguments.actions, token, arguments.actions_timeout)
    try:
        processor = StepProcessor(arguments.model, endpoint)
    except ModelError as error:
        print(f"engine: {error}", file=sys.stderr)
        return 1
    app = build_app(processor, describe(processor, arguments.model))
    # What is loaded stays: without it, looking for garbage takes a moment instead of a tenth of a second.
    gc.collect()
    gc.freeze()
    stop_with_parent(app)
    try:
        door = _bind(arguments.socket) if arguments.socket else {"host": "127.0.0.1", "port": arguments.port}
        app.run(**door, single_process=True, motd=False, access_log=False)
    except OSError as error:
        print(f"engine: cannot listen at {arguments.socket or arguments.port}: {error}", file=sys.stderr)
        return 1
    finally:
        if arguments.socket:
            arguments.socket.unlink(missing_ok=True)
    return 0


def _bind(path: Path) -> dict[str, Any]:
    """Return the option that makes Sanic serve the Unix socket `path`.

    Sanic's own option binds a name 45 characters longer first, and a socket's path has room for 107.
    """
    path.unlink(missing_ok=True)
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    bound.bind(str(path))
    path.chmod(0o600)
    return {"sock": bound}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bot.engine", description="Answers /step for one model and keeps nothing."
    )
    parser.add_argument("--model", type=Path, required=True, help="the model's .tar.gz")
    door = parser.add_mutually_exclusive_group(required=True)
    door.add_argument("--socket", type=Path, help="the Unix socket to listen on")
    door.add_argument("--port", type=int, help="the loopback port to listen on")
    parser.add_argument("--actions", required=True, help="the URL that runs custom actions")
    parser.add_argument("--actions-token", default="", help="proves the engine to it; better in ENGINE_ACTIONS_TOKEN")
    parser.add_argument("--actions-timeout", type=float, default=10.0, help="seconds an action may take")
    return parser


if __name__ == "__main__":
    sys.exit(main())
