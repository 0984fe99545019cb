"""Answers about subscriptions; pausing and cancelling one is passed to people."""

from __future__ import annotations

from actions.base import Result, Say, ask_people, say
from actions.case import Case
from actions.wording import day, money
from bot.domain.customers import Subscription, SubscriptionStatus
from bot.domain.handoff import Reason

_SHOWN_MAX = 3


def status(case: Case) -> Result:
    """Say what the customer is subscribed to and when the next box comes."""
    if not case.subscriptions:
        return say("say_no_subscription")
    result = Result()
    for subscription in case.subscriptions[:_SHOWN_MAX]:
        result = result.then(Result(says=(_state(case, subscription),)))
    return result


def _state(case: Case, subscription: Subscription) -> Say:
    fields = {
        "product": subscription.product,
        "price": money(subscription.price),
        "days": str(subscription.every_days),
        "next_box": day(subscription.next_box_on, case.today) if subscription.next_box_on else "",
    }
    name = f"say_subscription_{subscription.status}"
    if subscription.status is SubscriptionStatus.ACTIVE and subscription.next_box_on is None:
        name = "say_subscription_undated"
    return Say(response=name, fields=fields)


def pause(case: Case) -> Result:
    """Pass a wish to pause on to people, with the subscription it is about."""
    return _for_people(case, "pause", {SubscriptionStatus.ACTIVE})


def cancel(case: Case) -> Result:
    """Pass a wish to cancel on to people, with the subscription it is about."""
    return _for_people(case, "cancel", {SubscriptionStatus.ACTIVE, SubscriptionStatus.PAUSED})


def _for_people(case: Case, what: str, states: set[SubscriptionStatus]) -> Result:
    concerned = [subscription for subscription in case.subscriptions if subscription.status in states]
    if not concerned:
        return status(case)
    first = concerned[0]
    names = ", ".join(f"{subscription.product} ({subscription.id})" for subscription in concerned)
    next_box = day(first.next_box_on, case.today) if first.next_box_on else "not planned"
    summary = f"Wants to {what} the subscription {names}. Next box: {next_box}. Wrote: “{case.context.text[:200]}”"
    request = ask_people(case.context, Reason.OTHER, f"{what} subscription", summary)
    return say(f"say_subscription_{what}_passed_on", product=first.product).then(Result(handoff=request))
