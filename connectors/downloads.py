"""Files fetched from addresses that others wrote: only where a channel keeps its files, and nothing of ours within."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import urljoin, urlsplit

import aiohttp
import httpx
from aiohttp.abc import AbstractResolver, ResolveResult

from bot.domain.errors import MediaError
from connectors.http import Answer, Call, CallError, Line

_CONNECTIONS_MAX = 16
_REDIRECTS_MAX = 3
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
#: Statuses that may be others in a moment.
_LATER = frozenset({408, 425, 429})
#: Seconds for one file, from the first to the last byte, and without a byte.
_FETCHES_WITHIN, _READ_TIMEOUT = 60, 30.0
#: Seconds before each attempt to fetch a file, which may be repeated safely.
_PAUSES = (0.0, 1.0, 4.0)
#: No user, nothing that two readers of addresses could take for different hosts.
_ADDRESS = re.compile(
    r"(?P<scheme>https?)://(?P<host>[a-z0-9_.-]+)(:(?P<port>[0-9]{1,5}))?([/?][!-~]*)?", re.IGNORECASE
)
_PORTS = {"https": 443, "http": 80}
#: Networks whose addresses hold an IPv4 address in their last 32 bits, which is where packets end up.
_HOLDING_IPV4 = (ip_network("::ffff:0:0/96"), ip_network("64:ff9b::/96"), ip_network("::/96"))
_SIX_TO_FOUR = ip_network("2002::/16")


class NotNowError(MediaError):
    """The file cannot be had now, and perhaps later."""


class Downloads:
    """Fetches files over https from `hosts`, and from `origins`, which are where the operator said the channel is.

    A host is a whole name (`cdn.example.com`) or all names below one (`*.example.com`); none: every public one. An
    origin (`http://127.0.0.1:8081`) may be anywhere and speak http. Only public addresses are connected to, those that
    a name was just found to have; behind a proxy it is the proxy that finds them. `sleep` waits between attempts.
    """

    def __init__(
        self,
        hosts: frozenset[str] | None,
        bytes_max: int,
        proxy_url: str | None = None,
        origins: frozenset[str] = frozenset(),
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Connect to nothing before the first call."""
        self._hosts = hosts
        self._bytes_max = bytes_max
        self._origins = frozenset(_place(origin) for origin in origins)
        self._sleep = sleep
        self._line = _OutwardLine(proxy_url, frozenset((host, port) for _, host, port in self._origins))

    async def get(self, url: str, headers: Mapping[str, str] | None = None) -> bytes:
        """Return a file's content, after three attempts at most; raises `MediaError`.

        `headers` go to the address's own server, and not to where that redirects.
        """
        return await attempt(lambda: self.once(url, headers), self._sleep)

    async def once(self, url: str, headers: Mapping[str, str] | None = None) -> bytes:
        """Return a file's content in one attempt; raises `MediaError`, `NotNowError` where another may succeed."""
        try:
            async with asyncio.timeout(_FETCHES_WITHIN):
                return await self._follow(url, headers or {})
        except (CallError, TimeoutError):
            raise NotNowError("the file cannot be fetched now") from None

    async def _follow(self, url: str, headers: Mapping[str, str]) -> bytes:
        first = self._check(url)
        for _ in range(_REDIRECTS_MAX + 1):
            ours = headers if self._check(url) == first else {}
            answer = await self._line.answer(
                Call(
                    method="GET",
                    url=url,
                    # What is packed could unpack to more than anybody has room for.
                    headers={"Accept-Encoding": "identity", **ours},
                    read_timeout=_READ_TIMEOUT,
                    bytes_max=self._bytes_max,
                )
            )
            if answer.status not in _REDIRECTS or "location" not in answer.headers:
                return self._content(answer)
            url = _joined(url, answer.headers["location"])
        raise MediaError("the file's address leads nowhere")

    def _check(self, url: str) -> tuple[str, str, int]:
        """Return scheme, host and port of an address that may be asked; raises `MediaError` for any other."""
        place = _place(url)
        scheme, host, port = place
        if place in self._origins:
            return place
        if scheme == "https" and port == _PORTS["https"] and self._is_allowed(host):
            return place
        raise MediaError("the file is not on a server that files are fetched from")

    def _is_allowed(self, host: str) -> bool:
        if self._hosts is None:
            return "." in host and not _is_number(host)
        return host in self._hosts or any(
            known.startswith("*.") and host.endswith(known[1:]) and host != known[1:] for known in self._hosts
        )

    def _content(self, answer: Answer) -> bytes:
        if answer.status in {HTTPStatus.NOT_FOUND, HTTPStatus.GONE}:
            raise MediaError("the file is no longer there")
        if answer.status in _LATER or answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise NotNowError("the file cannot be fetched now")
        if answer.status != HTTPStatus.OK:
            raise MediaError(f"the file is not handed out (HTTP {answer.status})")
        if answer.headers.get("content-encoding", "identity").lower() != "identity":
            raise MediaError("the file comes packed, which was not asked for")
        if len(answer.body) > self._bytes_max:
            raise MediaError(f"the file is larger than {self._bytes_max // 1_000_000} MB")
        return answer.body

    async def close(self) -> None:
        """Close all connections."""
        await self._line.close()


async def attempt(fetch: Callable[[], Awaitable[bytes]], sleep: Callable[[float], Awaitable[None]]) -> bytes:
    """Return what `fetch` brings, three times tried while it says `NotNowError`; raises `MediaError`."""
    for pause in _PAUSES[:-1]:
        await sleep(pause)
        try:
            return await fetch()
        except NotNowError:
            continue
    await sleep(_PAUSES[-1])
    return await fetch()


def origin_of(url: str) -> str:
    """Return the origin of an address that the operator gave: `https://api.example.com`."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def is_public(address: str) -> bool:
    """Whether an IP address is one of the open internet: neither ours, nor our network's, nor our host's."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, IPv6Address) and (inner := _held(found)) is not None:
        found = inner
    return found.is_global and not found.is_multicast and not found.is_reserved


def _held(address: IPv6Address) -> IPv4Address | None:
    if any(address in network for network in _HOLDING_IPV4):
        return IPv4Address(int(address) & 0xFFFFFFFF)
    if address in _SIX_TO_FOUR:
        return IPv4Address(int(address) >> 80 & 0xFFFFFFFF)
    return None


def _place(url: str) -> tuple[str, str, int]:
    """Return scheme, host and port of an address; raises `MediaError` for what only looks like one."""
    found = _ADDRESS.fullmatch(url)
    if found is None:
        raise MediaError("the file is not on a server that files are fetched from")
    scheme = found["scheme"].lower()
    return scheme, found["host"].lower(), int(found["port"] or _PORTS[scheme])


def _is_number(host: str) -> bool:
    """Whether a host is an IPv4 address in any writing: these are connected to with no name looked up.

    https://url.spec.whatwg.org/#ends-in-a-number-checker
    """
    return re.fullmatch(r"(.*\.)?([0-9]+|0x[0-9a-f]*)\.?", host) is not None


def _joined(url: str, location: str) -> str:
    try:
        return urljoin(url, location)
    except ValueError:
        raise MediaError("the file's address leads nowhere") from None


class _OutwardLine(Line):
    """Connections to public addresses only, beside the `known` hosts and ports; what comes packed stays packed."""

    def __init__(self, proxy_url: str | None, known: frozenset[tuple[str, int]]) -> None:
        super().__init__(_CONNECTIONS_MAX, proxy_url, "", "")
        self._known = known | ({_proxy_place(proxy_url)} if proxy_url else set())

    def _open(self) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(
            limit=_CONNECTIONS_MAX,
            # A name is looked up for each connection, and that connection goes to what was found.
            use_dns_cache=False,
            resolver=_PublicNames(self._known),
            ssl=httpx.create_ssl_context(),
        )
        return aiohttp.ClientSession(
            connector=connector, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False, trust_env=False
        )


def _proxy_place(proxy_url: str) -> tuple[str, int]:
    parts = urlsplit(proxy_url)
    return parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 80)


class _PublicNames(AbstractResolver):
    """Finds the addresses of a name, all of which have to be public."""

    def __init__(self, known: frozenset[tuple[str, int]]) -> None:
        self._known = known

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM, family=family)
        addresses = [(str(each[4][0]), each[0], each[2]) for each in found]
        if (host, port) not in self._known and not all(is_public(address) for address, _, _ in addresses):
            raise MediaError("the file's address leads into a private network")
        return [
            ResolveResult(hostname=host, host=address, port=port, family=kind, proto=proto, flags=socket.AI_NUMERICHOST)
            for address, kind, proto in addresses
        ]

    async def close(self) -> None:
        """Do nothing: nothing is held."""
