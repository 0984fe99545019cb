from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.channels import AccountId, ChannelAddress, ChannelName
from bot.domain.messages import message_id_of

PARTS = st.from_regex(r"[^\s/]+", fullmatch=True)


@given(PARTS, PARTS, st.text(min_size=1))
def test_an_address_is_read_back_from_its_text(channel: str, account: str, external_id: str) -> None:
    """Whatever a channel calls its customers, the text of an address stands for that address alone."""
    address = ChannelAddress(channel=ChannelName(channel), account=AccountId(account), external_id=external_id)
    assert ChannelAddress.parse(str(address)) == address


@pytest.mark.parametrize("text", ["", "a", "a/b", "a/b/", "/b/c", "a//c", "a b/c/d"])
def test_what_is_no_address_is_refused(text: str) -> None:
    """A text that is not whole is an error, not half an address."""
    with pytest.raises(ValueError, match="not a channel address"):
        ChannelAddress.parse(text)


@given(st.text(), st.text())
def test_acts_make_messages_of_their_own(one: str, other: str) -> None:
    """The same act always makes the same message, another act another one."""
    assert (message_id_of(one) == message_id_of(other)) == (one == other)
    assert len(message_id_of(one)) == 32
