"""What is said in public, and the way from there into private conversations."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, String, Table

from bot.store.database import Moment
from bot.store.schema.naming import metadata

# What public messages were found to be, and what was done about them.
triages = Table(
    "triages",
    metadata,
    Column("message_id", String(32), primary_key=True),
    Column("conversation_id", String(32), nullable=False),
    Column("aim", String(12), nullable=False),
    Column("kind", String(12), nullable=False),
    Column("treatment", String(12), nullable=False),
    # of the approved answer that was given
    Column("intent", String(100)),
    Column("at", Moment, nullable=False),
)
Index("ix_triages_conversation", triages.c.conversation_id)
Index("ix_triages_at", triages.c.at)

# Invitations into private; of a token only its hash is kept.
invitations = Table(
    "invitations",
    metadata,
    Column("fingerprint", String(64), primary_key=True),
    # the public one
    Column("conversation_id", String(32), nullable=False),
    Column("made_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False),
    # the private one that it joined
    Column("joined_id", String(32)),
    Column("joined_at", Moment),
)
Index("ix_invitations_conversation", invitations.c.conversation_id)
Index("ix_invitations_joined", invitations.c.joined_id)

# Unknown tokens by where they came from, since the first of them.
token_guesses = Table(
    "token_guesses",
    metadata,
    Column("address", String(400), primary_key=True),
    Column("wrong_count", Integer, nullable=False),
    Column("since", Moment, nullable=False),
)
