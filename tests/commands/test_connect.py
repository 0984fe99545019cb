from __future__ import annotations

import asyncio
import io
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from rich.console import Console

from bot.__main__ import main
from bot.commands.asking import Asking, Silent
from bot.commands.connect import Connecting, Order
from bot.commands.questions import from_environment, questions, section_of, steps
from bot.domain.errors import SettingsError
from bot.settings import Settings, load
from connectors.registry import SECTIONS
from simulator import graph_server, graph_words, telegram_server
from simulator.graph import FakeGraph
from simulator.telegram import FakeTelegram
from tests.ports import free_port

CODE = "4711"


@dataclass
class Patient:
    """Somebody at a terminal who gives these answers to each question in turn, then keeps what is there."""

    answers: dict[str, list[str]]
    agrees: bool = True
    is_patient: bool = True
    asked: list[str] = field(default_factory=list)

    async def ask(self, name: str, words: str, *, present: str, is_secret: bool) -> str:
        """Give the next answer."""
        assert words
        assert is_secret or name not in {"token", "webhook_secret"}
        self.asked.append(name)
        return self.answers[name].pop(0) if self.answers.get(name) else present

    async def confirm(self, what: str) -> bool:
        """Agree, or not."""
        assert "tandem.toml" in what
        return self.agrees


@dataclass
class Walk:
    """A walk through the set-up of one channel."""

    folder: Path
    channel: str
    given: dict[str, str]
    asking: Asking = field(default_factory=Silent)
    port: int = field(default_factory=free_port)
    waits_for: float = 10.0
    printed: io.StringIO = field(default_factory=io.StringIO)

    async def go(self) -> int:
        """Go it to its end."""
        state = self.folder / "var"
        state.mkdir(exist_ok=True)
        known = {"TANDEM_SERVICE__STATE_DIR": str(state), "TANDEM_SERVICE__PORT": str(self.port)}
        order = Order(
            section=section_of(self.channel),
            path=self.path,
            given=self.given,
            code=CODE,
            waits_for=self.waits_for,
        )
        console = Console(file=self.printed, width=160, highlight=False)
        return await Connecting(load(known), order, self.asking, console).run()

    @property
    def path(self) -> Path:
        """The settings file."""
        return self.folder / "tandem.toml"

    @property
    def said(self) -> str:
        """What was printed."""
        return self.printed.getvalue()

    def written(self) -> Settings:
        """Return the settings that the file makes."""
        return load({}, self.path)


def whatsapp_of(graph: FakeGraph) -> dict[str, str]:
    """Return what an operator knows of the fake's number."""
    return {
        "token": graph.token,
        "app_secret": graph.app_secret,
        "app_id": graph.app_id,
        "phone_number_id": graph.number_id,
        "business_account_id": graph.business_id,
        "base_url": graph.url,
    }


# -------------------------------------------------------------------------------------------------------- the whole way


async def test_telegram_from_token_to_first_answer(tmp_path: Path) -> None:
    """With a token alone Telegram is looked at, written down, heard and answered; nobody else hears anything."""
    async with telegram_server.running(FakeTelegram()) as telegram:
        telegram.customer(1).writes("good morning")
        telegram.customer(2).writes(f"hello {CODE}")
        walk = Walk(tmp_path, "Telegram", {"token": telegram.token, "base_url": telegram.url})
        assert await walk.go() == 0
        (seen,) = telegram.customer(2).seen
        assert not telegram.customer(1).seen

    assert CODE in seen.text
    assert f"hello {CODE}" in walk.said
    assert "@BotFather" in walk.said
    assert telegram.token not in walk.said
    (account,) = walk.written().accounts
    assert account.section == "telegram"
    assert walk.path.stat().st_mode & 0o777 == 0o600


async def test_whatsapp_by_webhook(tmp_path: Path) -> None:
    """Where the channel calls, the webhook is set, heard on our own port and answered; its words are made up."""
    async with graph_server.running(FakeGraph()) as server:
        graph, port = server.graph, free_port()
        jane = graph.person("GB.1")
        given = whatsapp_of(graph) | {"service.public_url": f"http://127.0.0.1:{port}"}
        walk = Walk(tmp_path, "whatsapp", given, port=port)
        walking = asyncio.create_task(walk.go())
        async with asyncio.timeout(20):
            while not walk.path.exists():  # noqa: ASYNC110 - another task writes it
                await asyncio.sleep(0.02)
        assert await server.shake_hands("whatsapp_business_account")
        body = graph_words.text("whatsapp", jane.id, "Jane Doe", "wamid.GB.1.1", f"Hello {CODE}!")
        assert await server.deliver(graph_words.call("whatsapp", [body], graph)) == [200]
        assert await walking == 0
        (seen,) = jane.seen

    assert CODE in seen.text
    assert "Jane Doe wrote" in walk.said
    assert "token does not expire" in walk.said
    written = tomllib.loads(walk.path.read_text())
    assert len(written["whatsapp"]["verify_token"]) >= 24
    assert written["service"] == {"public_url": f"http://127.0.0.1:{port}"}


async def test_wrong_token(tmp_path: Path) -> None:
    """What the channel refuses is said in plain words, and nothing is written."""
    async with telegram_server.running(FakeTelegram()) as telegram:
        walk = Walk(tmp_path, "telegram", {"token": "7000001:another", "base_url": telegram.url})
        with pytest.raises(SettingsError, match="refuses the bot's token"):
            await walk.go()
    assert not walk.path.exists()


async def test_asked_again(tmp_path: Path) -> None:
    """A person who mistypes is told what is wrong and asked again; what was right is kept."""
    async with telegram_server.running(FakeTelegram()) as telegram:
        person = Patient({"token": ["", telegram.token]})
        walk = Walk(tmp_path, "telegram", {"base_url": telegram.url}, asking=person, waits_for=0)
        assert await walk.go() == 0
    assert person.asked.count("token") == 2
    assert "telegram.token is missing" in walk.said


async def test_not_written(tmp_path: Path) -> None:
    """Who does not agree keeps their file as it is."""
    async with telegram_server.running(FakeTelegram()) as telegram:
        person = Patient({"token": [telegram.token]}, agrees=False)
        walk = Walk(tmp_path, "telegram", {"base_url": telegram.url}, asking=person, waits_for=0)
        assert await walk.go() == 0
    assert not walk.path.exists()


async def test_nobody_writes(tmp_path: Path) -> None:
    """When nothing with the code comes, that is said, with where to look."""
    async with telegram_server.running(FakeTelegram()) as telegram:
        telegram.customer(1).writes("hello 9999")
        given = {"token": telegram.token, "base_url": telegram.url}
        walk = Walk(tmp_path, "telegram", given, waits_for=0.3)
        assert await walk.go() == 1
    assert "Nothing came with that code" in walk.said


async def test_address_is_asked_for(tmp_path: Path) -> None:
    """A channel that has to call us cannot be without our address."""
    walk = Walk(tmp_path, "whatsapp", {"token": "x"})
    with pytest.raises(SettingsError, match=r"must be given too|public_url is missing"):
        await walk.go()


# ------------------------------------------------------------------------------------------------------------ questions


@pytest.mark.parametrize("name", SECTIONS)
def test_every_channel_can_be_asked_about(name: str) -> None:
    """Of each channel every needed member is asked for first, in words, and its guide begins with steps."""
    section = SECTIONS[name]
    asked = questions(section)
    assert {each.name for each in asked if each.is_needed} == set(section.needed)
    assert [each.is_needed for each in asked] == sorted((each.is_needed for each in asked), reverse=True)
    assert all(each.words for each in asked)
    assert steps(section).startswith("1. ")
    assert section_of(next(iter(section.titles.values())).upper()) is section


def test_unknown_channel() -> None:
    """A channel that is none is refused with those that there are."""
    with pytest.raises(SettingsError, match="telegram, messenger"):
        section_of("fax")


def test_members_from_the_environment() -> None:
    """What the environment gives of a section is known by name; what is empty there is not given."""
    environ = {"TANDEM_TELEGRAM__TOKEN": "1:a", "TANDEM_TELEGRAM__PROXY_URL": "", "TANDEM_LINE__TOKEN": "x"}
    assert from_environment(environ, SECTIONS["telegram"], "TANDEM_") == {"token"}


# --------------------------------------------------------------------------------------------------------- command line


def test_offline_by_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without asking anybody the section is written beside what is in the file; the environment's share is not."""
    path = tmp_path / "tandem.toml"
    path.write_text(f'# ours\n[service]\nstate_dir = "{tmp_path}/var"  # here\n', encoding="utf-8")
    monkeypatch.delenv("TANDEM_TEST_MODEL", raising=False)
    monkeypatch.setenv("TANDEM_TELEGRAM__TOKEN", "1:a")
    arguments = ["--settings", str(path), "connect", "telegram", "--yes", "--offline", "--set", "webhook_secret=shh"]
    assert main(arguments) == 0

    text = path.read_text(encoding="utf-8")
    assert text.startswith("# ours\n[service]\n")
    assert "# here" in text
    assert tomllib.loads(text)["telegram"] == {"webhook_secret": "shh"}


def test_refused_by_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A member that there is none of, or that is no pair, is refused, and nothing is written."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TANDEM_TEST_MODEL", raising=False)
    for wrong in ("colour=blue", "token"):
        assert main(["connect", "telegram", "--yes", "--offline", "--set", wrong, "--set", "token=1:a"]) == 2
    assert not (tmp_path / "tandem.toml").exists()


def test_nobody_at_the_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where nobody can answer, as in a script, what to do is said, and nothing is written."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TANDEM_TEST_MODEL", raising=False)
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    assert main(["connect", "youtube", "--offline"]) == 2
    assert "--set NAME=VALUE, and --yes" in capsys.readouterr().err
    assert not (tmp_path / "tandem.toml").exists()
