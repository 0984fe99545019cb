"""Everything that can be pressed in Slack, by name; a modal carries the name of the button that opens it."""

from __future__ import annotations

from enum import StrEnum


class DeskAction(StrEnum):
    """A button, an entry of a menu, or a message shortcut."""

    CLAIM = "tandem_claim"
    RELEASE = "tandem_release"
    WAKE = "tandem_wake"
    REOPEN = "tandem_reopen"
    VERIFY = "tandem_verify"
    UNLINK = "tandem_unlink"
    RESEND = "tandem_resend"
    UNDO = "tandem_undo"
    #: a reply that was found long after it was written
    SEND_LATE = "tandem_send_late"
    #: a reply that everybody will read
    SEND_PUBLIC = "tandem_send_public"
    #: ask the customer of a public thread to go on in private
    INVITE = "tandem_invite"
    #: a draft of the bot, as it is
    SEND_SUGGESTION = "tandem_send_suggestion"
    REJECT_SUGGESTION = "tandem_reject_suggestion"

    REPLY = "tandem_reply"
    #: to the same customer in another conversation
    ELSEWHERE = "tandem_elsewhere"
    #: a draft of the bot, to be changed first
    SUGGESTED = "tandem_suggested"
    MACRO = "tandem_macro"
    NOTE = "tandem_note"
    SNOOZE = "tandem_snooze"
    #: priority and tags
    SORT = "tandem_sort"
    #: to a person or a team
    ASSIGN = "tandem_assign"
    PROMISE = "tandem_promise"
    LINK = "tandem_link"
    RESOLVE = "tandem_resolve"
    HAND_BACK = "tandem_hand_back"
    #: all that has no button of its own
    MORE = "tandem_more"

    #: message shortcuts
    SEND_THIS = "tandem_send_this"
    KEEP_THIS = "tandem_keep_this"
    MAKE_MACRO = "tandem_make_macro"
    #: answer one message of the customer's, which the channel shows above the answer where it can
    ANSWER_THIS = "tandem_answer_this"

    #: App Home
    NEXT = "tandem_next"
    AVAILABLE = "tandem_available"
    AWAY = "tandem_away"
    PAGE = "tandem_page"

    @property
    def has_modal(self) -> bool:
        """Whether pressing it asks for something first."""
        return self in _WITH_MODAL

    @property
    def is_of_home(self) -> bool:
        """Whether it belongs to no ticket."""
        return self in _OF_HOME


_WITH_MODAL = frozenset(
    {
        DeskAction.REPLY,
        DeskAction.ELSEWHERE,
        DeskAction.SUGGESTED,
        DeskAction.MACRO,
        DeskAction.NOTE,
        DeskAction.SNOOZE,
        DeskAction.SORT,
        DeskAction.ASSIGN,
        DeskAction.PROMISE,
        DeskAction.LINK,
        DeskAction.RESOLVE,
        DeskAction.HAND_BACK,
        DeskAction.MORE,
        DeskAction.MAKE_MACRO,
        DeskAction.ANSWER_THIS,
    }
)
_OF_HOME = frozenset({DeskAction.NEXT, DeskAction.AVAILABLE, DeskAction.AWAY, DeskAction.PAGE})

#: The action of a menu, whose chosen entry is "action ticket".
MENU = "tandem_menu"
#: The action of a button that only follows a link.
OPEN = "tandem_open"
