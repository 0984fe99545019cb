"""What mail servers mean: status codes of SMTP and of bounces, in words for an agent."""

from __future__ import annotations

import re

#: Enhanced status codes (https://www.iana.org/assignments/smtp-enhanced-status-codes), without their class; a shorter
#: one stands for all that begin with it.
_WORDS: dict[str, str] = {
    "1": "the customer's address cannot be written to",
    "1.1": "the customer's mail address does not exist",
    "1.2": "there is no such domain as in the customer's mail address",
    "1.3": "the customer's mail address is not written as one",
    "1.6": "the customer has moved and left no new address",
    "1.8": "the customer's mail server does not accept our sender address",
    "1.10": "the domain of the customer's mail address takes no mail",
    "2": "the customer's mailbox does not take the mail",
    "2.1": "the customer's mailbox is switched off",
    "2.2": "the customer's mailbox is full",
    "2.3": "the mail is larger than the customer's mailbox takes",
    "3": "the customer's mail server does not take the mail",
    "3.4": "the mail is larger than the customer's mail server takes",
    "4": "the customer's mail server cannot be reached",
    "4.6": "the mail went round in circles",
    "4.7": "the customer's mail server did not take the mail for so long that it was given up",
    "5": "the mail servers did not understand each other",
    "6": "the customer's mail server cannot read what the mail is made of",
    "7": "the customer's mail server refuses the mail: it takes it for unwanted, or us for somebody we are not",
    "7.1": "the customer's mail server refuses the mail, as unwanted or for a rule of its own",
    "7.20": "our mails are not signed: the DKIM entry of our domain has to be mended",
    "7.23": "our mail server may not send for our domain: the SPF entry has to be mended",
    "7.25": "our mail server has no proper name in the DNS",
    "7.26": "our mails prove not to be ours: SPF and DKIM of our domain have to be mended",
    "7.27": "our domain takes no mail itself, and so nobody takes mail from it",
}
#: Where only the plain code is given (https://www.rfc-editor.org/rfc/rfc5321#section-4.2.3).
_PLAIN: dict[int, str] = {
    450: "the customer's mailbox is busy",
    452: "the mail server has no room now",
    521: "the domain of the customer's mail address takes no mail",
    550: "the customer's mail server refuses the mail or does not know the address",
    551: "the customer's mail server does not know the address",
    552: "the mail is too large, or the customer's mailbox is full",
    553: "the customer's mail address is not accepted",
    554: "the customer's mail server refuses the mail",
    556: "the domain of the customer's mail address takes no mail",
}
_STATUS = re.compile(r"\b([245])\.(\d{1,3})\.(\d{1,3})\b")


def status_in(text: str) -> str:
    """Return the first enhanced status code in a server's words: "5.1.1"; empty where there is none."""
    found = _STATUS.search(text)
    return found.group() if found else ""


def words_of(status: str, code: int = 0) -> str:
    """Return what an enhanced status code, or a plain one, means."""
    _, _, detail = status.partition(".")
    subject = detail.partition(".")[0]
    return (
        _WORDS.get(detail)
        or _PLAIN.get(code)
        or _WORDS.get(subject)
        or "the customer's mail server did not take the mail"
    )
