"""What connectors share about HTTP: calls whose failures say what is certain, and secrets kept beneath what logs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from email.utils import parsedate_to_datetime
from io import BytesIO
from typing import Self

import aiohttp
import httpx
import yarl

from bot.domain.connectors import Ambiguous, Retry

#: The request was not written yet when these were raised
#: (https://docs.aiohttp.org/en/stable/client_reference.html#hierarchy-of-exceptions): resolving, connecting, TLS and
#: proxy handshakes and waiting for a free connection all end in one of them.
NEVER_SENT: tuple[type[Exception], ...] = (
    aiohttp.ClientConnectorError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.ClientHttpProxyError,
    aiohttp.InvalidURL,
    aiohttp.NonHttpUrlClientError,
)
#: Seconds: to get a connection, free or new; and for writing the request, which nothing else bounds.
_CONNECTS_WITHIN, _WRITES_WITHIN = 5.0, 60.0
#: A connection that is idle for longer, in seconds, is not used again: the other side may be closing it just then.
_KEPT_FOR = 5.0
#: Longer pauses that are asked for are taken for nonsense.
_PAUSE_MAX = timedelta(days=1)
#: Bytes above which a body is large.
_LARGE = 100_000


class CallError(Exception):
    """A call that brought no answer: only the kind of failure, as the texts of network errors hold addresses."""

    def __init__(self, kind: str, *, is_never_sent: bool) -> None:
        super().__init__(kind)
        self.kind = kind
        #: whether it is certain that not one byte of the request left
        self.is_never_sent = is_never_sent

    @classmethod
    def of(cls, error: BaseException) -> Self:
        """Return what is left of an error of the HTTP client's."""
        return cls(type(error).__name__, is_never_sent=isinstance(error, NEVER_SENT))


def classify(error: BaseException | None) -> Retry | Ambiguous:
    """Return what is certain after a call failed with `error`, a `CallError` or anything else.

    Only failures that provably came before the first byte left are `Retry`.
    """
    if isinstance(error, CallError) and error.is_never_sent:
        return Retry(reason=f"no connection ({error.kind})")
    kind = error.kind if isinstance(error, CallError) else type(error).__name__
    return Ambiguous(reason=f"no answer to a request that may have arrived ({kind})")


def asked_pause(headers: Mapping[str, str]) -> timedelta | None:
    """Return how long the other side asks us to wait, none where it does not, or asks for more than a day.

    That stands in `Retry-After` as seconds or as a moment, which counts from the moment of the answer
    (https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3).
    """
    asked = headers.get("retry-after", "").strip()
    if asked.isascii() and asked.isdigit() and len(asked) <= 6:
        pause = timedelta(seconds=int(asked))
    else:
        try:
            pause = parsedate_to_datetime(asked) - parsedate_to_datetime(headers.get("date", ""))
        except (ValueError, TypeError):
            return None
    return pause if timedelta() <= pause <= _PAUSE_MAX else None


@dataclass(frozen=True, kw_only=True)
class Call:
    """One request."""

    #: GET or POST
    method: str
    #: with the placeholder where the secret belongs
    url: str
    headers: Mapping[str, str]
    body: bytes = b""
    #: seconds without a byte of the answer
    read_timeout: float = 20.0
    #: bytes of the answer that are read; one more shows that there are more
    bytes_max: int | None = None


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came back."""

    status: int
    #: lower-case names; the last of those that come several times
    headers: Mapping[str, str]
    body: bytes


class Line:
    """Kept connections to one channel, and the secret that its addresses hold.

    Who calls knows the placeholder only, and hears of failures without any address in them.
    """

    def __init__(self, connections_max: int, proxy_url: str | None, placeholder: str, secret: str) -> None:
        """Connect to nothing before the first call, and to the proxy alone if there is one."""
        self._connections_max = connections_max
        self._proxy_url = proxy_url
        self._placeholder = placeholder
        self._secret = secret
        self._session: aiohttp.ClientSession | None = None

    async def call(self, call: Call) -> tuple[int, bytes]:
        """Return status and body of the answer, no redirect followed; raises `CallError`."""
        answer = await self.answer(call)
        return answer.status, answer.body

    async def answer(self, call: Call) -> Answer:
        """Return the whole answer, no redirect followed; raises `CallError`."""
        failure = None
        try:
            async with self._respond(call) as response:
                whole = call.bytes_max is None
                body = await response.read() if whole else await _start(response, (call.bytes_max or 0) + 1)
                headers = {name.lower(): value for name, value in response.headers.items()}
                return Answer(status=response.status, headers=headers, body=body)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            failure = CallError.of(error)
        # Raised out here, it does not drag along the error that holds the address.
        raise failure

    @asynccontextmanager
    async def _respond(self, call: Call) -> AsyncIterator[aiohttp.ClientResponse]:
        if self._session is None:
            self._session = self._open()
        # The loop gets to hear first of connections that were closed meanwhile.
        await asyncio.sleep(0)
        timeout = aiohttp.ClientTimeout(
            total=_CONNECTS_WITHIN + _WRITES_WITHIN + call.read_timeout,
            connect=_CONNECTS_WITHIN,
            sock_read=call.read_timeout,
        )
        url = yarl.URL(call.url.replace(self._placeholder, self._secret, 1), encoded=True)
        async with self._session.request(
            call.method,
            url,
            headers=call.headers,
            # Read piece by piece, a large body does not hold up the loop.
            data=BytesIO(call.body) if len(call.body) > _LARGE else call.body or None,
            allow_redirects=False,
            proxy=self._proxy_url,
            timeout=timeout,
        ) as response:
            yield response

    def _open(self) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(
            limit=self._connections_max, keepalive_timeout=_KEPT_FOR, ssl=httpx.create_ssl_context()
        )
        return aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None


async def _start(response: aiohttp.ClientResponse, length: int) -> bytes:
    """Return the first `length` bytes of a body, or all of a shorter one."""
    content = bytearray()
    async for chunk in response.content.iter_any():
        content += chunk
        if len(content) >= length:
            break
    return bytes(content[:length])
