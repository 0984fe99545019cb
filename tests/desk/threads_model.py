"""What agents' messages come to, as a few plain lines; the desk in Slack has to agree with it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

#: A guest of the workspace, who is no agent.
EVE = "U0EVE"


@dataclass(kw_only=True, eq=False)
class Case:
    """A ticket as its thread shows it."""

    customer: str
    #: of the card
    ts: str
    number: int
    #: none: it waits
    owner: str | None = None
    is_open: bool = True

    def is_free_for(self, user: str) -> bool:
        """Whether somebody may act on it."""
        return user != EVE and self.is_open and self.owner in {None, user}


@dataclass(kw_only=True, eq=False)
class Written:
    """A message that somebody wrote in a thread."""

    case: Case
    ts: str
    user: str
    #: as Slack shows it now
    text: str
    is_broadcast: bool = False
    #: names of its files
    files: tuple[str, ...] = ()
    is_deleted: bool = False
    #: what the customer has of it: sent because of its `>`, or because of an envelope
    has_reply: bool = False
    has_copy: bool = False
    #: what was sent was taken back
    is_unsent: bool = False


@dataclass(kw_only=True)
class Model:
    """What each customer should see of what agents wrote."""

    #: by customer: what was sent, by what it was sent for
    seen: dict[str, dict[tuple[str, str], str]] = field(default_factory=lambda: defaultdict(dict))

    def say(self, case: Case, user: str, of: tuple[str, str], text: str) -> bool:
        """Send a text to a case's customer; return whether that was possible."""
        if not case.is_free_for(user):
            return False
        case.owner = user
        self.seen[case.customer][of] = text
        return True

    def written(self, message: Written, text: str) -> None:
        """Hear that a message was written, with the text it had then."""
        said = reply_in(text)
        if said is None or message.is_broadcast or message.has_reply:
            return
        message.has_reply = self.say(message.case, message.user, ("reply", message.ts), _with_files(said, message))

    def enveloped(self, message: Written, user: str) -> None:
        """Hear that somebody put an envelope on a message, which is looked at as it stands now."""
        is_theirs = user in {message.user, message.case.owner}
        if user == EVE or not is_theirs or message.is_deleted:
            return
        said = reply_in(message.text)
        if message.has_reply or message.has_copy:
            self._show(message, plain(message.text) if said is None else said)
        elif said is not None:
            message.has_reply = self.say(message.case, user, ("reply", message.ts), _with_files(said, message))
        else:
            shown = plain(message.text) if said is None else said
            message.has_copy = self.say(message.case, user, ("copy", message.ts), _with_files(shown, message))

    def edited(self, message: Written, text: str) -> None:
        """Hear that a message was changed."""
        said = reply_in(text)
        if message.user == EVE:
            return
        if message.has_reply and said is not None:
            self._show(message, said)
        elif message.has_copy and not message.has_reply:
            self._show(message, plain(text) if said is None else said)

    def deleted(self, message: Written) -> None:
        """Hear that a message was deleted."""
        if message.user == EVE or not (message.has_reply or message.has_copy):
            return
        message.is_unsent = True
        self.seen[message.case.customer].pop(_of(message), None)

    def _show(self, message: Written, said: str) -> None:
        if not message.is_unsent:
            self.seen[message.case.customer][_of(message)] = _with_files(said, message)


def reply_in(text: str) -> str | None:
    """Return what a message says to the customer; none: it is for us."""
    lines = plain(text).split("\n")
    if not all(line.startswith(">") for line in lines):
        return None
    return "\n".join(line[1:].strip() for line in lines)


def plain(text: str) -> str:
    """Return a text as people typed it."""
    return text.replace("&gt;", ">").strip()


def _with_files(said: str, message: Written) -> str:
    """Return what a customer sees on a channel that carries no files."""
    return "\n".join([said, *(f"[file: {name} – it cannot be shown on this channel]" for name in message.files)])


def _of(message: Written) -> tuple[str, str]:
    return ("reply" if message.has_reply else "copy"), message.ts
