"""The accounts at Meta, as an operator writes them: Messenger, Instagram, WhatsApp."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, SecretStr, model_validator

GRAPH_URL = "https://graph.facebook.com"
INSTAGRAM_URL = "https://graph.instagram.com"


class MetaSettings(BaseModel):
    """What every account needs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    #: what the section is called, and which of its members have to be there as soon as one is
    section: ClassVar[str] = "meta"
    needed: ClassVar[tuple[str, ...]] = ("token", "app_secret", "verify_token")

    #: access token; none: no such channel
    token: SecretStr | None = None
    #: of the Meta app: what webhook calls are signed with
    app_secret: SecretStr | None = None
    #: any words of ours, which Meta shows when the webhook is set up
    verify_token: SecretStr | None = None
    #: number of the Meta app; none: the webhook is set up by hand
    app_id: str | None = None
    base_url: str = GRAPH_URL
    #: HTTP proxy on the way there
    proxy_url: SecretStr | None = None
    #: what to do with a message that may or may not have arrived: tell a person, or send it again
    on_ambiguous: Literal["hold", "resend"] = "hold"

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        missing = [f"{self.section}.{name}" for name in self.needed if not getattr(self, name)]
        if self.token is not None and missing:
            raise ValueError(f"{' and '.join(missing)} must be given too: see docs/connect-{self.section}.md")
        return self


class MessengerSettings(MetaSettings):
    """One Facebook page."""

    section = "messenger"
    needed = (*MetaSettings.needed, "page_id")

    #: number of the page
    page_id: str = ""
    #: whether Meta has granted the app "Human Agent": then people may answer for seven days
    has_human_agent: bool = False


class InstagramSettings(MetaSettings):
    """One professional account."""

    section = "instagram"
    needed = (*MetaSettings.needed, "account_id")

    #: number of the Instagram account
    account_id: str = ""
    #: number of the Facebook page it is linked to; none: the token is of Instagram's own log-in
    page_id: str | None = None
    #: whether Meta has granted the app "Human Agent": then people may answer for seven days
    has_human_agent: bool = False

    @property
    def url(self) -> str:
        """Where the account is spoken to: accounts without a page have a server of their own."""
        return INSTAGRAM_URL if self.page_id is None and self.base_url == GRAPH_URL else self.base_url


class WhatsAppSettings(MetaSettings):
    """One phone number."""

    section = "whatsapp"
    needed = (*MetaSettings.needed, "phone_number_id", "business_account_id")

    #: Meta's number of the phone number; not the one that people dial
    phone_number_id: str = ""
    #: number of the WhatsApp Business account it belongs to
    business_account_id: str = ""
    #: name of an approved template with one blank, for what people write after a day; none: they have to wait
    template: str | None = None
    #: language of the template, as Meta's dashboard writes it
    template_language: str = "en"
