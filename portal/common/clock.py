"""The portal's one clock. Tests freeze it with time-machine; nothing else reads the time of day."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> datetime:
    """The present instant, aware, in UTC."""
    return datetime.now(UTC)


def to_ms(instant: datetime) -> int:
    """Milliseconds since 1970 in UTC."""
    return int(instant.timestamp() * 1000)


def from_ms(milliseconds: int) -> datetime:
    """The inverse of `to_ms`. Raises OverflowError, ValueError or OSError when out of the calendar."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
