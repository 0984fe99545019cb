"""Twilio's error codes, and what each leaves certain.

A code that is not here is a plain no when the status says so (4xx), and nothing certain otherwise.

https://www.twilio.com/docs/api/errors
"""

from __future__ import annotations

from datetime import timedelta
from http import HTTPStatus

from bot.domain.connectors import Ambiguous, Permanent, Retry
from connectors.verdicts import ACCOUNT, LATER, NEVER, Verdict

_BUSY = "Twilio asks for a pause"
_TOKEN = "Twilio refuses account_sid and auth_token: set those of Twilio's console"  # noqa: S105 - no token
_SENDER = "the number cannot send SMS for this account: look at it in Twilio's console"
_SERVICE = "the messaging service is not of this account, or has no number"
_CLOSED = "Twilio has suspended or closed the account: see Twilio's console"
_NO_NUMBER = "the customer's number is none that SMS can be sent to"
_REFUSED = "Twilio does not understand the message"

#: code → what a call that was answered with it comes to, and words for an agent.
CODES: dict[int, tuple[Verdict, str]] = {
    20003: (ACCOUNT, _TOKEN),
    20005: (ACCOUNT, _CLOSED),
    20404: (ACCOUNT, "Twilio does not know the account"),
    20429: (LATER, _BUSY),
    14107: (LATER, _BUSY),
    21201: (NEVER, _NO_NUMBER),
    21211: (NEVER, _NO_NUMBER),
    21212: (ACCOUNT, _SENDER),
    21217: (NEVER, _NO_NUMBER),
    21265: (NEVER, _NO_NUMBER),
    21408: (NEVER, "the account may not send to that country: allow it in Twilio's console (Geo permissions)"),
    21601: (ACCOUNT, _SENDER),
    21602: (NEVER, _REFUSED),
    21603: (ACCOUNT, _SENDER),
    21604: (NEVER, _REFUSED),
    21606: (ACCOUNT, _SENDER),
    21608: (NEVER, "a trial account of Twilio's may only write to numbers that were verified there"),
    21610: (NEVER, "the customer has unsubscribed by texting STOP: they have to text START before we may write"),
    21611: (LATER, _BUSY),
    21612: (NEVER, "no SMS can go from our number to the customer's: another sender is needed for that country"),
    21614: (NEVER, "the customer's number is not a mobile number"),
    21617: (NEVER, "the message is longer than the 1600 characters that Twilio takes"),
    21620: (NEVER, "Twilio cannot fetch the file from us: is service.public_url open to the internet?"),
    21623: (NEVER, "these are more files than one MMS takes"),
    21635: (NEVER, "the customer's number is a landline"),
    21654: (NEVER, _REFUSED),
    21660: (ACCOUNT, _SENDER),
    21701: (ACCOUNT, _SERVICE),
    21703: (ACCOUNT, _SERVICE),
    21704: (ACCOUNT, _SERVICE),
    21705: (ACCOUNT, _SERVICE),
    21709: (NEVER, _REFUSED),
    30001: (LATER, _BUSY),
    30002: (ACCOUNT, _CLOSED),
    30022: (LATER, _BUSY),
    90010: (ACCOUNT, _CLOSED),
}
#: code → why a message that Twilio had taken did not arrive, for an agent to read.
DELIVERY: dict[int, str] = {
    11200: "Twilio could not fetch the file from us: is service.public_url open to the internet?",
    12300: "Twilio does not take files of this kind",
    30001: "too much was waiting to be sent",
    30002: "Twilio has suspended the account",
    30003: "the customer's phone is off, out of reach, or not a mobile",
    30004: "the customer has blocked us, or their number takes no messages",
    30005: "the customer's number does not exist any more",
    30006: "the customer's number is a landline, or its network cannot be reached",
    30007: "the network took the message for spam: see Twilio's console",
    30008: "the network does not say why",
    30009: "a part of the message was lost on the way",
    30010: "the message costs more than the account allows",
    30011: "the customer's network takes no pictures (MMS) from our number",
    30017: "the network is overloaded",
    30019: "the file is too large for the customer's network",
    30022: "the brand sends more than the network allows",
    30023: "the brand has used up its messages of today",
    30032: "the toll-free number is not verified yet",
    30034: "the number is not registered for business messages in the United States (A2P 10DLC)",
    30036: "the message was not sent within its time",
    30410: "the network did not answer in time",
    30450: "the customer's number is on hold at its network",
    30500: "Twilio failed",
    21610: "the customer has unsubscribed by texting STOP",
    21612: "no SMS can go from our number to the customer's",
}


def outcome(status: int, code: int | None, message: str, asked: timedelta | None) -> Permanent | Retry | Ambiguous:
    """Return what is certain about a call that was refused with that status, and the code and words in its body."""
    verdict, words = CODES.get(code or 0) or _by_status(status, message)
    shown = str(code or status)
    if verdict is LATER:
        return Retry(reason=words, after=asked)
    if verdict is None:
        return Ambiguous(reason=f"{words} ({shown})")
    return Permanent(reason=f"{words} ({shown})", code=shown, is_account=verdict is ACCOUNT)


def _by_status(status: int, message: str) -> tuple[Verdict | None, str]:
    """Return what a refusal comes to whose code says nothing; none: nothing is certain."""
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return LATER, _BUSY
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return ACCOUNT, _TOKEN
    if HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return NEVER, f"Twilio refuses it: {message}" if message else "Twilio refuses it"
    return None, "Twilio failed, and the message may have been sent"


def why_undelivered(code: str) -> str:
    """Return why a message did not arrive, for an agent to read."""
    known = DELIVERY.get(int(code)) if code.isascii() and code.isdigit() and len(code) <= 6 else None
    return f"{known or 'the message did not arrive'} ({code})" if code else "the message did not arrive"
