"""Answers about products and stores: public facts from the brand's records, for anyone who asks."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import date, datetime, timedelta
from itertools import groupby

from actions.base import Button, Result, Say, TandemAction, say
from actions.choosing import by_name, is_named
from actions.context import TurnContext
from actions.knowledge import cited
from actions.tongues import speaking
from actions.wording import LOCAL_ZONE, clock, listing, money, on_day
from bot.domain.customers import OpeningHours, Product, Store

_OFFERED_MAX = 3
#: Products of one message that are answered on.
_NAMED_MAX = 2
_WEEK = 7
#: Days that one answer tells the hours of, each by itself; of more, the week is told.
_DAYS_MAX = 3

#: How long "it" means the product that was talked about.
REMEMBERED_FOR = timedelta(minutes=30)
#: Words that stand for what was talked about, and words that say nothing of what is asked about.
_POINTING = frozenset(("it", "its", "they", "theyre", "them"))
_EMPTY = re.compile(
    "a|again|and|any|are|available|back|be|can|costs?|do|does|for|get|got|have|how|i|in|is|left|many|me|more|much|now|of"
    "|on|ones?|please|pls|price|so|sold|stock|still|that|thats|the|then|there|these|this|those|to|u|what|whats|when"
    "|will|you"
)
_SIZE = re.compile(r"(?P<count>\d+(?:\.\d+)?) ?(?P<unit>kg|g|litres?|l|ml)\b", re.IGNORECASE)
_UNITS = {
    "kg": (1000, "g"),
    "g": (1, "g"),
    "litre": (1000, "ml"),
    "litres": (1000, "ml"),
    "l": (1000, "ml"),
    "ml": (1, "ml"),
}


def leans_back(text: str) -> bool:
    """Whether a text that names no product means the one talked about: "how much is it", "and in stock?"."""
    words = re.findall(r"\w+", text.casefold().replace("'", "").replace("’", ""))
    return any(word in _POINTING for word in words) or all(_EMPTY.fullmatch(word) for word in words)


class ProductAction(TandemAction):
    """Answers from the record of the product that a message names."""

    async def answer(self, context: TurnContext) -> Result:
        """Find each product named; offer the nearest ones when it cannot be told which is meant."""
        names = tuple(dict.fromkeys(context.entities.get("product", ())))[:_NAMED_MAX] or (None,)
        result = Result()
        for name in names:
            entities = {**context.entities, "product": (name,)} if name else context.entities
            result = result.then(await self._answer_one(replace(context, entities=entities)))
        return result

    async def _answer_one(self, context: TurnContext) -> Result:
        named = context.entity("product")
        nearest = await self.sources.directory.products(named or context.text, _OFFERED_MAX)
        found = [product for product in nearest if is_named(context, product.name)]
        if not found:
            meant = await self._talked_about(context) if named is None and leans_back(context.text) else None
            return self._about(context, meant) if meant is not None else self.nothing_found(context)
        only = 0 if len(found) == 1 else _named(context, found)
        if only is not None:
            return self._about(context, found[only])
        buttons = tuple(
            Button(title=product.name, intent=context.intent, entities={"product": product.name}) for product in found
        )
        return Result(says=(Say(response="say_which_product", buttons=buttons),))

    def _about(self, context: TurnContext, product: Product) -> Result:
        """Return the answer, and remember what it was about."""
        remembered = {"name": product.name, "at": context.now.isoformat()}
        return self.about(context, product).then(Result(slots={"product_in_question": remembered}))

    async def _talked_about(self, context: TurnContext) -> Product | None:
        """Return the product that was talked about a moment ago, or none."""
        remembered = context.slots.get("product_in_question")
        if not isinstance(remembered, dict):
            return None
        if context.now - datetime.fromisoformat(str(remembered["at"])) > REMEMBERED_FOR:
            return None
        nearest = await self.sources.directory.products(str(remembered["name"]), 1)
        return next((product for product in nearest if product.name == remembered["name"]), None)

    def nothing_found(self, context: TurnContext) -> Result:
        """Return what is said when no product comes near."""
        raise NotImplementedError

    def about(self, context: TurnContext, product: Product) -> Result:
        """Return the answer about one product."""
        raise NotImplementedError


class ProductAvailability(ProductAction):
    """Says whether something is in stock and what it costs."""

    def nothing_found(self, context: TurnContext) -> Result:
        """Say that nothing of the kind was found."""
        del context
        return say("say_product_not_found")

    def about(self, context: TurnContext, product: Product) -> Result:
        """Say whether it is there, or when it comes back."""
        fields = {"product": product.name, "price": money(product.price)}
        if product.stock > 0:
            return say("say_in_stock", **fields)
        if product.restock_on is not None and product.restock_on >= context.today:
            return say("say_restock", due=on_day(product.restock_on, context.today), **fields)
        return say("say_out_of_stock", **fields)


class ProductQuestion(ProductAction):
    """Answers questions about a product with an article or with what the records say, and offers a person for the rest.

    What the brand wrote about the very question says more than the description of the product.
    """

    async def answer(self, context: TurnContext) -> Result:
        """Cite the article where there is one; else look the product up."""
        if context.article is not None:
            return cited(context.article).then(Result(slots={"offer": "product question"}))
        return await super().answer(context)

    def nothing_found(self, context: TurnContext) -> Result:
        """Offer a person; nothing is made up."""
        del context
        return say("say_product_question_open").then(Result(slots={"offer": "product question"}))

    def about(self, context: TurnContext, product: Product) -> Result:
        """Say what the records say."""
        del context
        facts = say("say_product_facts", product=product.name, facts=product.description)
        return facts.then(Result(slots={"offer": "product question"}))


def _named(context: TurnContext, found: Sequence[Product]) -> int | None:
    """Return which of the products found is meant.

    It is the only one of the size that was asked for, the one of exactly that name, or the one that comes much nearer.
    """
    size = context.entity("size")
    fitting = [place for place, product in enumerate(found) if size in _sizes(product)]
    if len(fitting) == 1:
        return fitting[0]
    named = (context.entity("product") or "").casefold()
    for place, product in enumerate(found):
        if product.name.casefold() == named:
            return place
    return by_name(context, [product.name for product in found])


def _sizes(product: Product) -> set[str]:
    """Return the sizes that a product's record names, as the engine reads them from messages: `1000 g`, `500 ml`."""
    sizes = set()
    for match in _SIZE.finditer(f"{product.name} {product.description}"):
        factor, unit = _UNITS[match["unit"].lower()]
        sizes.add(f"{round(float(match['count']) * factor)} {unit}")
    return sizes


class StoreAction(TandemAction):
    """Answers about the stores of a city, or about all."""

    async def answer(self, context: TurnContext) -> Result:
        """Find the stores and say what was asked of each."""
        city = context.entity("store")
        stores = await self.sources.directory.stores(city)
        if city is None:
            return self.about_all(context, stores)
        if not stores:
            every = await self.sources.directory.stores(None)
            return say("say_no_store_there", cities=listing(sorted({store.city for store in every})))
        result = Result()
        for store in stores[:2]:
            result = result.then(Result(says=(self.about(context, store),)))
        return result

    def about_all(self, context: TurnContext, stores: Sequence[Store]) -> Result:
        """Return the answer when no city was named."""
        raise NotImplementedError

    def about(self, context: TurnContext, store: Store) -> Say:
        """Return the answer about one store."""
        raise NotImplementedError


class OpeningHoursAction(StoreAction):
    """Says when stores are open, and whether they are now; of the days that are asked about, where some are."""

    def about_all(self, context: TurnContext, stores: Sequence[Store]) -> Result:
        """Say the hours of every store, on the days that are asked about or today."""
        buttons = tuple(
            Button(title=store.city, intent="opening_hours", entities={"store": store.city}) for store in stores
        )
        days = days_named(context) or (context.today,)
        if len(days) > _DAYS_MAX:
            weeks = "; ".join(f"{store.city} {_week(store)}" for store in stores)
            return Result(says=(Say(response="say_hours_of_week", fields={"weeks": weeks}, buttons=buttons),))
        *others, last = (self._on(when, context.today, stores) for when in days)
        return Result(says=(*others, replace(last, buttons=buttons)))

    def _on(self, when: date, today: date, stores: Sequence[Store]) -> Say:
        lines = "; ".join(f"{store.city} {_span(_hours(store, when.weekday()))}" for store in stores)
        if when == today:
            fields = {"weekday": speaking.get().weekdays[when.weekday()], "lines": lines}
            return Say(response="say_hours_today", fields=fields)
        return Say(response="say_hours_on_day", fields={"day": _capitalised(on_day(when, today)), "lines": lines})

    def about(self, context: TurnContext, store: Store) -> Say:
        """Say whether the store is open now, or when on the days that are asked about, and its week."""
        now = context.now.astimezone(LOCAL_ZONE)
        fields = {"store": store.name, "week": _week(store)}
        named = days_named(context)
        if named != (now.date(),) and 0 < len(named) <= _DAYS_MAX:
            spans = [f"{on_day(when, now.date())} {_span(_hours(store, when.weekday()))}" for when in named]
            return Say(response="say_store_on_days", fields={"days": "; ".join(spans), **fields})
        today = _hours(store, now.weekday())
        if today and today.opens and today.closes:
            if today.opens <= now.time() < today.closes:
                return Say(response="say_store_open", fields={"closes": clock(today.closes), **fields})
            if now.time() < today.opens:
                return Say(response="say_store_opens_later", fields={"opens": clock(today.opens), **fields})
        return _shut(store, now, fields)


class StoreLocation(StoreAction):
    """Says where stores are and how to ring them."""

    def about_all(self, context: TurnContext, stores: Sequence[Store]) -> Result:
        """List the cities."""
        del context
        buttons = tuple(
            Button(title=store.city, intent="store_location", entities={"store": store.city}) for store in stores
        )
        fields = {"count": str(len(stores)), "cities": listing([store.city for store in stores])}
        return Result(says=(Say(response="say_stores", fields=fields, buttons=buttons),))

    def about(self, context: TurnContext, store: Store) -> Say:
        """Give address and telephone number."""
        del context
        return Say(
            response="say_store_address", fields={"store": store.name, "address": store.address, "phone": store.phone}
        )


def days_named(context: TurnContext) -> tuple[date, ...]:
    """Return the days that a message names, in their order, of a long span its first week; none where it names none."""
    found: set[date] = set()
    for value in context.entities.get("date", ()):
        with suppress(ValueError):
            first, *end = (date.fromisoformat(part) for part in value.split("/"))
            days = min((end[0] - first).days, _WEEK - 1) if end else 0
            found.update(first + timedelta(days=ahead) for ahead in range(days + 1))
    return tuple(sorted(found))


def _capitalised(text: str) -> str:
    return text[:1].upper() + text[1:]


def _hours(store: Store, weekday: int) -> OpeningHours | None:
    return next((hours for hours in store.hours if hours.weekday == weekday and hours.opens and hours.closes), None)


def _span(hours: OpeningHours | None) -> str:
    if hours is None or hours.opens is None or hours.closes is None:
        return speaking.get().closed
    return f"{clock(hours.opens)}–{clock(hours.closes)}"


def _week(store: Store) -> str:
    names = speaking.get().short_weekdays
    spans = [(weekday, _span(_hours(store, weekday))) for weekday in range(len(names))]
    parts = []
    for span, group in groupby(spans, key=lambda entry: entry[1]):
        days = [names[weekday] for weekday, _ in group]
        parts.append(f"{days[0]}–{days[-1]} {span}" if len(days) > 1 else f"{days[0]} {span}")
    return ", ".join(parts)


def _shut(store: Store, now: datetime, fields: dict[str, str]) -> Say:
    for ahead in range(1, _WEEK + 1):
        when = now.date() + timedelta(days=ahead)
        hours = _hours(store, when.weekday())
        if hours is not None and hours.opens is not None:
            opens = speaking.get().at.format(day=on_day(when, now.date()), time=clock(hours.opens))
            return Say(response="say_store_shut", fields={"opens": opens, **fields})
    return Say(response="say_store_no_hours", fields=fields)
