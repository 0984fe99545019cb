"""A bot that nobody here wrote the speech of (PyPI `discord.py`), for our fake Discord: it answers with a button.

The first line is {"url": …, "token": …}; each line after it is answered with what the bot has heard so far.
"""

from __future__ import annotations

import asyncio
import io
import json
import sys
from typing import Any

import discord
import yarl


class Bot(discord.Client):  # type: ignore[misc]
    """Answers what it hears, edits the answer when its button is tapped, and sends a file for `file`."""

    def __init__(self) -> None:
        intents = discord.Intents(guilds=True, dm_messages=True, dm_reactions=True, guild_messages=True)
        super().__init__(intents=intents)
        self.heard: list[Any] = []

    async def on_ready(self) -> None:
        """Note that the session stands."""
        self.heard.append(["ready", str(self.user.id), [each.name for each in self.guilds]])

    async def on_message(self, message: discord.Message) -> None:
        """Answer what others write."""
        if message.author == self.user:
            return
        self.heard.append(["message", message.content, str(message.author.id), type(message.channel).__name__])
        if message.content == "file":
            await message.channel.send(file=discord.File(io.BytesIO(b"%PDF"), "receipt.pdf"))
            return
        view = discord.ui.View(timeout=None)
        view.add_item(discord.ui.Button(label="Yes", custom_id="yes-key"))
        async with message.channel.typing():
            await message.reply(f"re: {message.content}", view=view, mention_author=False)

    async def on_interaction(self, interaction: discord.Interaction) -> None:
        """Acknowledge a tap, then change what it was below."""
        self.heard.append(["tap", interaction.data["custom_id"]])
        await interaction.response.defer()
        await interaction.message.edit(content="done", view=None)

    async def on_raw_message_edit(self, payload: discord.RawMessageUpdateEvent) -> None:
        """Note changes."""
        self.heard.append(["edit", payload.data["content"]])

    async def on_raw_message_delete(self, payload: discord.RawMessageDeleteEvent) -> None:
        """Note deletions."""
        self.heard.append(["delete", str(payload.message_id)])

    async def on_raw_reaction_add(self, payload: discord.RawReactionActionEvent) -> None:
        """Note signs."""
        self.heard.append(["reaction", payload.emoji.name])

    async def on_resumed(self) -> None:
        """Note that a session goes on."""
        self.heard.append(["resumed"])


async def main() -> None:
    """Run the bot until the standard input ends."""
    given = json.loads(await asyncio.to_thread(sys.stdin.readline))
    discord.http.Route.BASE = f"{given['url']}/api/v10"
    discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(f"{given['url']}/gateway/".replace("http", "ws", 1))
    bot = Bot()
    running = asyncio.create_task(bot.start(given["token"]))
    while True:
        sys.stdout.write(json.dumps([["ended", repr(running.exception())]] if running.done() else bot.heard) + "\n")
        sys.stdout.flush()
        if not await asyncio.to_thread(sys.stdin.readline):
            break
    await bot.close()


asyncio.run(main())
