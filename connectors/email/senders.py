"""Who a mail is from, how surely, and whether a person wrote it: nothing is believed because a From line says it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from email.utils import getaddresses
from enum import StrEnum

from connectors.email.mime import Mail, decoded, written

#: Before the address of a sender that is known not to be proved: a conversation of its own, so that nobody speaks in
#: another's by writing their address into a From line.
UNPROVED = "unproved:"
_ADDRESS = re.compile(r"[^\s@<>()\[\],;:\"\\]{1,64}@[^\s@<>()\[\],;:\"\\/]{1,255}")
_ADDRESS_MAX = 254
#: A From line that no two programs read differently.
_ONE_AUTHOR = re.compile(
    r"\s*(?:(?:\"(?:[^\"\\]|\\.)*\"|[^\"<>@,;:()\\]*)\s*<[^\s<>@]+@[^\s<>@]+>|[^\s<>@,;:()\"\\]+@[^\s<>@,;:()\"\\]+)\s*",
    re.DOTALL,
)
_ROBOTS = re.compile(
    r"(mailer-daemon|postmaster|no-?reply|do-?not-?reply|donotreply|bounces?)([+.-].*)?@.*", re.IGNORECASE
)
#: What automatic answers call themselves; read only in answers to us.
_AUTOMATIC = re.compile(
    r"(auto(matic|matische|matisch|matisk)?[ -]?(reply|response|antwort|antwoord|svar)|réponse automatique"
    r"|respuesta automática|risposta automatica|resposta automática|out of (the )?office|abwesenheits|auto:)",
    re.IGNORECASE,
)
#: Headers that only automatic answers have.
_AUTOMATIC_HEADERS = ("x-autoreply", "x-autorespond", "x-autoresponder", "x-auto-reply-from")


class Proof(StrEnum):
    """What our mail server says of a sender."""

    PROVED = "proved"
    FAILED = "failed"
    #: it says nothing, or nobody told us which words are its own
    UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True)
class Sender:
    """Who is answered."""

    #: lower case, as `normal_address` makes it
    address: str
    #: what they call themselves
    name: str
    proof: Proof

    @property
    def external_id(self) -> str:
        """The customer, as addresses name them."""
        return (UNPROVED if self.proof is Proof.FAILED else "") + self.address


def mailbox_of(external_id: str) -> str:
    """Return the mail address in a customer's `external_id`."""
    return external_id.removeprefix(UNPROVED)


def normal_address(text: str) -> str | None:
    """Return a mail address in the one form it is compared in; none for what is none.

    Letters are lower and foreign domains in their ASCII form; dots and tags of a name are left, as some providers
    tell them apart.
    """
    address = text.strip().lower()
    if not _ADDRESS.fullmatch(address):
        return None
    name, _, domain = address.rpartition("@")
    try:
        domain = domain.rstrip(".") if domain.isascii() else domain.rstrip(".").encode("idna").decode()
    except UnicodeError:
        return None
    whole = f"{name}@{domain}"
    return whole if len(whole) <= _ADDRESS_MAX and domain and ".." not in domain else None


def addresses_in(mail: Mail, name: str) -> list[tuple[str, str]]:
    """Return names and addresses of a header, those that are addresses.

    They are found before anything is decoded: a coded name may spell another address.
    """
    found = []
    for called, spelled in _pairs(written(mail.message, name)):
        address = normal_address(spelled)
        if address is not None:
            found.append((decoded(called).strip(" \"'"), address))
    return found


def _pairs(values: list[str]) -> list[tuple[str, str]]:
    try:
        return getaddresses(values)[:50]
    except Exception:  # noqa: BLE001 - the library stumbles over some nonsense
        return []


def sender_of(mail: Mail, authserv_id: str) -> Sender | None:
    """Return whom to answer; none where the mail names nobody.

    That is `Reply-To` where it is given. It counts as proved only if our own mail server (`authserv_id`) says that the
    mail comes from where its one From line claims, and the answer goes to the same address.
    """
    authors = addresses_in(mail, "from")
    replies = addresses_in(mail, "reply-to")
    if not (authors or replies):
        return None
    name, address = (replies or authors)[0]
    author = authors[0][1] if authors else ""
    proof = _proof(mail, author, authserv_id)
    lines = written(mail.message, "from")
    if len(lines) != 1 or not _ONE_AUTHOR.fullmatch(lines[0]) or address != author:
        proof = Proof.FAILED
    # A name that looks like an address is meant to be taken for one.
    return Sender(address=address, name="" if "@" in name else name, proof=proof)


def _proof(mail: Mail, author: str, authserv_id: str) -> Proof:
    """Return what `Authentication-Results` of our own server say (https://www.rfc-editor.org/rfc/rfc8601).

    Without DMARC's verdict, DKIM or SPF must pass for the domain of the From line itself.
    """
    domain = author.rpartition("@")[2]
    results = [
        result for value in mail.headers.get("authentication-results", ()) for result in _results(value, authserv_id)
    ]
    if not authserv_id or not domain:
        return Proof.UNKNOWN
    verdicts = {result for method, result, _ in results if method == "dmarc"}
    if verdicts & {"pass", "bestguesspass"} and verdicts <= {"pass", "bestguesspass"}:
        return Proof.PROVED
    if verdicts - {"none", "temperror"}:
        return Proof.FAILED
    passed = {found for method, result, found in results if method in {"dkim", "spf"} and result == "pass"}
    return Proof.PROVED if any(_is_within(found, domain) for found in passed) else Proof.FAILED


def _results(value: str, authserv_id: str) -> list[tuple[str, str, str]]:
    """Return method, result and the domain that it is about, of one header of that server's."""
    server, *statements = _without_comments(value).split(";")
    if not authserv_id or (server.split() or [""])[0].lower() != authserv_id.lower():
        return []
    found = []
    for statement in statements[:50]:
        words = statement.split()
        method, _, result = (words or [""])[0].lower().partition("=")
        told = dict(word.lower().split("=", 1) for word in words[1:] if "=" in word)
        about = told.get("header.d") or told.get("header.i") or told.get("smtp.mailfrom") or told.get("header.from", "")
        found.append((method, result, about.strip('"').rpartition("@")[2]))
    return found


def _without_comments(value: str) -> str:
    kept, depth = [], 0
    for each in value:
        depth += each == "("
        if not depth:
            kept.append(each)
        depth -= each == ")" and depth > 0
    return "".join(kept)


def _is_within(one: str, other: str) -> bool:
    return bool(one and other) and (one == other or one.endswith(f".{other}") or other.endswith(f".{one}"))


def machine_of(mail: Mail) -> str | None:
    """Return what kind of machine wrote a mail; none for a person's.

    Nothing of a machine's is ever answered: two that answer each other never end
    (https://www.rfc-editor.org/rfc/rfc3834).
    """
    automatic = mail.header("auto-submitted").partition(";")[0].strip().lower()
    precedence = mail.header("precedence").lower()
    is_answer = bool(mail.header("in-reply-to"))
    signs = {
        "auto-reply": automatic == "auto-replied"
        or precedence == "auto_reply"
        or any(mail.header(name) for name in _AUTOMATIC_HEADERS)
        or (is_answer and _AUTOMATIC.match(mail.header("subject")) is not None),
        "automatic": automatic not in {"", "no"},
        "bulk": precedence in {"bulk", "junk", "list"}
        or bool(mail.header("list-id"))
        or (bool(mail.header("list-unsubscribe")) and not is_answer),
        "bounce": mail.header("return-path") == "<>",
    }
    return next((kind for kind, is_so in signs.items() if is_so), None)


def is_robot(address: str) -> bool:
    """Whether nobody reads what is sent to an address, by its name."""
    return bool(_ROBOTS.fullmatch(address))
