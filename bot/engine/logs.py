"""What the engine process logs: our lines from INFO, Rasa's from WARNING, no text of customers below that."""

from __future__ import annotations

import logging
import sys
import warnings

import structlog


def configure(level: int = logging.INFO) -> None:
    """Send log lines to standard output; to be called once, before a model is loaded."""
    logging.basicConfig(level=level, stream=sys.stdout, format="%(levelname)s %(name)s %(message)s", force=True)
    for name in ("rasa", "sanic", "apscheduler", "matplotlib"):
        logging.getLogger(name).setLevel(logging.WARNING)
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stdout),
        cache_logger_on_first_use=True,
    )
    # Rasa warns of its own dependencies' age and, at each message, of what it could say once.
    warnings.simplefilter("ignore")
