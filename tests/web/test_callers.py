from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.web.callers import caller
from bot.web.limits import Rate
from bot.web.webchat import WebChatLimits
from tests.webchat_site import chat_site

PROXIES = (ip_network("10.0.0.1"), ip_network("192.168.0.0/24"), ip_network("2001:db8:1::/48"))
ANYBODY = "203.0.113.7"


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        (ANYBODY, [], ANYBODY),
        ("10.0.0.1", [ANYBODY], ANYBODY),
        ("10.0.0.1", [f"{ANYBODY}, 192.168.0.9"], ANYBODY),
        ("10.0.0.1", [ANYBODY, "192.168.0.9"], ANYBODY),
        ("10.0.0.1", [f"{ANYBODY}:4711"], ANYBODY),
        ("10.0.0.1", [f"::ffff:{ANYBODY}"], ANYBODY),
        ("::ffff:10.0.0.1", [ANYBODY], ANYBODY),
        ("2001:db8:1::5", ["[2001:db8:2:3:4::1]:80"], "2001:db8:2:3::/64"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["192.168.0.9, 192.168.0.8"], "192.168.0.9"),
    ],
)
def test_the_last_address_that_is_no_proxys_is_the_caller(peer: str, forwarded: list[str], expected: str) -> None:
    """Through any chain of known proxies, in any notation, the caller is found."""
    assert caller(peer, forwarded, PROXIES) == expected


def test_strangers_cannot_name_themselves() -> None:
    """The header counts for nothing from somebody who is no proxy, else only as far as proxies wrote it."""
    assert caller(ANYBODY, ["1.2.3.4"], PROXIES) == ANYBODY
    assert caller(ANYBODY, ["1.2.3.4"], ()) == ANYBODY
    assert caller("10.0.0.1", [f"1.2.3.4, {ANYBODY}"], PROXIES) == ANYBODY
    assert caller("10.0.0.1", [f"10.0.0.1, 192.168.0.5, {ANYBODY}"], PROXIES) == ANYBODY


@pytest.mark.parametrize("junk", ["unknown", "_hidden", "", "1.2.3", "[", "[::1", "1.2.3.4:x:y", "%", "²"])
def test_what_is_no_address_is_its_proxys(junk: str) -> None:
    """Whoever a proxy cannot name shares the proxy's own count; nothing that stands before is believed."""
    assert caller("10.0.0.1", [f"1.2.3.4, {junk}"], PROXIES) in {"10.0.0.1", "::/64"}


def test_a_household_is_one_caller() -> None:
    """Whoever may choose among 2⁶⁴ addresses is counted once; the next household is another."""
    first, second = (caller(f"2001:db8:9:1::{host}", [], ()) for host in ("1", "ffff"))
    assert first == second != caller("2001:db8:9:2::1", [], ())


async def test_visitors_behind_a_known_proxy_do_not_share_their_sessions(tmp_path: Path) -> None:
    """One who asks for too many is told to wait, whatever they pretend; the next one behind the same proxy is not."""
    limits = WebChatLimits(sessions=Rate(burst=1, every=60.0))
    loopback = (ip_network("127.0.0.1"),)
    async with chat_site(tmp_path, limits=limits, trusted_proxies=loopback) as site, httpx.AsyncClient() as client:

        async def ask(forwarded: str) -> int:
            headers = {"x-forwarded-for": forwarded}
            return (await client.post(f"{site.url}/chat/session", headers=headers)).status_code

        assert [await ask(ANYBODY), await ask(ANYBODY), await ask(f"1.2.3.4, {ANYBODY}")] == [201, 429, 429]
        assert await ask("203.0.113.8") == 201


@given(st.text(), st.lists(st.text(alphabet="0123456789abcdef.:[],% x"), max_size=4))
def test_no_header_is_too_strange(peer: str, forwarded: list[str]) -> None:
    """Whatever is written there, somebody is counted, and the name is short enough to remember."""
    assert len(caller(peer, forwarded, PROXIES)) <= 43
