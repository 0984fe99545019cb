from __future__ import annotations

import asyncio
import gzip
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from aiohttp import web

from bot.domain.errors import MediaError
from connectors.downloads import Downloads, NotNowError, _PublicNames, is_public, origin_of

SECRET = {"Authorization": "Bearer to-ken"}


@dataclass(kw_only=True)
class Site:
    """A server on a port of this machine, reached by two names."""

    port: int
    #: host, path, Authorization and Cookie of each request
    seen: list[tuple[str, str, str, str]] = field(default_factory=list)
    #: each name that was looked up
    names: list[str] = field(default_factory=list)
    #: the addresses of names
    addresses: dict[str, list[str]] = field(default_factory=dict)
    pauses: list[float] = field(default_factory=list)
    failures: list[int] = field(default_factory=list)

    def url(self, path: str = "tea", host: str = "files.example") -> str:
        """Return an address on it."""
        return f"http://{host}:{self.port}/{path}"

    def downloads(self, hosts: frozenset[str] | None = frozenset(), bytes_max: int = 1_000_000) -> Downloads:
        """Return what may fetch from `hosts`, and from the site by either name."""
        known = frozenset({self.url("", "files.example")[:-1], self.url("", "other.example")[:-1]})
        return Downloads(hosts, bytes_max, origins=known, sleep=self.sleep)

    async def sleep(self, seconds: float) -> None:
        """Note a pause, and do not make it."""
        self.pauses.append(seconds)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer as the path says."""
        headers = request.headers
        self.seen.append((request.host, request.path, headers.get("Authorization", ""), headers.get("Cookie", "")))
        if self.failures:
            return web.Response(status=self.failures.pop(0))
        match request.path.strip("/"):
            case "moved":
                return web.Response(status=302, headers={"Location": request.query["to"]})
            case "packed":
                headers_of_it = {"Content-Encoding": "gzip"}
                return web.Response(body=gzip.compress(bytes(50_000_000)), headers=headers_of_it)
            case "endless":
                stream = web.StreamResponse()
                await stream.prepare(request)
                while True:
                    await stream.write(bytes(100_000))
            case _:
                answer = web.Response(body=b"tea")
                answer.set_cookie("who", "we")
                return answer


@pytest.fixture
async def site(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Site]:
    """A server, and the names that lead to it."""
    made = Site(port=0)
    app = web.Application()
    app.router.add_get("/{path:.*}", made.answer)
    runner = web.AppRunner(app, shutdown_timeout=0)
    await runner.setup()
    serving = web.TCPSite(runner, "127.0.0.1", 0)
    await serving.start()
    made.port = runner.addresses[0][1]
    here = ["127.0.0.1"]
    made.addresses |= {"files.example": here, "other.example": here, "localhost": here}

    async def look_up(host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        made.names.append(host)
        if host not in made.addresses:
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        kinds = [(socket.AF_INET6 if ":" in each else socket.AF_INET, each) for each in made.addresses[host]]
        return [(kind, socket.SOCK_STREAM, 6, "", (each, port)) for kind, each in kinds]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", look_up)
    yield made
    await runner.cleanup()


@pytest.fixture
async def downloads(site: Site) -> AsyncIterator[Downloads]:
    """What fetches from the site alone."""
    made = site.downloads()
    yield made
    await made.close()


async def test_file_is_fetched(site: Site, downloads: Downloads) -> None:
    """A file's bytes come back, no cookie is kept, and its name is looked up once for the connection that is made."""
    assert await downloads.get(site.url(), SECRET) == b"tea"
    assert await downloads.get(site.url()) == b"tea"
    assert [(token, cookie) for _, _, token, cookie in site.seen] == [("Bearer to-ken", ""), ("", "")]
    assert site.names == ["files.example"]


async def test_redirects_lose_the_token(site: Site, downloads: Downloads) -> None:
    """On its own server an address may move with our headers; another server does not see them."""
    assert await downloads.get(site.url("moved?to=/tea"), SECRET) == b"tea"
    assert await downloads.get(site.url(f"moved?to={site.url('tea', 'other.example')}"), SECRET) == b"tea"
    assert [(host.partition(":")[0], token) for host, _, token, _ in site.seen] == [
        ("files.example", "Bearer to-ken"),
        ("files.example", "Bearer to-ken"),
        ("files.example", "Bearer to-ken"),
        ("other.example", ""),
    ]


async def test_redirects_end(site: Site, downloads: Downloads) -> None:
    """Three redirects are followed, a fourth is not."""
    with pytest.raises(MediaError, match="leads nowhere"):
        await downloads.get(site.url("moved?to=?to=?to=?to=?to=/moved"))
    assert len(site.seen) <= 4


@pytest.mark.parametrize(
    "target",
    [
        "http://169.254.169.254/latest/meta-data",
        "https://169.254.169.254/latest/meta-data",
        "http://localhost/",
        "file:///etc/passwd",
        "gopher://files.example/",
        "//evil.example/",
        "http://files.example:1/",
        "https://[::1]/",
        "https://[",
    ],
)
async def test_redirects_are_checked(site: Site, downloads: Downloads, target: str) -> None:
    """An allowed server that sends us elsewhere is not followed there."""
    with pytest.raises(MediaError, match=r"not on a server|leads nowhere"):
        await downloads.get(site.url(f"moved?to={target}"))
    assert len(site.seen) == 1


@pytest.mark.parametrize(
    ("address", "is_fetched"),
    [
        ("https://cdn.example.com/a", True),
        ("https://CDN.example.com:443/a?b=c", True),
        ("https://a.b.files.example.net/a", True),
        ("https://files.example.net/a", False),
        ("https://evilcdn.example.com/a", False),
        ("https://cdn.example.com.evil.example/", False),
        ("https://cdn.example.com@evil.example/", False),
        ("https://evil.example\\@cdn.example.com/", False),
        ("https://evil.example#cdn.example.com", False),
        ("https://cdn.example.com:8443/", False),
        ("http://cdn.example.com/a", False),
        ("ftp://cdn.example.com/a", False),
        ("https://cdn.example.com/a b", False),
        ("https://cdn.example.com/\r\nHost: evil.example", False),
        ("https://cdn.éxample.com/", False),
        ("", False),
    ],
)
async def test_hosts_are_allowed_by_name(site: Site, address: str, is_fetched: bool) -> None:
    """Only the names that a channel keeps files under are ever looked up, over https on its own port."""
    fetches = site.downloads(frozenset({"cdn.example.com", "*.files.example.net"}))
    with pytest.raises(NotNowError if is_fetched else MediaError) as caught:
        await fetches.once(address)
    assert isinstance(caught.value, NotNowError) == is_fetched
    assert bool(site.names) == is_fetched
    await fetches.close()


INSIDE = [
    "127.0.0.1",
    "10.0.0.1",
    "172.16.9.9",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "0.0.0.0",  # noqa: S104 - listens nowhere
    "224.0.0.1",
    "255.255.255.255",
    "::1",
    "::",
    "fe80::1",
    "fe80::1%eth0",
    "fd00:ec2::254",
    "ff02::1",
    "::ffff:127.0.0.1",
    "::127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "2002:7f00:1::",
    "not an address",
]


@pytest.mark.parametrize("address", INSIDE)
async def test_private_addresses_are_not_connected_to(site: Site, address: str) -> None:
    """A name whose addresses are not all public is given up at once, and nobody is connected to."""
    site.addresses["cdn.example.com"] = ["203.0.114.7", address]
    assert not is_public(address)
    for hosts in frozenset({"cdn.example.com"}), None:
        fetches = site.downloads(hosts)
        with pytest.raises(MediaError, match="private network"):
            await fetches.get("https://cdn.example.com/a")
        await fetches.close()
    assert site.pauses == [0.0, 0.0]


def test_public_addresses() -> None:
    """Addresses of the open internet are public in either writing."""
    assert all(map(is_public, ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::"]))


@pytest.mark.parametrize(
    "host", ["2130706433", "0x7f000001", "0177.0.0.1", "127.1", "8.8.8.8", "[::1]", "localhost", "metadata"]
)
async def test_numbers_are_no_names(site: Site, host: str) -> None:
    """Where every public name is allowed, numbers and names of the own network still are not, however written."""
    site.addresses |= {each: ["127.0.0.1"] for each in ("2130706433", "0x7f000001", "0177.0.0.1", "127.1")}
    fetches = site.downloads(None)
    with pytest.raises(MediaError, match=r"not on a server|private network"):
        await fetches.get(f"https://{host}/")
    await fetches.close()
    assert site.seen == []


async def test_name_that_turns_private(site: Site) -> None:
    """A name is looked up and checked for every connection: one that leads inside the second time is refused then."""
    names = _PublicNames(frozenset())
    site.addresses["cdn.example.com"] = ["203.0.114.7"]
    assert [each["host"] for each in await names.resolve("cdn.example.com", 443)] == ["203.0.114.7"]
    site.addresses["cdn.example.com"] = ["127.0.0.1"]
    with pytest.raises(MediaError, match="private network"):
        await names.resolve("cdn.example.com", 443)


async def test_sizes(site: Site) -> None:
    """A file of just the size comes; of a larger or endless one no more than that is read."""
    exact, small = site.downloads(bytes_max=3), site.downloads(bytes_max=2)
    assert await exact.get(site.url()) == b"tea"
    for path in "tea", "endless":
        with pytest.raises(MediaError, match="larger than"):
            await small.get(site.url(path))
    await exact.close()
    await small.close()


async def test_what_comes_packed_is_not_unpacked(site: Site, downloads: Downloads) -> None:
    """An answer packed against our wish, which may be a bomb, is refused as it is."""
    with pytest.raises(MediaError, match="packed"):
        await downloads.get(site.url("packed"))


@pytest.mark.parametrize(
    ("status", "message"), [(404, "no longer"), (410, "no longer"), (403, "403"), (401, "401"), (206, "206")]
)
async def test_refusals_are_final(site: Site, downloads: Downloads, status: int, message: str) -> None:
    """What a server refuses is not asked for again."""
    site.failures = [status]
    with pytest.raises(MediaError, match=message):
        await downloads.get(site.url())
    assert site.pauses == [0.0]


@pytest.mark.parametrize("status", [408, 429, 500, 503])
async def test_failures_are_tried_again(site: Site, downloads: Downloads, status: int) -> None:
    """What fails for a moment is tried three times, with pauses."""
    site.failures = [status, status]
    assert await downloads.get(site.url()) == b"tea"
    assert site.pauses == [0.0, 1.0, 4.0]
    site.failures = [status] * 3
    with pytest.raises(NotNowError):
        await downloads.get(site.url())


async def test_slow_file(site: Site, downloads: Downloads, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that takes too long as a whole is given up, however steadily it trickles."""
    monkeypatch.setattr("connectors.downloads._FETCHES_WITHIN", 0.05)
    downloads._bytes_max = 10**12
    with pytest.raises(NotNowError):
        await downloads.once(site.url("endless"))


async def test_proxy(site: Site) -> None:
    """Behind a proxy, names are the proxy's to find: we look up and connect to nothing but the proxy."""
    fetches = Downloads(frozenset({"cdn.example.com"}), 100, f"http://other.example:{site.port}")
    with pytest.raises(NotNowError):
        await fetches.once("https://cdn.example.com/a")
    await fetches.close()
    assert set(site.names) == {"other.example"}


def test_origin() -> None:
    """An origin is an address without its path."""
    assert origin_of("http://127.0.0.1:81/a/b?c") == "http://127.0.0.1:81"
