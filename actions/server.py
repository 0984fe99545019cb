"""Runs actions for the engine: what the stock action server does over HTTP, as a function."""

from __future__ import annotations

import traceback
from collections.abc import Mapping

import structlog
from rasa_sdk import Action
from rasa_sdk.executor import ActionExecutor
from rasa_sdk.interfaces import ActionExecutionRejection, ActionMissingDomainException, ActionNotFoundException

from actions import flow, foreign, forms, handoff, knowledge, products
from actions.base import LiveSources, TandemAction
from actions.wishes import WISHES
from bot.domain.ports import Assurances, Clock, CustomerDirectory

log = structlog.get_logger()

_ACTIONS: dict[str, type[TandemAction]] = {
    **dict.fromkeys((f"action_{wish}" for wish in WISHES), flow.WishAction),
    **dict.fromkeys((f"action_{topic}" for topic in handoff.PEOPLE_ONLY), handoff.PeopleOnlyAction),
    "action_address_change": flow.AddressChange,
    "action_affirm": handoff.Affirm,
    "action_ask_outcome": handoff.AskOutcome,
    "action_ask_return_item": forms.AskReturnItem,
    "action_ask_waiting_time": handoff.AskWaitingTime,
    "action_ask_which_order": forms.AskWhichOrder,
    "action_complaint": handoff.Complaint,
    "action_continue": flow.Continue,
    "action_deny": handoff.Deny,
    "action_foreign_language": foreign.ForeignLanguage,
    "action_handed_back": handoff.HandedBack,
    "action_knowledge": knowledge.Knowledge,
    "action_nevermind": handoff.NeverMind,
    "action_not_understood": handoff.NotUnderstood,
    "action_opening_hours": products.OpeningHoursAction,
    "action_product_availability": products.ProductAvailability,
    "action_product_question": products.ProductQuestion,
    "action_return_policy": handoff.ReturnPolicy,
    "action_store_location": products.StoreLocation,
    "action_submit_cancel_form": flow.SubmitCancel,
    "action_submit_change_form": flow.SubmitForPeople,
    "action_submit_problem_form": flow.SubmitForPeople,
    "action_submit_return_form": flow.SubmitForPeople,
    "action_talk_to_person": handoff.TalkToPerson,
}
_FORMS: dict[str, type[forms.Form]] = {
    "order_form": forms.OrderForm,
    "cancel_form": forms.CancelForm,
    "change_form": forms.ChangeForm,
    "problem_form": forms.ProblemForm,
    "return_form": forms.ReturnForm,
}


def build_actions(directory: CustomerDirectory, assurances: Assurances, clock: Clock) -> list[Action]:
    """Return an instance of every action that domain.yml names."""
    sources = LiveSources(directory=directory, assurances=assurances, clock=clock)
    plain = [make(name, sources) for name, make in _ACTIONS.items()]
    return [*plain, *(make(form, sources) for form, make in _FORMS.items())]


class ActionServer:
    """Answers the engine's action calls."""

    def __init__(self, actions: list[Action]) -> None:
        """Serve `actions`."""
        self._executor = ActionExecutor()
        for action in actions:
            self._executor.register_action(action)

    @property
    def names(self) -> list[str]:
        """The names of the actions that are served."""
        return sorted(self._executor.actions)

    async def run(self, payload: Mapping[str, object]) -> tuple[int, dict[str, object]]:
        """Run one action call and return HTTP status and body: 200 with events and responses, 400 rejected, 404, 500.

        449 asks for the call once more with the domain, which it only names. The error bodies name the action and
        nothing of the conversation.
        """
        name = str(payload.get("next_action") or "")
        try:
            result = await self._executor.run(dict(payload))
        except ActionExecutionRejection as rejection:
            return 400, {"error": "the action rejected to run", "action_name": rejection.action_name}
        except ActionMissingDomainException:
            return 449, {"error": "the domain of this digest is not known here", "action_name": name}
        except ActionNotFoundException:
            return 404, {"error": "no such action", "action_name": name}
        except Exception as error:  # noqa: BLE001 - whatever an action raises is this turn's failure
            # The trace tells where; the message could hold what a customer wrote.
            log.error("action_failed", action=name, error=type(error).__name__, at=_place(error))
            return 500, {"error": "the action failed", "action_name": name}
        if result is None:
            return 404, {"error": "the call names no action", "action_name": ""}
        return 200, dict(result.model_dump())


def _place(error: BaseException) -> str:
    """Return the file and line that raised."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else ""
