"""What can go wrong, said once. The edges (HTML, API) turn these into answers; nothing else does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class PortalError(Exception):
    """Base of every error that an edge answers with something better than 500."""

    status = 500
    title = "Error"

    def __init__(self, message: str = "") -> None:
        super().__init__(message or self.title)
        self.message = message or self.title


class NotFound(PortalError):
    """The thing does not exist, or is out of reach: the two are never told apart."""

    status = 404
    title = "Not found"


class Forbidden(PortalError):
    """In reach, but without the capability; the message names it."""

    status = 403
    title = "Not allowed"

    def __init__(self, capability: str, message: str = "") -> None:
        super().__init__(message or f"This needs the capability {capability}.")
        self.capability = str(capability)


@dataclass(frozen=True, slots=True)
class FieldError:
    """One fault of one field. `pointer` is a JSON pointer into the input, e.g. `/rules/0/path`."""

    pointer: str
    detail: str


class Invalid(PortalError):
    """The input does not have the needed shape. Carries one entry a fault."""

    status = 422
    title = "Invalid input"

    def __init__(self, errors: Sequence[FieldError], message: str = "") -> None:
        super().__init__(message or "; ".join(e.detail for e in errors))
        self.errors = tuple(errors)


class Refused(PortalError):
    """The input is well formed, but a rule says no. The message says why and what to do instead."""

    status = 422
    title = "Refused"

    def __init__(self, message: str, *, pointer: str = "", code: str = "") -> None:
        super().__init__(message)
        self.pointer = pointer
        self.code = code

    @property
    def errors(self) -> tuple[FieldError, ...]:
        return (FieldError(self.pointer, self.message),) if self.pointer else ()


class Conflict(PortalError):
    """Somebody else was first; nothing was changed."""

    status = 409
    title = "Conflict"


class Stale(PortalError):
    """`If-Match` names a version that is no longer the current one."""

    status = 412
    title = "The object has changed"


class TooLarge(PortalError):
    status = 413
    title = "Too large"


class TooMany(PortalError):
    status = 429
    title = "Too many requests"

    def __init__(self, retry_after_seconds: int, message: str = "") -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class Busy(PortalError):
    status = 503
    title = "Busy"

    def __init__(self, retry_after_seconds: int = 5, message: str = "") -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds
