"""What may be said where everybody reads it: texts that the brand approved, and what agents mean to say."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property

from bot.domain.channels import ChannelAddress, ChannelName
from bot.domain.errors import SettingsError
from bot.domain.invitations import ALPHABET, LENGTH, InvitationToken, referral_of, shown
from bot.domain.messages import Author, OutboundMessage

#: Longer ones fit few public channels.
TEXT_MAX = 400
LINK, CODE = "link", "code"
#: What may stand in a gap, so that nothing else can.
_FILLINGS = {
    LINK: r"https?://[!-~]{1,300}",
    CODE: f"[{ALPHABET.upper()}]{{{LENGTH // 2}}}-[{ALPHABET.upper()}]{{{LENGTH // 2}}}",
}
_GAP = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True)
class PublicText:
    """A text that the brand approved, maybe with the gaps `{link}` and `{code}`."""

    template: str

    @property
    def gaps(self) -> frozenset[str]:
        """The names between braces."""
        return frozenset(_GAP.findall(self.template))

    @cached_property
    def _form(self) -> re.Pattern[str]:
        # Odd parts are the names of gaps.
        parts = _GAP.split(self.template)
        return re.compile("".join(_FILLINGS[part] if n % 2 else re.escape(part) for n, part in enumerate(parts)))

    def fits(self, text: str) -> bool:
        """Whether `text` is this one, with a link and a code in its gaps and nothing else."""
        return self._form.fullmatch(text) is not None

    def filled(self, values: Mapping[str, str]) -> str:
        """Return the text with its gaps filled."""
        return _GAP.sub(lambda match: values[match[1]], self.template)


Texts = tuple[PublicText, ...]


@dataclass(frozen=True, kw_only=True)
class PublicTexts:
    """All that bot and pipeline may say in public; several texts of one kind are variations."""

    #: by intent: what answers the question for everybody
    answers: Mapping[str, Texts] = field(default_factory=dict)
    #: for praise; none: it is left as it is
    thanks: Texts = ()
    #: asks to go on in private, by a link
    invitations: Texts = ()
    #: asks for a direct message with a code, where no link leads there
    invitations_by_code: Texts = ()
    #: asks to go on where it is read: in private, as an answer to what was said in public
    private_replies: Texts = ()
    #: says, once a ticket is closed, that it was looked after in private
    closings: Texts = ()
    #: what is said instead to whoever writes a language ("de")
    by_language: Mapping[str, PublicTexts] = field(default_factory=dict)

    def allows(self, text: str) -> bool:
        """Whether it is one of the approved texts."""
        return any(approved.fits(text) for approved in self.every())

    def spoken(self, language: str | None) -> PublicTexts:
        """Return the texts in a language ("de", "de-at"); what it lacks is said as to everybody."""
        own = self.by_language.get((language or "").casefold().partition("-")[0])
        if own is None:
            return self
        return PublicTexts(
            answers={**self.answers, **own.answers},
            thanks=own.thanks or self.thanks,
            invitations=own.invitations or self.invitations,
            invitations_by_code=own.invitations_by_code or self.invitations_by_code,
            private_replies=own.private_replies or self.private_replies,
            closings=own.closings or self.closings,
        )

    def every(self) -> Iterator[PublicText]:
        """Return all texts of all languages, one after the other."""
        invitations = (self.invitations, self.invitations_by_code, self.private_replies)
        for texts in (*self.answers.values(), self.thanks, *invitations, self.closings):
            yield from texts
        for own in self.by_language.values():
            yield from own.every()


@dataclass(frozen=True, kw_only=True)
class Doorway:
    """Where the customers of a public channel are asked to go on."""

    channel: ChannelName
    #: the link that brings a referral there; none: they write a direct message with the code
    url: Callable[[str], str | None] | None


@dataclass(frozen=True, kw_only=True)
class PublicRules:
    """What the brand does in public."""

    #: the public channel accounts (`channel/account`), and where each leads; none: nowhere
    doorways: Mapping[str, Doorway | None] = field(default_factory=dict)
    #: those whose channel lets us answer in private what is said there
    replying: frozenset[str] = frozenset()
    texts: PublicTexts = field(default_factory=PublicTexts)
    #: what people call us
    names: tuple[str, ...] = ()
    #: how long an invitation can be used
    invitation_for: timedelta = timedelta(days=14)

    def covers(self, address: ChannelAddress) -> bool:
        """Whether everybody reads what is written there."""
        return _account(address) in self.doorways

    def allows(self, message: OutboundMessage) -> bool:
        """Whether a message may be shown to everybody.

        Of agents: when they know that it is. Of bot and pipeline: when it is an approved text and nothing else.
        """
        if message.author is Author.AGENT:
            return message.is_known_public
        return not (message.choices or message.attachments) and self.texts.allows(message.text)

    def can_invite(self, address: ChannelAddress) -> bool:
        """Whether there is somewhere to go on, and a text that says so."""
        return bool(self._asking(address, self.texts)) or self.asks_privately(address)

    def asks_privately(self, address: ChannelAddress) -> bool:
        """Whether who writes there is asked in private to go on there, and in public only where that fails."""
        return _account(address) in self.replying and bool(self.texts.private_replies)

    def awaits(self, address: ChannelAddress) -> bool:
        """Whether who writes from a private address may have been asked there to."""
        ends = f"/{address.account}"
        mine = (each for each in self.replying if each.startswith(f"{address.channel}-") and each.endswith(ends))
        return bool(self.texts.private_replies) and any(mine)

    def invitation(
        self, address: ChannelAddress, token: InvitationToken, seed: str, language: str | None = None
    ) -> str | None:
        """Return the text that asks to go on in private with a token; none where there is no way to."""
        texts, doorway = self._asking(address, self.texts.spoken(language)), self.doorways.get(_account(address))
        if not texts or doorway is None:
            return None
        link = (doorway.url(referral_of(token)) if doorway.url else None) or ""
        return pick(texts, seed).filled({LINK: link, CODE: shown(token)})

    def _asking(self, address: ChannelAddress, texts: PublicTexts) -> Texts:
        doorway = self.doorways.get(_account(address))
        if doorway is None:
            return ()
        return texts.invitations if doorway.url else texts.invitations_by_code


def pick(texts: Texts, seed: str) -> PublicText:
    """Return one of several variations, the same for the same `seed`."""
    return texts[sum(seed.encode()) % len(texts)]


def check_texts(texts: PublicTexts) -> None:
    """Return if the texts can be used; raise `SettingsError` that names what is wrong with one."""
    plain = [(f"the answer to {intent}", each) for intent, known in texts.answers.items() for each in known]
    plain += [("thanks", each) for each in texts.thanks] + [("closing", each) for each in texts.closings]
    plain += [("private_reply", each) for each in texts.private_replies]
    for what, text in plain:
        _check(what, text, may=frozenset(), must=frozenset())
    for text in texts.invitations:
        _check("invitation", text, may=frozenset({LINK, CODE}), must=frozenset({LINK}))
    for text in texts.invitations_by_code:
        _check("invitation_by_code", text, may=frozenset({CODE}), must=frozenset({CODE}))
    for language, own in texts.by_language.items():
        try:
            check_texts(own)
        except SettingsError as error:
            raise SettingsError(f"[{language}] {error}") from None


def _check(what: str, text: PublicText, *, may: frozenset[str], must: frozenset[str]) -> None:
    if text.template != text.template.strip() or not 0 < len(text.template) <= TEXT_MAX:
        raise SettingsError(f"{what}: a public text has 1 to {TEXT_MAX} characters: {text.template[:60]!r}")
    missing, unknown = must - text.gaps, text.gaps - may
    if missing:
        raise SettingsError(f"{what}: the text must say {{{min(missing)}}} where the customer is to go")
    if unknown or set("{}") & set(_GAP.sub("", text.template)):
        names = " and ".join(f"{{{name}}}" for name in sorted(may)) or "no gap at all"
        raise SettingsError(f"{what}: a public text may have {names}, as nothing personal is said in public")


def _account(address: ChannelAddress) -> str:
    return f"{address.channel}/{address.account}"
