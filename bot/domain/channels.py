"""Channels and their addresses: where a message comes from or goes to."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NewType

#: "telegram", "webchat": the name of a connector; the core compares it, never asks what it means.
ChannelName = NewType("ChannelName", str)
#: Our identity on a channel, as the channel names it.
AccountId = NewType("AccountId", str)

#: The longest form of an address that is kept.
ADDRESS_MAX = 400

_PART = re.compile(r"[^\s/]+")


@dataclass(frozen=True, kw_only=True, order=True)
class ChannelAddress:
    """Where a message comes from or goes to: the key of ordering."""

    channel: ChannelName
    account: AccountId
    #: the customer, as the channel names them on this account
    external_id: str

    def __str__(self) -> str:
        """Return the form the database keys by: `channel/account/external id`."""
        return f"{self.channel}/{self.account}/{self.external_id}"

    @classmethod
    def parse(cls, text: str) -> ChannelAddress:
        """Return the address that `str` made; raises `ValueError` for anything else."""
        channel, _, rest = text.partition("/")
        account, _, external_id = rest.partition("/")
        if not (_PART.fullmatch(channel) and _PART.fullmatch(account) and external_id):
            raise ValueError(f"not a channel address: {text!r}")
        return cls(channel=ChannelName(channel), account=AccountId(account), external_id=external_id)
