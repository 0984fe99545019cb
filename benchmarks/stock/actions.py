"""The sample brand's actions as an action server of Rasa's kind, for the stock Rasa of the benchmark.

They are the very actions that Tandem runs, over the same sample shop, served from Tandem's environment; their packages
do not fit into the stock one. Nobody is remembered here, for there is no pipeline that keeps proofs.
"""

from __future__ import annotations

import argparse
import asyncio
from datetime import UTC, datetime
from pathlib import Path

from aiohttp import web

from actions.server import ActionServer, build_actions
from bot.clock import SystemClock
from bot.domain.assurance import Assurance
from bot.domain.conversations import ConversationId
from bot.domain.customers import OrderNumber
from bot.store.customer_mapping import load_mapping
from bot.store.customers.directory import SqlCustomerDirectory
from bot.store.sample_shop.shop import open_sample_shop

#: Requests carry the whole dialogue and the domain.
_BODY_MAX = 64_000_000


class Strangers:
    """`Assurances` that know nobody."""

    async def assurance(self, conversation_id: ConversationId) -> Assurance:
        """Return that nothing is known."""
        del conversation_id
        return Assurance()

    async def is_guessed_at(self, number: OrderNumber, proof: str, now: datetime) -> bool:
        """Return that nobody guesses."""
        del number, proof, now
        return False


async def serve(port: int, shop_file: Path) -> None:
    """Serve the actions on a loopback port until cancelled."""
    shop = await open_sample_shop(shop_file, datetime.now(UTC).date())
    directory = SqlCustomerDirectory(shop.url, load_mapping(None))
    server = ActionServer(build_actions(directory, Strangers(), SystemClock()))

    async def answer(request: web.Request) -> web.Response:
        status, body = await server.run(await request.json())
        return web.json_response(body, status=status)

    app = web.Application(client_max_size=_BODY_MAX)
    app.router.add_post("/webhook", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--shop", type=Path, required=True)
    chosen = parser.parse_args()
    asyncio.run(serve(chosen.port, chosen.shop))
