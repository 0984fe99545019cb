"""What connectors share about HTTP: what a failed call leaves certain, and keeping secrets beneath what logs."""

from __future__ import annotations

import httpx

from bot.domain.connectors import Ambiguous, Retry

#: The request was not written yet when these were raised (https://www.python-httpx.org/exceptions/): resolving,
#: connecting, TLS and proxy handshakes all end in `ConnectError`, `ConnectTimeout` or `ProxyError`.
NEVER_SENT: tuple[type[Exception], ...] = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.InvalidURL,
)


def classify(error: BaseException | None) -> Retry | Ambiguous:
    """Return what is certain after a call failed with `error`, which httpx or anything around it raised.

    Only failures that provably came before the first byte left are `Retry`. The reason names the kind of failure and
    never quotes it: texts of network errors can hold addresses.
    """
    kind = type(error).__name__
    if isinstance(error, NEVER_SENT):
        return Retry(reason=f"no connection ({kind})")
    return Ambiguous(reason=f"no answer to a request that may have arrived ({kind})")


class SecretPath(httpx.AsyncBaseTransport):
    """Puts a secret into the path of each request, beneath the client.

    The client above it, its log lines and its errors know the placeholder only. For channels that want the token in the
    address.
    """

    def __init__(self, inner: httpx.AsyncBaseTransport, placeholder: str, secret: str) -> None:
        self._inner = inner
        self._placeholder = placeholder.encode("ascii")
        self._secret = secret.encode("ascii")

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a copy of the request whose path holds the secret in the placeholder's place."""
        path = request.url.raw_path.replace(self._placeholder, self._secret, 1)
        return await self._inner.handle_async_request(
            httpx.Request(
                request.method,
                request.url.copy_with(raw_path=path),
                headers=request.headers,
                stream=request.stream,
                extensions=request.extensions,
            )
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._inner.aclose()
