"""How a channel comes out of the settings: what an operator writes about an account, and the connectors made of it."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, SecretStr, model_validator

from bot.domain.connectors import Connector
from bot.domain.ports import Cursors, MediaStore


def _read_list(value: object) -> object:
    if not isinstance(value, str):
        return value
    return tuple(part.strip() for part in value.split(",") if part.strip())


#: Where a secret of ours may be sent: over TLS, or to this machine.
SAFE_URL = re.compile(r"https://|http://(127\.0\.0\.1|localhost|\[::1\])([:/]|$)")
#: Words, in the environment with commas between them.
Words = Annotated[tuple[str, ...], BeforeValidator(_read_list)]


@dataclass(frozen=True, kw_only=True)
class Facilities:
    """What the service lends to connectors."""

    #: how channels reach us (https://care.example.com); none: they cannot
    public_url: str | None
    #: holds the files to send
    media: MediaStore
    #: up to where each polled account was read
    cursors: Cursors

    def webhook_url(self, channel: str, account: str) -> str | None:
        """Return the whole public address of an account's webhook route; none where nothing can reach us."""
        return f"{self.public_url}/webhooks/{channel}/{account}" if self.public_url else None


class ChannelSettings(BaseModel, ABC):
    """One account on a channel, as an operator writes it; `connectors.registry` names the classes made from this."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    #: what the section is called
    section: ClassVar[str]
    #: the channels of its connectors, and how people write their names
    titles: ClassVar[Mapping[str, str]]
    #: members that have to be there; while the first is not, there is no such account
    needed: ClassVar[tuple[str, ...]]
    #: whether the channel has to be able to call us
    is_called: ClassVar[bool] = False
    #: members that are any secret words of ours, which `connect` makes up
    made_up: ClassVar[tuple[str, ...]] = ()

    #: what to do with a message that may or may not have arrived: tell a person, or send it again
    on_ambiguous: Literal["hold", "resend"] = "hold"

    @property
    def is_set(self) -> bool:
        """Whether there is such an account."""
        return bool(getattr(self, self.needed[0]))

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        missing = [f"{self.section}.{name}" for name in self.needed if not getattr(self, name)]
        if self.is_set and missing:
            raise ValueError(f"{' and '.join(missing)} must be given too: see docs/connect-{self.section}.md")
        return self

    def fit(self, public_url: str | None) -> None:
        """Return if the account works with the service's public address, or without one; raises `ValueError`."""
        if self.is_called and public_url is None:
            raise ValueError(f"service.public_url is missing: {self.section} works only where the channel can call us")

    @abstractmethod
    def connectors(self, facilities: Facilities) -> tuple[Connector, ...]:
        """Return the connectors of the account, whose webhook is the first one's; raises `SettingsError`."""


def shown(secret: SecretStr | None) -> str:
    """Return the value of a secret, empty without one."""
    return secret.get_secret_value() if secret is not None else ""
