"""Draw the pictures of docs/agents.md: `make pictures`."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
from dataclasses import replace
from datetime import UTC
from pathlib import Path
from typing import Any

from playwright.async_api import async_playwright

from bot.desk.slack import home, modals, thread
from bot.desk.slack.blocks import Block, Post
from bot.desk.slack.card import card
from bot.desk.slack.home import Home
from bot.desk.slack.modals import Draft
from bot.desk.slack.prompts import presets
from bot.domain.channels import ChannelName
from bot.domain.messages import DeliveryState, TranscriptLine
from tests.pictures.block_kit import Paper
from tests.pictures.scenes import NOW, SAM, broken_mug, in_work, load, numbers, other

FOLDER = Path(__file__).parents[2] / "docs" / "images"
WORKSPACE = "https://copperleaf.slack.com/"


def pictures() -> dict[str, str]:
    """Return each picture's page by its name."""
    paper = Paper(NOW)
    return {
        "desk-card": _card(paper),
        "desk-thread": _thread(paper),
        "desk-modals": _modals(paper),
        "desk-home": _home(paper),
    }


def _card(paper: Paper) -> str:
    return paper.page(paper.message(_blocks(card(broken_mug())), "2:04 PM"))


def _thread(paper: Paper) -> str:
    view = in_work()
    answer, question = view.transcript[-2], view.transcript[-1]
    failed = _failed(view.transcript[-2])
    return paper.page(
        paper.row(
            paper.message(_blocks(card(view)), "2:04 PM"),
            paper.thread(
                paper.message(_blocks(thread.transcript(view)), "2:04 PM"),
                paper.person("Sam", f"> {answer.text}", "2:08 PM", marks="👀 1"),
                paper.person("Kim", "Refund is booked, ref 88-31", "2:09 PM"),
                paper.message(_blocks(thread.line(question, view)), "2:10 PM"),
                paper.message(_blocks(thread.suggestion(view.suggestions[0], view)), "2:10 PM"),
                paper.message(_blocks(thread.failure(failed, view)), "2:11 PM"),
            ),
        )
    )


def _failed(entry: TranscriptLine) -> TranscriptLine:
    reason = "Dana has blocked the bot on Telegram."
    return replace(entry, text="It takes three to five days.", delivery=DeliveryState.FAILED, delivery_detail=reason)


def _modals(paper: Paper) -> str:
    view = in_work()
    text = "It takes three to five working days, Dana. If it is not there by Friday, write here: it comes back to me."
    draft = Draft(text=text, shown=modals.digest(text))
    return paper.page(
        paper.row(
            paper.modal(_json(modals.reply(view, draft, "1", [text]))),
            paper.modal(_json(modals.snooze(view, presets(NOW, UTC)))),
            paper.modal(_json(modals.more(view))),
        ),
        "<br>",
        paper.row(
            paper.modal(_json(modals.resolve(view))),
            paper.modal(_json(modals.hand_back(view))),
            paper.modal(_json(modals.assign(view, [("orders", "Orders"), ("returns", "Returns and refunds")]))),
        ),
    )


def _home(paper: Paper) -> str:
    shown = Home(
        mine=[other(112, "delivery problem", "Ravi Shah", ChannelName("whatsapp"), SAM), in_work()],
        mine_count=2,
        queue_count=2,
        queue=[
            other(116, "invoice", "Jo Miller", ChannelName("webchat")),
            other(120, "wholesale", "Ana Ruiz", ChannelName("instagram")),
        ],
        is_available=True,
        today=numbers(),
        load=load(),
        everybody=replace(numbers(), handled_count=41, promised_count=38, kept_count=36, rated_count=22),
        workspace=WORKSPACE,
    )
    return paper.page(paper.home(_json(home.render(shown))))


def _blocks(post: Post) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = json.loads(json.dumps(post.blocks))
    return made


def _json(view: Block) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(json.dumps(view))
    return made


async def draw(folder: Path) -> None:
    """Take a picture of each page."""
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("Chromium is missing: apt-get install chromium")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = await browser.new_page(viewport={"width": 700, "height": 200}, device_scale_factor=1.5)
        for name, content in pictures().items():
            await page.set_content(content)
            await page.locator("body").screenshot(path=folder / f"{name}.png")
        await browser.close()


if __name__ == "__main__":
    asyncio.run(draw(FOLDER))
