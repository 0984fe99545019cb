"""An engine that is there at once: it speaks as the real one does, and answers by repeating the question.

Started as `python -m tests.faults.quick_engine --model … --socket … --actions …`; it needs the standard library alone.
A file beside the sockets, `mood`, says what it is like from then on: `slow` is late with each turn, `hangs` never ends
one, `lies` answers 200 with what is no turn, `fails` says that each turn failed.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
from pathlib import Path

#: Seconds that a turn takes in the mood `slow`.
LATE = 1.0
_LIES = ("[]", "{}", "", '{"answers": [], "events": {}}', "<html>", '{"recipient_id": "x", "text": "is it?"}')


def turn(text: str) -> dict[str, object]:
    """Return a turn whose one answer repeats the question."""
    return {
        "events": [{"event": "action", "name": "action_listen"}],
        "answers": [{"text": f"You ask: {text}"}],
        "intent": {"name": "ask_product", "confidence": 1.0},
        "ranking": [],
        "fallback": False,
        "active_loop": None,
        "slots": {},
        "actions": [],
        "model_id": "quick",
    }


class Engine:
    """One engine at one socket."""

    def __init__(self, socket: Path) -> None:
        """Listen at `socket` when it is served."""
        self._socket = socket
        self._lies = itertools.cycle(_LIES)

    async def serve(self) -> None:
        """Serve until nobody holds the other end of standard input."""
        server = await asyncio.start_unix_server(self._answer, self._socket)
        await asyncio.to_thread(sys.stdin.buffer.read)
        server.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while request := await reader.readuntil(b"\r\n\r\n"):
                length = next((line for line in request.lower().split(b"\r\n") if b"content-length" in line), b":0")
                body = await reader.readexactly(int(length.partition(b":")[2]))
                status, answer = (200, "{}") if request.startswith(b"GET") else await self._step(json.loads(body))
                head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(answer)}\r\n\r\n"
                writer.write(head.encode() + answer.encode("ascii"))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def _step(self, request: dict[str, object]) -> tuple[int, str]:
        path = self._socket.parent / "mood"
        match path.read_text() if path.exists() else "":
            case "slow":
                await asyncio.sleep(LATE)
            case "hangs":
                await asyncio.Event().wait()
            case "lies":
                return 200, next(self._lies)
            case "fails":
                return 500, '{"error": "a bug"}'
            case _:
                pass
        return 200, json.dumps(turn(str(request["text"])))


if __name__ == "__main__":
    asyncio.run(Engine(Path(sys.argv[sys.argv.index("--socket") + 1])).serve())
