"""Who calls: the address behind proxies that are known, and what of it counts as one caller."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Network = IPv4Network | IPv6Network

#: One customer of an internet provider has at least so much of IPv6 to choose addresses from (RFC 6177).
_HOUSEHOLD = 64


def caller(peer: str, forwarded: Iterable[str], trusted: tuple[Network, ...]) -> str:
    """Return what stands for whoever made a request: an IPv4 address, or the /64 of an IPv6 one.

    `peer` is who connected to us, `forwarded` the values of `X-Forwarded-For` in their order. Each trusted proxy adds
    at the end whom it was called by, so the last address that is no trusted proxy's is the caller; what stands before
    it anybody may have written. Where that address cannot be read the proxy that passed it on stands for it.
    """
    hops = [*(hop for value in forwarded for hop in value.split(",")), peer]
    nearest: IPv4Address | IPv6Address | None = None
    for hop in reversed(hops):
        address = _address(hop.strip())
        if address is None:
            break
        nearest = address
        if not any(address in network for network in trusted):
            break
    if isinstance(nearest, IPv6Address):
        return str(IPv6Network((int(nearest), _HOUSEHOLD), strict=False))
    return str(nearest) if nearest else ""


def is_somebody(caller: str) -> bool:
    """Whether a caller is one household or office; a private address may be a proxy that nobody named: everybody."""
    return bool(caller) and ip_network(caller).is_global


def _address(text: str) -> IPv4Address | IPv6Address | None:
    """Return the address in `1.2.3.4`, `1.2.3.4:80`, `2001:db8::1` or `[2001:db8::1]:80`; none for anything else."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
