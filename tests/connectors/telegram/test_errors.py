from __future__ import annotations

import inspect
import warnings
from datetime import timedelta

import aiohttp
import pytest
import telegram.error
from telegram.error import TelegramError

from bot.domain.connectors import Ambiguous, Permanent, Retry
from bot.domain.errors import SettingsError
from connectors.http import CallError, classify
from connectors.telegram import api as telegram_api
from connectors.telegram.api import outcome
from connectors.telegram.connector import TelegramAccount

#: Every error of the library → what it leaves certain.
OUTCOMES: dict[str, tuple[object, type[Retry | Permanent | Ambiguous]]] = {
    "TelegramError": ("Invalid server response", Ambiguous),
    "NetworkError": ("Bad Gateway", Ambiguous),
    "TimedOut": ("Timed out", Ambiguous),
    "BadRequest": ("Bad Request: chat not found", Permanent),
    "Forbidden": ("Forbidden: bot was blocked by the user", Permanent),
    "InvalidToken": ("Unauthorized", Permanent),
    "EndPointNotFound": ("Endpoint 'x' not found in Bot API", Permanent),
    "ChatMigrated": (-100123, Permanent),
    "Conflict": ("Conflict: terminated by other getUpdates request", Retry),
    "RetryAfter": (17, Retry),
    "PassportDecryptionError": ("cannot decrypt", Ambiguous),
}
#: aiohttp's errors that come before the first byte of the request.
BEFORE = {
    *("ClientConnectorError", "ClientConnectorDNSError", "ClientConnectorSSLError", "ClientConnectorCertificateError"),
    *("ClientSSLError", "ClientProxyConnectionError", "UnixClientConnectorError", "ConnectionTimeoutError"),
    *("ClientHttpProxyError", "InvalidURL", "InvalidUrlClientError", "InvalidUrlRedirectClientError"),
    *("NonHttpUrlClientError", "NonHttpUrlRedirectClientError"),
}
#: Those that come after, or that do not say.
AFTER = {
    *("ClientError", "ClientConnectionError", "ClientConnectionResetError", "ClientOSError", "ClientPayloadError"),
    *("ClientResponseError", "ContentTypeError", "RedirectClientError", "ServerConnectionError"),
    *("ServerDisconnectedError", "ServerFingerprintMismatch", "ServerTimeoutError", "SocketTimeoutError"),
    *("TooManyRedirects", "WSServerHandshakeError", "WSMessageTypeError", "WebSocketError", "UploadAbortedError"),
    *("EofStream", "BadContentDispositionHeader", "BadContentDispositionParam"),
}


def _errors_of(module: object) -> dict[str, type[Exception]]:
    found = inspect.getmembers(module, lambda item: inspect.isclass(item) and issubclass(item, Exception))
    return dict(found)


def _make(name: str) -> TelegramError:
    with warnings.catch_warnings(action="ignore"):  # RetryAfter warns whoever makes one
        made = getattr(telegram.error, name)(OUTCOMES[name][0])
    assert isinstance(made, TelegramError)
    return made


def test_every_error_of_the_library_is_mapped() -> None:
    """No release of the library adds an error that nobody here has thought about."""
    assert set(_errors_of(telegram.error)) == set(OUTCOMES)


@pytest.mark.parametrize("name", OUTCOMES)
def test_outcome(name: str) -> None:
    """Each error of the library says what is certain, with a reason to read."""
    result = outcome(_make(name))

    assert type(result) is OUTCOMES[name][1]
    assert result.reason


def test_token_is_the_account() -> None:
    """A token that Telegram refuses breaks everything; other refusals break one message."""
    broken = {name for name in OUTCOMES if getattr(outcome(_make(name)), "is_account", False)}

    assert broken == {"InvalidToken"}


def test_retry_after_to_the_second() -> None:
    """The library's own flood error gives the pause to the second, without its deprecation warning."""
    error = _make("RetryAfter")

    assert outcome(error) == Retry(reason="Telegram asks for a pause", after=timedelta(seconds=17))


def test_every_error_of_aiohttp_is_mapped() -> None:
    """No release of aiohttp adds an error that nobody here has thought about."""
    found = _errors_of(aiohttp) | _errors_of(aiohttp.client_exceptions)
    assert set(found) == BEFORE | AFTER


@pytest.mark.parametrize("name", sorted(BEFORE | AFTER))
@pytest.mark.parametrize("wrapper", ["NetworkError", "TimedOut"])
def test_cause_decides(name: str, wrapper: str) -> None:
    """A network error is certain only where its cause came before the first byte left."""
    kind = (_errors_of(aiohttp) | _errors_of(aiohttp.client_exceptions))[name]
    wrapped = _make(wrapper)
    wrapped.__cause__ = CallError.of(kind.__new__(kind))

    assert type(outcome(wrapped)) is (Retry if name in BEFORE else Ambiguous)


def test_subclass_nobody_knows() -> None:
    """An error that is a refusal by descent only is not taken for certain."""

    class Surprise(telegram.error.BadRequest):
        pass

    assert isinstance(outcome(Surprise("?")), Ambiguous)


def test_unknown_cause() -> None:
    """Whatever else breaks in the HTTP client leaves nothing certain, and its text is not repeated."""
    assert classify(RuntimeError("https://secret.example")) == Ambiguous(
        reason="no answer to a request that may have arrived (RuntimeError)"
    )


def test_refusal_codes_cover_what_is_refused() -> None:
    """Every plain no has the channel's code beside it."""
    refused = {getattr(telegram.error, name) for name, (_, result) in OUTCOMES.items() if result is Permanent}

    assert set(telegram_api._REFUSALS) == refused


@pytest.mark.parametrize("token", ["", "abc", "123", "123:", "123:a b", "123:a/../b", "١٢٣:abc", "bot123:abc"])
def test_bad_token(token: str) -> None:
    """A token that cannot be one is refused at start, without repeating it."""
    with pytest.raises(SettingsError, match="BotFather") as caught:
        TelegramAccount(token=token)
    assert not token or f"{token}'" not in str(caught.value)


@pytest.mark.parametrize("secret", ["", "with space", "ümlaut", "x" * 257])
def test_bad_webhook_secret(secret: str) -> None:
    """A webhook without a secret that Telegram accepts is refused at start."""
    with pytest.raises(SettingsError, match="secret"):
        TelegramAccount(token="123:abc", webhook_url="https://care.example.com/t", webhook_secret=secret)


def test_account_hides_its_secrets() -> None:
    """Nothing secret is shown where the account is printed."""
    account = TelegramAccount(token="123:to-ken", webhook_secret="se-cret", proxy_url="http://me:pass@proxy")

    assert not any(secret in repr(account) for secret in ("to-ken", "se-cret", "pass"))
