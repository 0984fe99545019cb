from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot.clock import SystemClock
from bot.commands.channels import channels, find_channels
from bot.connecting import lone_connectors
from bot.domain.connectors import Closing, Registering
from bot.opening import open_database
from bot.settings import Settings, load
from connectors.registry import TITLES
from simulator import graph_server, telegram_server
from simulator.graph import FakeGraph
from simulator.telegram import FakeTelegram


def settings_of(folder: Path, **more: str) -> Settings:
    """Return settings with a state folder of their own."""
    environ = {"SERVICE__STATE_DIR": str(folder), "SERVICE__PUBLIC_URL": "https://care.example.com"} | more
    return load({f"TANDEM_{name}": value for name, value in environ.items()})


def telegram_of(telegram: FakeTelegram) -> dict[str, str]:
    """Return the settings of the fake's bot."""
    return {
        "TELEGRAM__TOKEN": telegram.token,
        "TELEGRAM__WEBHOOK_SECRET": "a-secret",
        "TELEGRAM__BASE_URL": telegram.url,
    }


def whatsapp_of(graph: FakeGraph) -> dict[str, str]:
    """Return the settings of the fake's number."""
    members = {
        "TOKEN": graph.token,
        "APP_SECRET": graph.app_secret,
        "VERIFY_TOKEN": "any-words",
        "APP_ID": graph.app_id,
        "PHONE_NUMBER_ID": graph.number_id,
        "BUSINESS_ACCOUNT_ID": graph.business_id,
        "BASE_URL": graph.url,
    }
    return {f"WHATSAPP__{name}": value for name, value in members.items()}


async def register(settings: Settings) -> None:
    """Do what a start of the service does at the channels."""
    async with open_database(settings) as database:
        for each in lone_connectors(settings, database, SystemClock()):
            if isinstance(each, Registering):
                await each.register()
            if isinstance(each, Closing):
                await each.close()


async def test_accounts_as_their_channels_tell(tmp_path: Path) -> None:
    """Each account is shown with what its channel says of it, the token's end included; the rest is not set."""
    ends_at = datetime(2027, 3, 1, tzinfo=UTC)
    graph = FakeGraph(expires_at=int(ends_at.timestamp()))
    async with telegram_server.running(FakeTelegram()) as telegram, graph_server.running(graph):
        settings = settings_of(tmp_path, **telegram_of(telegram), **whatsapp_of(graph))
        await register(settings)
        found = {each.channel: each for each in await find_channels(settings, is_offline=False)}

    assert set(found) == set(TITLES)
    assert {name for name, each in found.items() if each.state == "not set"} == set(TITLES) - {
        "webchat",
        "telegram",
        "whatsapp",
    }
    assert found["telegram"].state == found["whatsapp"].state == "reachable"
    assert "webhook https://care.example.com/webhooks/telegram/7000001" in found["telegram"].detail
    assert found["whatsapp"].token_expires_at == ends_at
    assert (found["whatsapp"].account, found["whatsapp"].way) == (graph.number_id, "called")
    assert found["telegram"].token_expires_at is None
    assert (found["webchat"].way, found["webchat"].is_public) == ("served", False)


async def test_account_in_trouble(tmp_path: Path) -> None:
    """An account whose token is refused, or whose webhook is not there, is in trouble, with what to do about it."""
    async with telegram_server.running(FakeTelegram()) as telegram, graph_server.running(FakeGraph()) as server:
        wrong = telegram_of(telegram) | {"TELEGRAM__TOKEN": "7000001:of-another"}
        settings = settings_of(tmp_path, **wrong, **whatsapp_of(server.graph))
        found = {each.channel: each for each in await find_channels(settings, is_offline=False)}

    assert found["telegram"].state == found["whatsapp"].state == "in trouble"
    assert "token" in found["telegram"].detail
    assert "start Tandem" in found["whatsapp"].detail


def test_for_programs_and_people(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As JSON every channel is an object with the same members; for people what is not set is named below."""
    telegram = {"TELEGRAM__TOKEN": "7:a", "TELEGRAM__WEBHOOK_SECRET": "a-secret"}
    settings = settings_of(tmp_path, **telegram)
    assert channels(settings, is_json=True, is_offline=True) == 0
    printed = capsys.readouterr().out
    lines = json.loads(printed[printed.index("[\n {") :])
    assert {line["channel"] for line in lines} == set(TITLES)
    assert len({tuple(line) for line in lines}) == 1

    assert channels(settings, is_json=False, is_offline=True) == 0
    shown = capsys.readouterr().out
    assert "Telegram" in shown
    assert "whatsapp" in shown.partition("Not set:")[2]


def test_exit_status(tmp_path: Path) -> None:
    """Accounts in trouble are a failure for scripts."""
    settings = settings_of(
        tmp_path,
        TELEGRAM__TOKEN="7:a",
        TELEGRAM__WEBHOOK_SECRET="a-secret",
        TELEGRAM__BASE_URL="http://127.0.0.1:1",
    )
    assert channels(settings, is_json=True, is_offline=False) == 1
