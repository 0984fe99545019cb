"""A process that speaks as the engine does and does what the text says: `hang`, `die`, `shout`, `slow`, `wait`.

It waits for a file `go` beside its socket. The name of its model is also what it is like from the start: `broken` ends
at once, `silent` is never ready, `fickle` is well once and dies when asked again.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
import time
from pathlib import Path

from aiohttp import web


async def health(request: web.Request) -> web.Response:
    """Say that all is well."""
    if request.app["model"] == "fickle" and request.app["health"].pop("asked", False):
        os.kill(os.getpid(), signal.SIGKILL)
    request.app["health"]["asked"] = True
    return web.json_response({"status": "ready"})


async def step(request: web.Request) -> web.Response:
    """Return a turn that names the model and the process."""
    body = await request.json()
    match body["text"]:
        case "hang":
            time.sleep(60)  # noqa: ASYNC251 - the loop stands still, as it would
        case "die":
            os.kill(os.getpid(), signal.SIGKILL)
        case "shout":
            print("x" * 300_000, flush=True)  # noqa: T201 - this is what is tested
        case "slow":
            await asyncio.sleep(0.5)
        case "wait":
            while not (request.app["folder"] / "go").exists():  # noqa: ASYNC110 - another process makes it
                await asyncio.sleep(0.02)
        case _:
            pass
    model = request.app["model"]
    return web.json_response(
        {
            "events": [],
            "answers": [{"text": f"{model} {os.environ['ENGINE_ACTIONS_TOKEN']}"}],
            "intent": {"name": "any", "confidence": 1.0},
            "ranking": [],
            "fallback": False,
            "active_loop": None,
            "slots": {"pid": os.getpid(), "environ": sorted(name for name in os.environ if name.startswith("TANDEM"))},
            "model_id": model,
        }
    )


async def serve(socket: str, model: str) -> None:
    """Serve until told to stop, or until nobody holds the other end of standard input."""
    app = web.Application()
    app["model"] = model
    app["folder"] = Path(socket).parent
    app["health"] = {}
    app.add_routes([web.get("/health", health), web.post("/step", step)])
    runner = web.AppRunner(app, shutdown_timeout=5)
    await runner.setup()
    if model != "silent":
        await web.UnixSite(runner, socket).start()
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stopping.set)
    loop.add_reader(sys.stdin.fileno(), lambda: stopping.set() if not os.read(sys.stdin.fileno(), 100) else None)
    await stopping.wait()
    await runner.cleanup()


def main() -> None:
    """Read the engine's arguments."""
    parser = argparse.ArgumentParser()
    for name in ("--model", "--socket", "--actions"):
        parser.add_argument(name, required=True)
    arguments = parser.parse_args()
    model = Path(arguments.model).stem
    if model == "broken":
        sys.exit("the model is not a model")
    asyncio.run(serve(arguments.socket, model))


if __name__ == "__main__":
    main()
