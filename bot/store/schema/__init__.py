"""Every table of Tandem's own database."""

from __future__ import annotations

from bot.store.schema.boxes import gates, inbox, outbox, poll_cursors, read_marks, restores
from bot.store.schema.desk import macros, suggestions, ticket_clocks, ticket_events, tickets
from bot.store.schema.naming import metadata
from bot.store.schema.people import agents, aliases, identities, identity_links
from bot.store.schema.public import invitations, token_guesses, triages
from bot.store.schema.talk import (
    choices,
    conversations,
    feeds,
    media,
    message_quotes,
    message_revisions,
    messages,
    timers,
    turns,
)

__all__ = [
    "agents",
    "aliases",
    "choices",
    "conversations",
    "feeds",
    "gates",
    "identities",
    "identity_links",
    "inbox",
    "invitations",
    "macros",
    "media",
    "message_quotes",
    "message_revisions",
    "messages",
    "metadata",
    "outbox",
    "poll_cursors",
    "read_marks",
    "restores",
    "suggestions",
    "ticket_clocks",
    "ticket_events",
    "tickets",
    "timers",
    "token_guesses",
    "triages",
    "turns",
]
