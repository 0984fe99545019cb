"""Signing calls as OAuth 1.0a wants it (RFC 5849 §3.4); pure."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, quote, urlsplit

_PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """An app, and one account that lets it speak in its name."""

    consumer_key: str
    consumer_secret: str = field(repr=False)
    token: str
    token_secret: str = field(repr=False)


def authorization(method: str, url: str, credentials: Credentials, nonce: str, seconds: int) -> str:
    """Return the `Authorization` header of a call whose body is no form, made at that moment (seconds since 1970).

    `nonce` must not come twice.
    """
    ours = {
        "oauth_consumer_key": credentials.consumer_key,
        "oauth_nonce": nonce,
        "oauth_signature_method": "HMAC-SHA1",
        "oauth_timestamp": str(seconds),
        "oauth_token": credentials.token,
        "oauth_version": "1.0",
    }
    ours["oauth_signature"] = signature(method, url, ours.items(), credentials)
    return "OAuth " + ", ".join(f'{name}="{_escaped(value)}"' for name, value in sorted(ours.items()))


def signature(method: str, url: str, parameters: Iterable[tuple[str, str]], credentials: Credentials) -> str:
    """Return the signature of a call with these parameters beside those in its address."""
    parts = urlsplit(url)
    is_usual = parts.port in {None, _PORTS.get(parts.scheme)}
    host = (parts.hostname or "") + ("" if is_usual else f":{parts.port}")
    pairs = [*parse_qsl(parts.query, keep_blank_values=True), *parameters]
    said = "&".join(f"{name}={value}" for name, value in sorted((_escaped(a), _escaped(b)) for a, b in pairs))
    text = "&".join([method.upper(), _escaped(f"{parts.scheme}://{host}{parts.path}"), _escaped(said)])
    key = f"{_escaped(credentials.consumer_secret)}&{_escaped(credentials.token_secret)}"
    return base64.b64encode(hmac.digest(key.encode(), text.encode(), "sha1")).decode()


def _escaped(text: str) -> str:
    return quote(text, safe="-._~")
