"""`connect CHANNEL`: from a vendor's page to the first message that is heard and answered."""

from __future__ import annotations

import argparse
import asyncio
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import SecretStr, ValidationError
from rich.console import Console
from rich.markdown import Markdown

from bot.clock import SystemClock
from bot.commands.asking import Asking, Silent, Terminal
from bot.commands.hello import Ear, answer, listening
from bot.commands.questions import Question, from_environment, questions, section_of, steps
from bot.commands.settings_file import put_account, put_public_url, write
from bot.connecting import lone_facilities
from bot.domain.connectors import Checking, Closing, Connector, ConnectorRegistry, Registering, Sent
from bot.domain.errors import SettingsError
from bot.instance import only_instance, only_user
from bot.opening import open_database
from bot.pipeline.receive import Receiver
from bot.settings import PREFIX, Settings, explain
from bot.store.database import Database
from bot.store.hints import Hint
from connectors.setup import ChannelSettings, Facilities

#: What is written where no settings file is named.
DEFAULT_FILE = Path("tandem.toml")
#: Seconds that a channel may take to take us in.
_REGISTERS_WITHIN = 60.0
_PUBLIC_URL = "service.public_url"
_ADDRESS = "the address at which the channel reaches Tandem, as https://care.example.com"
_REPLY = "Hello! Tandem hears you ({code}), and you hear Tandem: this account is connected."


@dataclass(frozen=True, kw_only=True)
class Order:
    """What to connect and how."""

    section: type[ChannelSettings]
    #: the settings file
    path: Path
    #: members that the command line gives; `service.public_url` may be among them
    given: Mapping[str, str] = field(default_factory=dict)
    #: members that the environment gives
    from_environment: frozenset[str] = frozenset()
    #: whether this is one more account of the channel
    is_another: bool = False
    #: whether the channel is left alone
    is_offline: bool = False
    #: seconds to wait for the first message; 0: not at all
    waits_for: float = 180.0
    #: what the first message has to name
    code: str = ""


def connect(settings: Settings, arguments: argparse.Namespace, environ: Mapping[str, str], path: Path | None) -> int:
    """Set up what the arguments name; return 1 when the first message did not come or could not be answered."""
    console = Console(highlight=False)
    asking: Asking = Silent() if arguments.yes else Terminal(console)
    section = section_of(arguments.channel)
    order = Order(
        section=section,
        path=path or DEFAULT_FILE,
        given=dict(_pair(each) for each in arguments.set or []),
        from_environment=from_environment(environ, section, PREFIX),
        is_another=arguments.another,
        is_offline=arguments.offline,
        waits_for=arguments.wait,
        code=f"{secrets.randbelow(9000) + 1000}",
    )
    # What comes while we listen goes into the database of a Tandem that must not run meanwhile.
    service = settings.service
    with only_instance(service.state_dir, service.home), only_user(service.database, service.home):
        return asyncio.run(Connecting(settings, order, asking, console).run())


def _pair(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not separator:
        raise SettingsError(f"--set {text}: write NAME=VALUE")
    return name.strip(), value


class Connecting:
    """One walk through the set-up of an account."""

    def __init__(self, settings: Settings, order: Order, asking: Asking, console: Console) -> None:
        """Begin with the settings as they are."""
        self._settings = settings
        self._order = order
        self._asking = asking
        self._console = console
        self._is_url_new = False

    async def run(self) -> int:
        """Ask, look whether the channel agrees, write it down, and listen for the first message."""
        section = self._order.section
        if guide := steps(section):
            self._console.print(Markdown(guide))
            self._console.print(f"All of it: docs/connect-{section.section}.md\n", style="dim")
        await self._find_public_url()
        async with open_database(self._settings) as database:
            account, connectors = await self._ask(lone_facilities(self._settings, database, SystemClock()))
            try:
                return await self._go(account, ConnectorRegistry(connectors=connectors), database)
            finally:
                for each in connectors:
                    if isinstance(each, Closing):
                        await each.close()

    async def _go(self, account: ChannelSettings, registry: ConnectorRegistry, database: Database) -> int:
        if self._order.is_offline:
            await self._write(account)
            return 0
        ear = Ear(registry=registry, receiver=Receiver(database, SystemClock(), Hint()), code=self._order.code)
        async with listening(self._settings, ear):
            for each in registry.connectors:
                await self._register(each)
            await self._write(account)
            return await self._listen(ear) if self._order.waits_for else 0

    async def _ask(self, facilities: Facilities) -> tuple[ChannelSettings, tuple[Connector, ...]]:
        """Return an account that fits, and its connectors.

        What is wrong is said, and asked for again where somebody is there to ask.
        """
        section, known = self._order.section, self._known()
        kept = {} if known is None else known.model_dump(exclude_unset=True)
        given = {name: value for name, value in self._order.given.items() if name != _PUBLIC_URL}
        values = ({} if known is None else _texts(known)) | given
        while True:
            for each in self._asked():
                if each.name not in given:
                    values[each.name] = await self._answer(each, values)
            given = {}
            try:
                account = section.model_validate(kept | {name: value for name, value in values.items() if value})
                if not account.is_set:
                    raise SettingsError(f"{section.section}.{section.needed[0]} is missing")
                account.fit(self._settings.service.public_url)
                return account, account.connectors(facilities)
            except ValidationError as error:
                problem = explain(error, section.section)
            except (ValueError, SettingsError) as error:
                problem = str(error)
            if not self._asking.is_patient:
                raise SettingsError(problem)
            self._console.print(problem, style="red", markup=False)

    def _known(self) -> ChannelSettings | None:
        """Return the account that is changed; none for a new one."""
        known = [each for each in self._settings.accounts if isinstance(each, self._order.section)]
        return None if self._order.is_another or not known else known[-1]

    def _asked(self) -> list[Question]:
        return [each for each in questions(self._order.section) if each.name not in self._order.from_environment]

    async def _answer(self, question: Question, values: Mapping[str, str]) -> str:
        present = values.get(question.name, "")
        if not present and question.is_made_up:
            present = secrets.token_urlsafe(24)
        words = question.words if question.is_needed else f"{question.words} (may be left out)"
        return await self._asking.ask(question.name, words, present=present, is_secret=question.is_secret)

    async def _find_public_url(self) -> None:
        """Take the address at which channels reach us from the command line, or ask for one that is needed."""
        url = self._order.given.get(_PUBLIC_URL, "")
        if not url and self._order.section.is_called and self._settings.service.public_url is None:
            url = await self._asking.ask(_PUBLIC_URL, _ADDRESS, present="", is_secret=False)
        if url:
            service = self._settings.service.model_copy(update={"public_url": url.rstrip("/")})
            self._settings = self._settings.model_copy(update={"service": service})
            self._is_url_new = True

    async def _register(self, connector: Connector) -> None:
        """Tell the channel where we are, if it wants to know, and say how the account is."""
        line = ""
        try:
            async with asyncio.timeout(_REGISTERS_WITHIN):
                if isinstance(connector, Registering):
                    await connector.register()
                if isinstance(connector, Checking):
                    line = await connector.check()
        except TimeoutError:
            raise SettingsError(
                f"{connector.channel} takes us not in within {_REGISTERS_WITHIN:.0f} seconds; check the network"
            ) from None
        if line:
            self._console.print("[green]✓[/green] ", end="")
            self._console.print(f"{connector.channel}: {line}", markup=False, soft_wrap=True)

    async def _write(self, account: ChannelSettings) -> None:
        """Write the account to the settings file, if that is wanted."""
        path, section = self._order.path, self._order.section.section
        values = {
            name: value for name, value in _texts(account).items() if value and name not in self._order.from_environment
        }
        if not await self._asking.confirm(f"Write [{section}] to {path}?"):
            self._console.print("Nothing was written.")
            return
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        text = put_account(text, section, values, is_another=self._order.is_another)
        if self._is_url_new and self._settings.service.public_url is not None:
            text = put_public_url(text, self._settings.service.public_url)
        write(path, text)
        self._console.print(f"[green]✓[/green] written to {path}; start with `python -m bot --settings {path} run`")

    async def _listen(self, ear: Ear) -> int:
        self._console.print(f"\nNow write [bold]hello {ear.code}[/bold] to the account …")
        message = await ear.hears(self._order.waits_for)
        if message is None:
            self._console.print("[red]✗[/red] Nothing came with that code. See “When something is wrong” in the guide.")
            return 1
        self._console.print("[green]✓[/green] heard: ", end="")
        self._console.print(
            f"{message.display_name or message.address.external_id} wrote “{message.text}”", markup=False
        )
        result = await answer(ear.registry, message, _REPLY.format(code=ear.code))
        if not isinstance(result, Sent):
            self._console.print(f"[red]✗[/red] not answered: {result.reason}")
            return 1
        self._console.print("[green]✓[/green] answered: look there, it should say that Tandem hears you")
        return 0


def _texts(account: ChannelSettings) -> dict[str, str]:
    """Return the members of an account that differ from their defaults, as text."""
    found = {}
    for name, member in type(account).model_fields.items():
        value = getattr(account, name)
        if value != member.default and isinstance(value, str | SecretStr):
            found[name] = value.get_secret_value() if isinstance(value, SecretStr) else value
    return found
