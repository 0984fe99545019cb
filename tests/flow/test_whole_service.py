"""The program as an operator starts it, used as customers and agents use it."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from playwright.async_api import Browser, expect

from bot.trainer.training import train
from simulator.telegram import FakeTelegram
from simulator.telegram_server import running
from tests.fakes.slack import APP_TOKEN, BOT_TOKEN, FakeSlack
from tests.fakes.slack_api import QUEUE
from tests.faults.running import ROOT, Program

ALICE = "U0ALICE"
#: Seconds for something to happen in another process on a busy machine.
_SOON = 20.0


@pytest.fixture(scope="session", autouse=True)
def model() -> Path:
    """Return a model of the bot as it stands, so that no test waits for one to be trained."""
    return asyncio.run(train(ROOT, ROOT / "var" / "models", lambda _: None)).path


@asynccontextmanager
async def started(folder: Path, model: Path, **settings: str) -> AsyncIterator[Program]:
    """Run `python -m bot run` beside the sample shop until the block ends."""
    own = {"TANDEM_ENGINE__MODEL": str(model), "TANDEM_SERVICE__DATABASE": f"sqlite:///{folder}/tandem.db"}
    program = Program(command="run", state_dir=folder, environ=own | settings)
    await program.start()
    try:
        async with aiohttp.ClientSession() as session:
            await program.until_ready(session)
        yield program
    finally:
        await program.end()


async def until(is_so: Callable[[], object]) -> None:
    """Wait until `is_so`."""
    async with asyncio.timeout(_SOON):
        while not is_so():  # noqa: ASYNC110 - other processes do what is waited for
            await asyncio.sleep(0.05)


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.asyncio(loop_scope="session")
async def test_a_customer_in_the_web_chat_and_an_agent_at_the_local_desk(
    browser: Browser, tmp_path: Path, model: Path
) -> None:
    """Question, proof, answer, wish for a person, claim, reply: in two browsers, by the printed addresses."""
    async with started(tmp_path, model) as program:
        customer = await (await browser.new_context(locale="en-GB")).new_page()
        await customer.goto(f"{program.url}/")
        await customer.locator(".launcher").click()
        log, box = customer.get_by_role("log"), customer.get_by_role("textbox")
        await box.fill("wheres my order CL-104233")
        await box.press("Enter")
        await expect(log).to_contain_text("postcode", timeout=_SOON * 1000)
        await box.fill("BS6 5TB")
        await box.press("Enter")
        await expect(log).to_contain_text("Evri", timeout=_SOON * 1000)
        await box.fill("can i talk to a person please")
        await box.press("Enter")
        await expect(log).to_contain_text("next in line", timeout=_SOON * 1000)

        [link] = re.findall(r"http\S+/desk/enter\S+", program.log_path.read_text())
        agent = await (await browser.new_context(locale="en-GB")).new_page()
        await agent.goto(link)
        await agent.get_by_role("textbox").fill("Sam")
        await agent.get_by_role("textbox").press("Enter")
        await agent.locator("a", has_text="Priya Shah").first.click()
        await agent.get_by_role("button", name="Claim").click()
        await expect(customer.get_by_role("log")).to_contain_text("Sam has joined", timeout=_SOON * 1000)
        await agent.get_by_role("textbox").first.fill("Hello Priya, how can I help?")
        await agent.get_by_role("button", name="Send").click()
        await expect(log).to_contain_text("Hello Priya, how can I help?", timeout=_SOON * 1000)
        await box.fill("just saying thanks!")
        await box.press("Enter")
        await expect(agent.get_by_text("just saying thanks!").first).to_be_visible(timeout=_SOON * 1000)
        await expect(log).not_to_contain_text("welcome")


@pytest.mark.slow
async def test_a_customer_on_telegram_and_an_agent_in_slack(tmp_path: Path, model: Path) -> None:
    """With tokens the same command serves Telegram and Slack; only an explicit act reaches the customer."""
    async with running(FakeTelegram()) as telegram, FakeSlack() as slack:
        settings = {
            "TANDEM_TELEGRAM__TOKEN": telegram.token,
            "TANDEM_TELEGRAM__BASE_URL": telegram.url,
            "TANDEM_SLACK__BOT_TOKEN": BOT_TOKEN,
            "TANDEM_SLACK__APP_TOKEN": APP_TOKEN,
            "TANDEM_SLACK__CHANNEL": QUEUE,
            "TANDEM_SLACK__BASE_URL": slack.base_url,
        }
        async with started(tmp_path, model, **settings):
            jane = telegram.customer(1)
            jane.writes("/start")
            await jane.sees(1, _SOON)
            jane.writes("i want to speak to a human")
            await jane.sees(3, _SOON)
            await until(lambda: [post for post in slack.messages if "thread_ts" not in post])
            card = next(post["ts"] for post in slack.messages if "thread_ts" not in post)

            await slack.click(ALICE, card, "tandem_claim")
            await until(lambda: any("joined" in shown.text for shown in jane.seen))
            await slack.write(ALICE, card, "this is for us only")
            reply = await slack.write(ALICE, card, "&gt; Hello Jane, Alice here.")
            await until(lambda: jane.seen[-1].text == "Hello Jane, Alice here.")
            await until(lambda: "white_check_mark" in slack.reactions(reply))
            seen_count = len(jane.seen)
            jane.writes("where is my parcel")
            await until(lambda: any("where is my parcel" in str(post) for post in slack.thread(card)))
            await slack.click(ALICE, card, "tandem_hand_back")
            await slack.submit(ALICE, slack.views[-1], "Jane has a new parcel on its way")
            await until(lambda: any("new parcel" in shown.text for shown in jane.seen[seen_count:]))

            said = [shown.text for shown in jane.seen]
            assert not any("for us only" in text for text in said)
            assert not any("order number" in text for text in said)


def test_the_command_line_explains_itself() -> None:
    """`--help` names every command; a setting nobody knows is refused by its name, in one line."""
    helped = subprocess.run(
        [sys.executable, "-m", "bot", "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for command in ("run", "web", "worker", "train", "doctor", "migrate", "desk-link", "dead-letters"):
        assert command in helped.stdout

    refused = subprocess.run(
        [sys.executable, "-m", "bot", "doctor"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={"TANDEM_SERVICE__PROT": "1"},
    )
    assert (refused.returncode, refused.stderr) == (2, "tandem: service.prot: there is no such setting\n")


def test_the_example_settings_are_the_defaults() -> None:
    """The file that explains every setting states what holds without it."""
    from bot.settings import Settings, load

    assert load({}, ROOT / "deploy" / "tandem.example.toml") == Settings()
