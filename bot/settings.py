"""Everything an operator can set, read once at start from one file and the environment.

The file is TOML (`deploy/tandem.example.toml` explains every line). A variable `TANDEM_SECTION__NAME` overrides
`name` of `[section]`. Anything that is not known is refused by its name.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import unquote, urlsplit

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    SecretStr,
    SerializeAsAny,
    ValidationError,
    field_validator,
    model_validator,
)

from bot.desk_settings import (
    DeskSettings,
    HoursSettings,
    PromiseSettings,
    PublicSettings,
    TeamSettings,
    check_rules,
)
from bot.domain.errors import SettingsError
from bot.domain.hours import ALWAYS
from bot.domain.rules import Rules
from connectors.registry import SECTIONS, TITLES
from connectors.setup import ChannelSettings

PREFIX = "TANDEM_"
#: Environment variables of ours that are not settings.
FILE_VARIABLE = "TANDEM_SETTINGS"
#: What the environment writes with commas.
_LISTS = frozenset(
    {
        ("service", "trusted_proxies"),
        ("webchat", "allowed_origins"),
        ("hours", "holidays"),
        ("desk", "leads"),
        ("public", "invite_to"),
    }
)


def _read_proxies(value: object) -> IPv4Network | IPv6Network:
    try:
        network = ip_network(str(value))
    except ValueError:
        raise ValueError(f"{value} is neither an address (10.0.0.5) nor a network (10.0.0.0/24)") from None
    if network.prefixlen == 0:
        raise ValueError(f"{value} is everybody: then everybody may pretend to be anybody; name the proxies alone")
    return network


#: An address or a network.
Proxies = Annotated[IPv4Network | IPv6Network, PlainValidator(_read_proxies)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ServiceSettings(_Section):
    """Where the service listens and keeps its state."""

    host: str = "127.0.0.1"
    #: webhooks, web chat, local desk
    port: int = Field(default=8080, ge=1, le=65535)
    #: metrics, health and the engine's calls to actions
    internal_port: int = Field(default=8081, ge=1, le=65535)
    #: where that listens; 0.0.0.0 only where a firewall keeps all but probes and Prometheus away
    internal_host: Literal["127.0.0.1", "0.0.0.0"] = "127.0.0.1"  # noqa: S104
    #: how customers' networks reach us (https://care.example.com); none: channels are polled
    public_url: str | None = None
    #: what stands between customers and us, as 10.0.0.5 or 10.0.0.0/24: of these alone `X-Forwarded-For` is believed
    trusted_proxies: tuple[Proxies, ...] = ()
    #: run-time state: models, files, sockets
    state_dir: Path = Path("var")
    #: sqlite:///FILE or postgresql://USER@HOST/NAME; none: tandem.db in `state_dir`
    database: str = Field(default_factory=lambda known: f"sqlite:///{known['state_dir']}/tandem.db", repr=False)
    #: what browser sessions are signed with; replicas share it. none: made once and kept in `state_dir`
    secret: SecretStr | None = Field(default=None, min_length=16)
    #: messages that are worked on at once
    concurrency: int = Field(default=8, ge=1, le=64)
    #: seconds for which the rest of what a customer begins is waited for; 0: every message is a turn of its own. none:
    #: as long as is usual on each channel
    debounce: float | None = Field(default=None, ge=0, le=10)

    @property
    def home(self) -> str:
        """The address people open."""
        return self.public_url or f"http://{self.host}:{self.port}"

    @model_validator(mode="after")
    def _ports_differ(self) -> Self:
        if self.port == self.internal_port:
            raise ValueError("service.port and service.internal_port are the same; give them different numbers")
        return self


class BrandSettings(_Section):
    """How the brand presents itself."""

    name: str = "Copperleaf"
    #: whether `/` shows the sample brand's page
    has_sample_site: bool = True


class WebChatSettings(_Section):
    """The chat on the brand's own site."""

    is_enabled: bool = True
    #: sites that may embed the chat, as https://shop.example.com; the service's own address may always
    allowed_origins: tuple[str, ...] = ()
    #: a page with the chat, for links that lead to it; none: the sample page, where that can be reached
    page: str | None = None

    @field_validator("page")
    @classmethod
    def _is_page(cls, page: str | None) -> str | None:
        if page is not None and not re.fullmatch(r"https?://[!-~]{1,200}", page):
            raise ValueError(f"{page} is no page: write it as https://www.example.com/help")
        return page


class SlackSettings(_Section):
    """The workspace where agents work."""

    #: xoxb-…; none: the local desk is the desk
    bot_token: SecretStr | None = None
    #: xapp-…: Socket Mode; none: Slack calls `service.public_url`/slack/events
    app_token: SecretStr | None = None
    #: needed without `app_token`
    signing_secret: SecretStr | None = None
    #: id of the channel that holds the queue (C…)
    channel: str | None = None
    #: id of the channel for tickets that cannot be posted in their own; none: they wait until that is mended
    fallback_channel: str | None = None
    #: id of the user group whose members may act (S…), beside those of the teams; none: every full member
    user_group: str | None = None
    base_url: str = "https://slack.com/api/"

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.bot_token is None:
            return self
        if self.channel is None:
            raise ValueError("slack.channel is missing: give the id of the queue's channel (it starts with C)")
        if self.app_token is None and self.signing_secret is None:
            raise ValueError("slack needs app_token (Socket Mode) or signing_secret (HTTP); give one of them")
        return self


class RecordsSettings(_Section):
    """The brand's own records."""

    #: none: the sample shop
    url: SecretStr | None = None
    #: which tables and columns hold what; needed with `url`
    mapping: Path | None = None

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if (self.url is None) != (self.mapping is None):
            raise ValueError("records.url and records.mapping belong together; give both or neither")
        return self


class EngineSettings(_Section):
    """The process that understands."""

    #: a model file; none: the newest one trained from this project
    model: Path | None = None
    #: seconds a turn may take
    timeout: float = Field(default=20.0, gt=0, le=120)


class TelemetrySettings(_Section):
    """Where traces go."""

    #: an OTLP collector over HTTP, as http://127.0.0.1:4318; none: no traces are made
    endpoint: str | None = None

    @field_validator("endpoint")
    @classmethod
    def _is_collector(cls, endpoint: str | None) -> str | None:
        if endpoint is not None and not re.fullmatch(r"https?://[!-~]{1,200}", endpoint):
            raise ValueError(f"{endpoint} is no collector: write it as http://127.0.0.1:4318")
        return endpoint


class LogSettings(_Section):
    """What is written to standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "console", "json"] = "auto"


class Settings(_Section):
    """All settings."""

    service: ServiceSettings = ServiceSettings()
    brand: BrandSettings = BrandSettings()
    webchat: WebChatSettings = WebChatSettings()
    #: those of the channels' own sections, [telegram] and the like, that are set
    accounts: tuple[SerializeAsAny[ChannelSettings], ...] = ()
    slack: SlackSettings = SlackSettings()
    records: RecordsSettings = RecordsSettings()
    engine: EngineSettings = EngineSettings()
    log: LogSettings = LogSettings()
    telemetry: TelemetrySettings = TelemetrySettings()
    #: none: around the clock
    hours: HoursSettings | None = None
    desk: DeskSettings = DeskSettings()
    public: PublicSettings = PublicSettings()
    teams: tuple[TeamSettings, ...] = ()
    promises: tuple[PromiseSettings, ...] = ()

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        # What runs on this machine alone, as the simulator does, needs no certificate.
        if self.service.public_url and not self.service.public_url.startswith(("https://", "http://127.0.0.1:")):
            raise ValueError("service.public_url must start with https://: the channels call nothing else")
        for account in self.accounts:
            account.fit(self.service.public_url)
        if self.slack.bot_token and not self.slack.app_token and not self.service.public_url:
            raise ValueError("service.public_url is missing: without slack.app_token Slack calls us over HTTP")
        check_rules(self.desk, self.teams, self.promises, frozenset(TITLES))
        unknown = set(self.public.invite_to) - set(TITLES)
        if unknown:
            raise ValueError(f"public.invite_to: there is no channel {min(unknown)!r}")
        return self

    def rules(self, reply_windows: Mapping[str, timedelta]) -> Rules:
        """Return how tickets are worked, given how long each channel account (`channel/account`) lets us answer."""
        chosen: Any = {"teams": tuple(team.team() for team in self.teams)} if self.teams else {}
        return Rules(
            hours=self.hours.hours() if self.hours else ALWAYS,
            policies=tuple(promise.policy() for promise in self.promises),
            reply_windows=reply_windows,
            language=self.desk.language,
            leads=self.desk.leads,
            reopen_within=self.desk.reopen_within,
            asks_satisfaction=self.desk.asks_satisfaction,
            widen_after=self.desk.widen_after,
            on_call_after=self.desk.on_call_after,
            **chosen,
        )

    @property
    def chat_page(self) -> str | None:
        """Return the page that links into the web chat lead to; none: there is none that customers can reach."""
        sample = f"{self.service.public_url}/" if self.service.public_url and self.brand.has_sample_site else None
        return self.webchat.page or sample

    @property
    def resending(self) -> frozenset[str]:
        """Return the channels on which a message that may have arrived is sent again."""
        chosen = (account for account in self.accounts if account.on_ambiguous == "resend")
        return frozenset(channel for account in chosen for channel in account.titles)

    def secrets(self) -> list[str]:
        """Return every secret value, for the logs to leave out."""
        sections = (self.service, *self.accounts, self.slack, self.records)
        values = [value for section in sections for _, value in section]
        secrets = [value.get_secret_value() for value in values if isinstance(value, SecretStr)]
        # A library names a password without the URL it stood in.
        return [*secrets, *filter(None, map(_password, (self.service.database, *secrets)))]


def load(environ: Mapping[str, str], file: Path | None = None) -> Settings:
    """Return the settings of `file` (or of `TANDEM_SETTINGS`, or none) with the environment's on top.

    Raises `SettingsError` that names every line that is wrong.
    """
    path = file_of(environ, file)
    values = _read(path) if path else {}
    for name, text in environ.items():
        if name.startswith(PREFIX) and name != FILE_VARIABLE:
            _overlay(values, name, text)
    if "accounts" in values:
        raise SettingsError("accounts: there is no such setting; each channel has a section of its own")
    accounts, problems = _read_accounts(values)
    try:
        settings = Settings.model_validate(values | {"accounts": accounts})
    except ValidationError as error:
        problems.append(explain(error))
    if problems:
        raise SettingsError("; ".join(problems))
    return settings


def file_of(environ: Mapping[str, str], file: Path | None = None) -> Path | None:
    """Return the settings file: `file`, or that of `TANDEM_SETTINGS`, or none."""
    return file or (Path(environ[FILE_VARIABLE]) if environ.get(FILE_VARIABLE) else None)


def _read_accounts(values: dict[str, Any]) -> tuple[tuple[ChannelSettings, ...], list[str]]:
    """Take the channels' sections out of `values`; return the accounts that are set, and what is wrong with others.

    A section may come several times, as `[[telegram]]`: each is an account of its own.
    """
    accounts, problems = [], []
    for name, section in SECTIONS.items():
        written = values.pop(name, [])
        for each in written if isinstance(written, list) else [written]:
            try:
                accounts.append(section.model_validate(each))
            except ValidationError as error:
                problems.append(explain(error, name))
    return tuple(account for account in accounts if account.is_set), problems


def _password(url: str) -> str | None:
    try:
        password = urlsplit(url).password
    except ValueError:
        return None
    return unquote(password) if password else None


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SettingsError(f"there is no settings file {path}") from None
    except OSError as error:
        raise SettingsError(f"the settings file {path} cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is not TOML: {error}") from None


def _overlay(values: dict[str, Any], name: str, text: str) -> None:
    section, separator, key = name.removeprefix(PREFIX).lower().partition("__")
    if not separator:
        raise SettingsError(f"{name} is not a setting; write {PREFIX}SECTION__NAME")
    chosen = values.setdefault(section, {})
    if not isinstance(chosen, dict):
        raise SettingsError(f"[{section}] must be a section of the settings file")
    if not text.strip():
        # What a compose file or a manifest passes on for a variable that is not set.
        chosen.pop(key, None)
        return
    is_list = (section, key) in _LISTS
    chosen[key] = [part.strip() for part in text.split(",") if part.strip()] if is_list else text


def explain(error: ValidationError, *above: str) -> str:
    """Return what is wrong, each member by its name below `above`."""
    lines = []
    for problem in error.errors(include_url=False, include_context=False, include_input=False):
        if problem["type"] == "default_factory_not_called":
            # Of a default that follows another setting, which is wrong and named.
            continue
        where = ".".join(str(part) for part in (*above, *problem["loc"]))
        message = str(problem["msg"]).removeprefix("Value error, ")
        if problem["type"] == "extra_forbidden":
            message = "there is no such setting"
        lines.append(f"{where}: {message}" if where else message)
    return "; ".join(lines)
