"""Everything that can go wrong and that a caller handles by kind.

TandemError
 ├─ SettingsError            the operator has to change something before we start
 ├─ WebhookError
 │   ├─ WebhookRejectedError     403: not from who it claims to be
 │   └─ MalformedWebhookError    400: not the channel's protocol
 ├─ EngineError
 │   ├─ EngineUnavailableError   no engine answers now; the turn may be tried again
 │   │   └─ EngineDiedError      it broke off in the middle of the turn, perhaps because of it
 │   └─ TurnFailedError          the engine answered that this turn failed
 ├─ DirectoryUnavailableError    the brand's records cannot be read now
 ├─ MediaError               a file cannot be fetched or must not be kept
 ├─ StaleLeaseError          somebody else took the row over; nothing was written
 ├─ OwnerChangedError        the conversation changed hands while the turn was in work
 ├─ SupersededError          the customer went on writing while the turn was in work
 └─ DeskError                an agent asked for what cannot be done; the message is for the agent
     ├─ NewLinesError        somebody wrote what the agent had not seen; nothing was sent
     └─ PublicReplyError     everybody would read what the agent does not know they would; nothing was sent
"""

from __future__ import annotations

from datetime import timedelta


class TandemError(Exception):
    """Something went wrong that Tandem knows by name."""

    def __init__(self, message: str | None = None) -> None:
        """Say `message`, or the first line of the class's docstring."""
        super().__init__(message or (type(self).__doc__ or "").splitlines()[0])


class SettingsError(TandemError):
    """The settings contradict themselves or name something unknown."""


class WebhookError(TandemError):
    """A webhook request was refused."""


class WebhookRejectedError(WebhookError):
    """The request is not from who it claims to be."""


class MalformedWebhookError(WebhookError):
    """The request is not what the channel's protocol allows."""


class EngineError(TandemError):
    """The engine gave no turn."""


class EngineUnavailableError(EngineError):
    """No engine answers now."""

    def __init__(self, message: str | None = None, *, away_for: timedelta | None = None) -> None:
        """Say `message`; `away_for` is for how long none has answered, where that is known."""
        super().__init__(message)
        self.away_for = away_for


class EngineDiedError(EngineUnavailableError):
    """The engine broke off in the middle of the turn."""


class TurnFailedError(EngineError):
    """The engine says that this turn failed."""


class DirectoryUnavailableError(TandemError):
    """The brand's records cannot be read now."""


class MediaError(TandemError):
    """A file cannot be fetched or must not be kept."""


class StaleLeaseError(TandemError):
    """The row was taken over by somebody else."""


class OwnerChangedError(TandemError):
    """The conversation changed hands while the turn was in work."""


class SupersededError(TandemError):
    """The customer went on writing while the turn was in work."""


class DeskError(TandemError):
    """What the agent asked for cannot be done."""


class NewLinesError(DeskError):
    """Somebody wrote what the agent had not seen when they wrote their reply."""

    def __init__(self, message: str, *, newest: str) -> None:
        """Say `message`; `newest` is the id of the newest line, to be named as seen by whoever sends all the same."""
        super().__init__(message)
        self.newest = newest


class PublicReplyError(DeskError):
    """Everybody would read it, and the agent has not been asked whether they may."""

    def __init__(self, message: str, *, exposed: tuple[str, ...] = ()) -> None:
        """Say `message`; `exposed` is what of somebody's alone it would tell, to be named by who sends all the same."""
        super().__init__(message)
        self.exposed = exposed
