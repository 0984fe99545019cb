"""Meta's error codes, and what each leaves certain.

A code that is not here is a plain no when the status says so (4xx), and nothing certain otherwise.

https://developers.facebook.com/docs/graph-api/guides/error-handling
https://developers.facebook.com/documentation/business-messaging/messenger-platform/error-codes
https://developers.facebook.com/documentation/business-messaging/whatsapp/support/error-codes
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from bot.domain.connectors import Ambiguous, Permanent, Retry
from connectors.verdicts import ACCOUNT, LATER, NEVER, Verdict

_SHUT = "the channel's reply window is shut: the customer has to write first"
_BUSY = "Meta asks for a pause"
_FAILED = "Meta failed for a moment"
_GONE = "the customer cannot be reached: they blocked us, left, or take no messages now"
_TOKEN = "Meta refuses the access token: make a new one and set it"  # noqa: S105 - no token
_RIGHTS = "the app lacks a permission for this account: check it in Meta's dashboard"
_BROKEN = "Meta does not understand the message"

#: (code, subcode) → verdict and words for an agent; these go before the code alone.
SUBCODES: dict[tuple[int, int], tuple[Verdict, str]] = {
    (10, 2018278): (NEVER, _SHUT),
    (10, 2534022): (NEVER, _SHUT),
    (10, 2018065): (NEVER, _SHUT),
    (10, 1893063): (ACCOUNT, "Meta has restricted the page for a while: see the page's quality in Meta's dashboard"),
    (100, 2018001): (NEVER, "Meta knows no such customer on this account"),
    (200, 1545041): (NEVER, _GONE),
    (200, 2018028): (NEVER, "the app is not approved yet: it may only write to its own testers"),
    (551, 1545041): (NEVER, _GONE),
    (613, 1893016): (LATER, _BUSY),
}
#: code → verdict and words for an agent.
CODES: dict[int, tuple[Verdict, str]] = {
    1: (LATER, _FAILED),
    2: (LATER, _FAILED),
    3: (ACCOUNT, _RIGHTS),
    4: (LATER, _BUSY),
    10: (ACCOUNT, _RIGHTS),
    17: (LATER, _BUSY),
    32: (LATER, _BUSY),
    33: (ACCOUNT, "Meta no longer knows this account: was it deleted?"),
    100: (NEVER, _BROKEN),
    102: (ACCOUNT, _TOKEN),
    190: (ACCOUNT, _TOKEN),
    341: (LATER, _BUSY),
    368: (ACCOUNT, "Meta has blocked the account for breaking its policies: see Meta's dashboard"),
    551: (NEVER, _GONE),
    613: (LATER, _BUSY),
    1200: (LATER, _FAILED),
    1545041: (NEVER, _GONE),
    # Not in Meta's lists: what private replies are refused with.
    10900: (NEVER, "this comment was answered in private before, which Meta allows once"),
    10903: (NEVER, "Meta does not let this comment be answered in private"),
    # WhatsApp
    80007: (LATER, _BUSY),
    130429: (LATER, _BUSY),
    130472: (NEVER, "Meta holds this customer's number in an experiment and did not deliver the message"),
    130497: (NEVER, "WhatsApp does not let this account write to customers in that country"),
    131000: (LATER, _FAILED),
    131005: (ACCOUNT, _RIGHTS),
    131008: (NEVER, _BROKEN),
    131009: (NEVER, _BROKEN),
    131016: (LATER, _FAILED),
    131021: (NEVER, "the customer's number is our own"),
    131026: (NEVER, "WhatsApp cannot deliver to this customer: they may not use WhatsApp any more, or an old version"),
    131030: (NEVER, "this number is not on the test account's list of recipients"),
    131031: (ACCOUNT, "Meta has locked the WhatsApp account: see Meta's dashboard"),
    131037: (ACCOUNT, "the display name of the WhatsApp number is not approved yet: see Meta's dashboard"),
    131042: (ACCOUNT, "the WhatsApp account cannot pay: check the payment method in Meta's dashboard"),
    131045: (ACCOUNT, "the WhatsApp number is not registered: register it in Meta's dashboard"),
    131047: (NEVER, _SHUT),
    131048: (LATER, "WhatsApp slows the number down: too many customers blocked or reported it"),
    131049: (NEVER, "WhatsApp did not deliver the message to keep the customer from too many of its kind"),
    131050: (NEVER, "the customer has opted out of messages of this kind"),
    131051: (NEVER, "WhatsApp does not know this kind of message"),
    131052: (NEVER, "WhatsApp could not fetch the file"),
    131053: (LATER, "WhatsApp could not take the file"),
    131056: (LATER, "WhatsApp asks for a pause with this customer"),
    131057: (LATER, "WhatsApp maintains the account just now"),
    131062: (NEVER, "WhatsApp sends no message of this kind to customers without a phone number"),
    131064: (LATER, _BUSY),
    132000: (NEVER, "the template has another number of blanks than we fill in"),
    132001: (NEVER, "there is no such template in this language: check it in Meta's dashboard"),
    132005: (NEVER, "the template is too long with the text that was filled in"),
    132007: (NEVER, "Meta refuses the template's content"),
    132012: (NEVER, "what was filled in does not fit the template"),
    132015: (NEVER, "Meta has paused the template for its quality"),
    132016: (NEVER, "Meta has disabled the template for its quality"),
    133010: (ACCOUNT, "the WhatsApp number is not registered: register it in Meta's dashboard"),
    133016: (LATER, _BUSY),
}
#: Of the codes that ask for a pause without saying how long: one message per customer in six seconds.
_PAUSES = {131056: timedelta(seconds=6)}
_RIGHTS_FROM, _RIGHTS_TO = 200, 299


@dataclass(frozen=True, kw_only=True)
class GraphError:
    """An error as Meta writes it down."""

    code: int
    subcode: int = 0
    #: what Meta says about it; may hold anything
    message: str = ""
    #: whether Meta says that it will pass
    is_transient: bool = False

    def verdict(self) -> tuple[Verdict | None, str]:
        """Return what the error means, none for one that is not in the tables, and why in plain words."""
        known = SUBCODES.get((self.code, self.subcode)) or CODES.get(self.code)
        if known is None and _RIGHTS_FROM <= self.code <= _RIGHTS_TO:
            known = ACCOUNT, _RIGHTS
        verdict, words = known or (LATER if self.is_transient else None, "Meta refuses it")
        return verdict, f"{words} ({self.code}{f'/{self.subcode}' if self.subcode else ''})"

    def reason(self) -> str:
        """Return why a message did not arrive, for an agent to read."""
        verdict, words = self.verdict()
        return self._with_message(words, verdict or NEVER)

    def outcome(self, status: int, asked: timedelta | None) -> Retry | Permanent | Ambiguous:
        """Return what is certain about a call that was answered with this error and that HTTP status."""
        verdict, words = self.verdict()
        code = f"{self.code}/{self.subcode}" if self.subcode else str(self.code)
        if verdict is LATER:
            return Retry(reason=words, after=asked or _PAUSES.get(self.code))
        if verdict is not None:
            return Permanent(reason=self._with_message(words, verdict), code=code, is_account=verdict is ACCOUNT)
        if status >= 500:
            return Ambiguous(reason=f"Meta failed, and the message may have arrived ({self.code})")
        return Permanent(reason=self._with_message(words, NEVER), code=code)

    def _with_message(self, words: str, verdict: Verdict) -> str:
        """Return the words, with Meta's own where ours say nothing about the cause."""
        says_little = self.code == 100 or self.code not in CODES
        return f"{words}: {self.message}" if says_little and self.message and verdict is not ACCOUNT else words
