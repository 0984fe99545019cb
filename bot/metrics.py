"""What is counted and timed, for Prometheus."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

REGISTRY = CollectorRegistry()

RECEIVED = Counter(
    "tandem_received", "Events of channels, by what became of them.", ["channel", "kind"], registry=REGISTRY
)
TURNS = Counter("tandem_turns", "Messages worked on, by what became of them.", ["outcome"], registry=REGISTRY)
TURN_SECONDS = Histogram(
    "tandem_turn_seconds",
    "From a message's arrival to the commit of its answer.",
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
    registry=REGISTRY,
)
SENT = Counter("tandem_sent", "Rows of the outbox, by kind and result.", ["kind", "result"], registry=REGISTRY)
PUBLIC = Counter(
    "tandem_public_messages",
    "Public messages, by what they are and what was done.",
    ["kind", "treatment"],
    registry=REGISTRY,
)
JOININGS = Counter("tandem_joinings", "Tokens of invitations that came back, by result.", ["result"], registry=REGISTRY)
BILLED = Counter(
    "tandem_billed", "Things sent that a channel charges for, by what.", ["channel", "what"], registry=REGISTRY
)
ALLOWANCE = Gauge(
    "tandem_allowance", "Calls that a channel takes before it asks for a pause.", ["account", "what"], registry=REGISTRY
)
TICKETS = Counter("tandem_tickets", "Tickets opened, by reason.", ["reason"], registry=REGISTRY)
PROMISES_BROKEN = Counter(
    "tandem_promises_broken", "Promises to customers that were not kept, by what.", ["what"], registry=REGISTRY
)
BOXES = Gauge(
    "tandem_rows", "Rows of inbox and outbox that somebody may have to look at.", ["box", "state"], registry=REGISTRY
)
OLDEST = Gauge(
    "tandem_oldest_seconds",
    "For how long the oldest row waits that is not worked off; `any` is there also where nothing waits.",
    ["box", "channel"],
    registry=REGISTRY,
)
AMBIGUOUS = Gauge("tandem_ambiguous_rows", "Rows of the outbox that may have been sent already.", registry=REGISTRY)
LAPSED = Gauge("tandem_lapsed_leases", "Rows whose worker does not renew its lease.", ["box"], registry=REGISTRY)
CLOCK_OFFSET = Gauge(
    "tandem_clock_offset_seconds",
    "How far the clock that all share, the database's, is ahead of ours.",
    registry=REGISTRY,
)
DISK_FREE = Gauge("tandem_disk_free_bytes", "Room where state is kept.", registry=REGISTRY)
DESK_TROUBLE = Gauge(
    "tandem_desk_trouble", "Whether nothing can be posted at a place of the desk.", ["where"], registry=REGISTRY
)
ACCOUNT_TROUBLE = Gauge(
    "tandem_account_trouble", "Whether nothing goes through a channel account.", ["account"], registry=REGISTRY
)
BREAKERS = Gauge(
    "tandem_breaker",
    "Whether calls are held back: 0 all are made, 2 none is for a moment, 1 one finds out whether it is over.",
    ["what"],
    registry=REGISTRY,
)
CONNECTIONS_REFUSED = Counter(
    "tandem_connections_refused", "Connections closed at once because there were too many.", registry=REGISTRY
)
ENGINE_READY = Gauge("tandem_engine_ready", "Whether an engine answers.", registry=REGISTRY)
ENGINE_RESTARTS = Counter("tandem_engine_restarts", "Engine processes that had to be started again.", registry=REGISTRY)
