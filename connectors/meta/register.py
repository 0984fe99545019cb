"""Setting up Meta's webhooks, and looking whether they, the token and the account are well."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from bot.domain.connectors import Ambiguous, Retry
from bot.domain.errors import MalformedWebhookError, SettingsError
from connectors.fields import Fields
from connectors.insisting import insist
from connectors.meta.account import MetaAccount
from connectors.meta.api import HIDDEN, Failure, GraphApi


@dataclass(frozen=True, kw_only=True)
class Subscription:
    """What we want to hear of."""

    #: what Meta calls the channel: "page", "instagram", "whatsapp_business_account"
    object_name: str
    #: kinds of events
    fields: tuple[str, ...]
    #: what the app subscribes to: a page, an account
    node: str
    #: kinds of events to name when it does; none: it hears of all
    node_fields: tuple[str, ...] = ()
    #: what the Graph API knows the account by, where that is not `node`, and what to show of it
    shown_node: str | None = None
    shown_fields: tuple[str, ...] = ("name",)


class Registration:
    """One account's webhook, as Meta has it."""

    def __init__(self, account: MetaAccount, api: GraphApi, wanted: Subscription) -> None:
        """Ask and tell Meta through `api`."""
        self._account = account
        self._api = api
        self._wanted = wanted

    async def register(self, sleep: Callable[[float], Awaitable[None]]) -> None:
        """Make Meta call us, waiting out outages; raises `SettingsError` when it refuses."""
        await insist(self._account.section, self._register, sleep)

    async def _register(self) -> Failure | None:
        wanted, account = self._wanted, self._account
        if account.app_id is not None:
            body = {
                "object": wanted.object_name,
                "callback_url": account.webhook_url,
                "verify_token": account.verify_token,
                "fields": ",".join(wanted.fields),
            }
            answer = await self._api.post(f"{account.app_id}/subscriptions", body, as_app=True)
            if not isinstance(answer, Fields):
                return answer
        fields = {"subscribed_fields": ",".join(wanted.node_fields)} if wanted.node_fields else {}
        answer = await self._api.post(f"{wanted.node}/subscribed_apps", fields)
        return None if isinstance(answer, Fields) else answer

    async def check(self) -> str:
        """Return one line on the account, its token and its webhook; raises `SettingsError` that says what to fix."""
        try:
            name = await self._name()
            await self._check_subscription()
            if self._account.app_id is None:
                return (
                    f"{name} ({self._account.id}), subscribed; without app_id its webhook and token are not looked at"
                )
            token = await self._check_token()
            await self._check_webhook()
        except MalformedWebhookError as error:
            raise SettingsError(f"Meta answers something else than expected: {error}") from None
        return f"{name} ({self._account.id}), webhook {self._account.webhook_url}, token {token}"

    async def _name(self) -> str:
        shown = self._wanted.shown_fields
        node = self._wanted.shown_node or self._wanted.node
        answer = self._known(await self._api.get(node, {"fields": ",".join(shown)}))
        return " ".join(filter(None, (answer.text(each, "") for each in shown))) or "unnamed"

    async def _check_subscription(self) -> None:
        answer = self._known(await self._api.get(f"{self._wanted.node}/subscribed_apps", {}))
        apps = answer.objects("data")
        heard = {field for app in apps for field in app.texts("subscribed_fields", 1000)}
        missing = [field for field in self._wanted.node_fields if field not in heard]
        if not apps or missing:
            what = f"does not send us {', '.join(missing)}" if apps else "sends us nothing"
            raise SettingsError(f"the account {what}: start Tandem, which subscribes to it")

    async def _check_token(self) -> str:
        expires_at = await self._expires_at()
        return f"until {expires_at:%d %B %Y}" if expires_at else "does not expire"

    async def expires_at(self) -> datetime | None:
        """Return when the token ends; none: never, or nobody can ask without `app_id`. Raises `SettingsError`."""
        if self._account.app_id is None:
            return None
        try:
            return await self._expires_at()
        except MalformedWebhookError as error:
            raise SettingsError(f"Meta answers something else than expected: {error}") from None

    async def _expires_at(self) -> datetime | None:
        # The token itself is put into the address where nobody logs it.
        answer = self._known(await self._api.get("debug_token", {"input_token": HIDDEN}, as_app=True)).object("data")
        if not answer.flag("is_valid"):
            raise SettingsError("Meta says that the token is not valid any more: make a new one and set it")
        expires_at = answer.integer("expires_at") if "expires_at" in answer else 0
        return datetime.fromtimestamp(expires_at, UTC) if expires_at else None

    async def _check_webhook(self) -> None:
        account, wanted = self._account, self._wanted
        answer = self._known(await self._api.get(f"{account.app_id}/subscriptions", {}, as_app=True))
        mine = [each for each in answer.objects("data") if each.text("object", "") == wanted.object_name]
        if not mine:
            raise SettingsError("Meta has no webhook for this channel: start Tandem, which sets it")
        url = mine[0].text("callback_url", "")
        if url != account.webhook_url:
            raise SettingsError(
                f"Meta calls {url} instead of {account.webhook_url}; stop whatever runs there, then start Tandem, "
                "which takes the webhook over"
            )
        if not mine[0].flag("active"):
            raise SettingsError(
                "Meta has switched the webhook off after too many failures: start Tandem, then set it on"
            )

    def _known(self, answer: Fields | Failure) -> Fields:
        if isinstance(answer, Fields):
            return answer
        if isinstance(answer, Retry | Ambiguous):
            raise SettingsError(f"Meta does not answer at {self._account.base_url}: {answer.reason}; check the network")
        raise SettingsError(f"{answer.reason}: check token, ids and the app's permissions")
